"""What a store promises about the revocation feed."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from fastapi_session.errors import StoreUnavailable
from fastapi_session.model import FeedReading, Notice, Predecessor, SessionRecord
from fastapi_session.stores.base import Store
from fastapi_session.testing.hand_clock import HandClock
from fastapi_session.testing.records import IDLE_TIMEOUT, duration, new_session, new_signing_key


def revoked(record: SessionRecord, *, at: int) -> Notice:
    """Return the notice that *record* was revoked *at* a moment (milliseconds)."""
    return Notice(record.session_id, "session_revoked", at)


def superseded(record: SessionRecord, *, at: int) -> Notice:
    """Return the notice that another session took the place of *record* *at* a moment (milliseconds)."""
    return Notice(record.session_id, "session_superseded", at)


async def heard(store: Store) -> list[Notice]:
    """Return the whole feed of *store*."""
    return list((await store.notices(after=0)).notices)


class NoticeContract:
    """The contract of `notices` and `delete_notices`, and of what the other verbs append to the feed."""

    async def test_a_deleted_session_is_noted(self, store: Store, clock: HandClock) -> None:
        """What was deleted is in the feed, once, with the moment of the store's clock."""
        record = new_session("a", now=clock())
        await store.insert(record)
        # No whole second: a notice is dated to the millisecond.
        clock.advance(duration(1_500))
        for _ in range(2):
            await store.delete(record.session_id)

        assert [revoked(record, at=clock())] == await heard(store)

    async def test_a_conditional_delete_is_noted_if_it_deletes(self, store: Store, clock: HandClock) -> None:
        """A session that has moved on is neither deleted nor noted, one that has not is both."""
        record = new_session("a", now=clock())
        await store.insert(record)

        assert not await store.delete(record.session_id, expected=replace(record.lineage, generation=1))
        assert [] == await heard(store)
        assert await store.delete(record.session_id, expected=record.lineage)
        assert [revoked(record, at=clock())] == await heard(store)

    async def test_every_session_of_a_user_is_noted(self, store: Store, clock: HandClock) -> None:
        """Of a user whose sessions are deleted together each one is noted, and nobody else's."""
        records = [new_session(f"{n}", now=clock()) for n in range(3)]
        for record in [*records, new_session("other", now=clock(), user_id="other")]:
            await store.insert(record)
        await store.delete_sessions_of("user", limit=100)

        assert {revoked(record, at=clock()) for record in records} == set(await heard(store))

    async def test_replaced_sessions_are_noted(self, store: Store, clock: HandClock) -> None:
        """Sessions whose place another one takes are noted as superseded, also one that was revoked before."""
        first, second, third = (new_session(name, now=clock()) for name in "abc")
        for record in (first, second):
            await store.insert(record)
        # Its client may have the tokens of the new session: both notices have to be there.
        await store.delete(first.session_id)
        ended = clock()
        clock.advance(duration(1_500))
        await store.insert(third, replacing=[first.session_id], succeeding=Predecessor(second.session_id, version=0))

        every = [revoked(first, at=ended), superseded(first, at=clock()), superseded(second, at=clock())]
        assert set(every) == set(await heard(store))

    async def test_an_insertion_that_fails_notes_nothing(self, store: Store, clock: HandClock) -> None:
        """If the new session cannot be kept, nobody hears that it took another's place."""
        first, second = (new_session(name, now=clock()) for name in "ab")
        for record in (first, second):
            await store.insert(record)
        with suppress(StoreUnavailable):
            await store.insert(first, replacing=[second.session_id])
        with suppress(StoreUnavailable):
            await store.insert(first, succeeding=Predecessor(second.session_id, version=0))

        assert [] == await heard(store)

    async def test_expired_sessions_are_not_noted(self, store: Store, clock: HandClock) -> None:
        """Clearing away what has expired appends nothing to the feed: no access token outlives its session's deadline."""
        await store.insert(new_session("a", now=clock()))
        clock.advance(duration(IDLE_TIMEOUT))

        assert 1 == await store.delete_expired(limit=10)
        assert [] == await heard(store)

    async def test_a_payload_is_noted_if_it_marks_the_session_stale(self, store: Store, clock: HandClock) -> None:
        """A change that marks the session stale is noted, another one is not, and neither is one that was refused."""
        record = new_session("a", now=clock())
        await store.insert(record)

        assert await store.update(record.session_id, version=0, access_token_payload={}, session_data={}, label=None)
        assert not await store.update(
            record.session_id, version=0, access_token_payload={}, session_data={}, label=None, marks_stale=True
        )
        assert [] == await heard(store)
        assert await store.update(
            record.session_id, version=1, access_token_payload={}, session_data={}, label=None, marks_stale=True
        )
        assert [Notice(record.session_id, "session_stale", clock())] == await heard(store)

    async def test_a_deleted_key_is_noted(self, store: Store, clock: HandClock) -> None:
        """A signing key that was deleted is in the feed, once."""
        await store.insert_key(new_signing_key("k1", now=clock()))
        for _ in range(2):
            await store.delete_key("k1")

        assert [Notice("k1", "key_deleted", clock())] == await heard(store)

    async def test_the_feed_is_read_from_a_moment_on(self, store: Store, clock: HandClock) -> None:
        """Notices come oldest first, only those between the moments given, and with the store's clock."""
        began, records = clock(), [new_session(f"{n}", now=clock()) for n in range(3)]
        for record in records:
            await store.insert(record)
        for record in records:
            clock.advance(duration(1_000))
            await store.delete(record.session_id)
        every = [revoked(record, at=began + 1_000 * n) for n, record in enumerate(records, 1)]

        assert FeedReading(tuple(every), clock()) == await store.notices(after=0)
        assert FeedReading(tuple(every[1:]), clock()) == await store.notices(after=began + 1_000)
        assert FeedReading((every[1],), clock()) == await store.notices(after=began + 1_000, until=began + 2_000)
        assert FeedReading((), clock()) == await store.notices(after=clock())

    async def test_old_notices_are_deleted_in_batches(self, store: Store, clock: HandClock) -> None:
        """Notices up to a moment are deleted, at most so many at once, and younger ones stay."""
        for n in range(4):
            await store.insert(new_session(f"{n}", now=clock()))
        for n in range(4):
            if n == 3:
                clock.advance(duration(1))
            await store.delete(new_session(f"{n}", now=0).session_id)

        assert [2, 1, 0] == [await store.delete_notices(until=clock() - 1, limit=2) for _ in range(3)]
        assert [clock()] == [notice.at for notice in await heard(store)]
