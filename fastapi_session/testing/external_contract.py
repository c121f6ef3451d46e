"""What a store promises about sessions that an identity provider signed in, and about what must not happen twice."""

from __future__ import annotations

import asyncio

from fastapi_session.model import SessionRecord
from fastapi_session.stores.base import Store
from fastapi_session.testing.hand_clock import HandClock
from fastapi_session.testing.notice_contract import heard, revoked
from fastapi_session.testing.records import IDLE_TIMEOUT, digest, duration, full_session, new_session, next_rotation

SESSION, SUBJECT, OTHER = digest("external session"), digest("external subject"), digest("of another provider")


def external(name: str, *, now: int, session: bytes | None = SESSION, subject: bytes | None = SUBJECT) -> SessionRecord:
    """Return the record of a session that was signed in by a provider's *session* of its *subject*."""
    return full_session(name, now=now, external_session=session, external_subject=subject)


async def left(store: Store, *records: SessionRecord) -> list[bool]:
    """Return which of *records* the store still has."""
    return [(await store.get(record.session_id)).record is not None for record in records]


class ExternalContract:
    """The contract of `delete_external`, `once`, `is_remembered` and `delete_remembered`."""

    async def test_sessions_of_an_external_session_are_deleted(self, store: Store, clock: HandClock) -> None:
        """Those that have the digest as their external session are deleted, returned whole and noted; no other one is."""
        mine = external("a", now=clock())
        others = [external("b", now=clock(), session=OTHER), new_session("c", now=clock())]
        for record in (mine, *others):
            await store.insert(record)
        clock.advance(duration(1_500))

        assert [mine] == list(await store.delete_external(SESSION, limit=100))
        assert [False, True, True] == await left(store, mine, *others)
        assert [revoked(mine, at=clock())] == await heard(store)
        assert [] == list(await store.delete_external(SESSION, limit=100))

    async def test_sessions_of_an_external_subject_are_deleted(self, store: Store, clock: HandClock) -> None:
        """Those of all users and tenants that have the digest as their external subject are deleted, expired ones too."""
        public = external("a", now=clock(), session=None)
        expired = external("b", now=clock(), session=OTHER)
        other = external("c", now=clock(), session=SESSION, subject=OTHER)
        for record in (public, expired, other):
            await store.insert(record)
        clock.advance(duration(IDLE_TIMEOUT))
        deleted = await store.delete_external(SUBJECT, limit=100)

        assert {public.session_id: public, expired.session_id: expired} == {each.session_id: each for each in deleted}
        assert [False, False, True] == await left(store, public, expired, other)

    async def test_external_sessions_are_deleted_in_portions(self, store: Store, clock: HandClock) -> None:
        """No more than the limit are deleted at once, each is returned once, and fewer than the limit are the last."""
        records = [external(f"{n}", now=clock()) for n in range(5)]
        for record in records:
            await store.insert(record)
        deleted = [await store.delete_external(SUBJECT, limit=limit) for limit in (0, 2, 2, 2, 2)]

        assert [0, 2, 2, 1, 0] == [len(each) for each in deleted]
        assert {record.session_id for record in records} == {record.session_id for each in deleted for record in each}

    async def test_an_external_session_is_kept_at_rotation(self, store: Store, clock: HandClock) -> None:
        """However often a session was rotated and changed, it is found by its digests."""
        record = external("a", now=clock())
        await store.insert(record)
        clock.advance(duration(60_000))
        assert await store.rotate(next_rotation(record))
        assert await store.update(record.session_id, version=7, access_token_payload={}, session_data={}, label=None)

        assert [record.session_id] == [each.session_id for each in await store.delete_external(SESSION, limit=1)]

    async def test_what_ended_otherwise_is_not_found_by_its_digests(self, store: Store, clock: HandClock) -> None:
        """A session that was deleted, superseded, ended with its user's or cleared away is not deleted again."""
        deleted, replaced, of_user, expired = (external(name, now=clock()) for name in "abcd")
        for record in (deleted, replaced, of_user, expired):
            await store.insert(record)
        await store.delete(deleted.session_id)
        await store.insert(new_session("e", now=clock(), user_id="other"), replacing=[replaced.session_id])
        assert 2 == len(await store.delete_sessions_of("user", limit=2))
        await store.insert(expired)
        clock.advance(duration(IDLE_TIMEOUT * 3))
        assert 2 == await store.delete_expired(limit=2)

        assert [[], []] == [list(await store.delete_external(each, limit=9)) for each in (SESSION, SUBJECT)]

    async def test_what_must_not_happen_twice(self, store: Store, clock: HandClock) -> None:
        """Of callers side by side one is told that it is the first; and a digest is remembered at least until its moment."""
        until = clock() + IDLE_TIMEOUT
        assert not await store.is_remembered(SESSION)
        told = await asyncio.gather(*(store.once(SESSION, until=until) for _ in range(8)))
        clock.advance(duration(IDLE_TIMEOUT - 1))

        assert [False] * 7 + [True] == sorted(told)
        assert not await store.once(SESSION, until=until + IDLE_TIMEOUT)
        assert [True, False] == [await store.is_remembered(each) for each in (SESSION, SUBJECT)]
        assert await store.once(SUBJECT, until=until)

    async def test_what_was_remembered_for_long_enough_is_forgotten(self, store: Store, clock: HandClock) -> None:
        """At most so many are forgotten at once, and none before its moment; or the store forgets them by itself."""
        for name in "abcde":
            assert await store.once(digest(name), until=clock() + (IDLE_TIMEOUT if name == "e" else 1))
        early = await store.delete_remembered(limit=9)
        clock.advance(duration(1))
        forgotten = [await store.delete_remembered(limit=3) for _ in range(3)]

        assert 0 == early
        assert forgotten in ([3, 1, 0], [0, 0, 0])
        assert await store.is_remembered(digest("e"))
