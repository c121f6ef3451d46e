"""What a store promises into which sessions move, and out of which they do."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar, get_args

from fastapi_session.audit import Audit
from fastapi_session.insertion import REFUSED, Limit
from fastapi_session.model import LATEST, Json, Notice, NoticeKind, SessionRecord
from fastapi_session.stores.base import Store, TakenIn
from fastapi_session.stores.taking_in import mark_of
from fastapi_session.testing.event_contract import event, told
from fastapi_session.testing.hand_clock import HandClock
from fastapi_session.testing.leaving_contract import LeavingContract, movable
from fastapi_session.testing.notice_contract import heard, revoked
from fastapi_session.testing.records import (
    DEBOUNCE,
    bound_key,
    digest,
    duration,
    full_session,
    issue_id,
    new_session,
    next_rotation,
)

T = TypeVar("T")

IMPORTED = Audit("e" * 32, "SessionCreated", {"source": "elsewhere"})


def waiting_session(name: str, *, now: int, lineage: Json | None = None, **fields: object) -> SessionRecord:
    """Return the record of a session that began elsewhere, and of which no refresh token has been exchanged here."""
    return new_session(name, now=now, lineage=lineage, **{"source": "elsewhere", **fields})


async def take_in(store: Store, *records: SessionRecord) -> Sequence[TakenIn]:
    """Return what becomes of *records* in *store*."""
    return list(await movable(store).take_in(records))


async def found(store: Store, record: SessionRecord) -> SessionRecord | None:
    """Return the session of *record* as *store* has it."""
    return (await store.get(record.session_id)).record


class MovableContract(LeavingContract):
    """The contract of `MovableStore`. Inherit it beside `StoreContract`; it has the same fixtures."""

    async def test_sessions_are_taken_in(self, store: Store, clock: HandClock) -> None:
        """What was not there is kept as it is, in the order given, and nobody is told anything."""
        records = [full_session(each, now=clock()) for each in "cab"]

        assert ["kept"] * 3 == await take_in(store, *records)
        assert records == [await found(store, each) for each in records]
        assert [] == await heard(store)
        assert [] == await take_in(store)

    async def test_a_session_is_taken_in_once(self, store: Store, clock: HandClock) -> None:
        """What was taken in stays as it is if it comes again, with others that are new."""
        first, second = waiting_session("a", now=clock()), waiting_session("b", now=clock())
        await take_in(store, first)

        assert ["there", "kept"] == await take_in(store, first, second)
        assert [first, second] == [await found(store, each) for each in (first, second)]

    async def test_a_session_that_ended_does_not_come_back(self, store: Store, clock: HandClock) -> None:
        """What was taken in and deleted is never taken in again, whatever is said of it elsewhere."""
        record, other = waiting_session("a", now=clock()), waiting_session("b", now=clock())
        await take_in(store, record)
        await store.delete(record.session_id)
        newer = replace(record, lineage=replace(record.lineage, generation=9, current=digest("newer")))

        assert ["ended", "kept"] == await take_in(store, newer, other)
        assert await found(store, record) is None
        assert [revoked(record, at=clock())] == await heard(store)

    async def test_an_id_is_remembered_as_long_as_it_may_come_back(self, store: Store, clock: HandClock) -> None:
        """What clears away has left the id as long as the session could live, and forgets it later."""
        deadline = {"absolute_expires_at": clock() + 9_000}
        record = waiting_session("a", now=clock(), lineage=deadline, source=None)
        elsewhere = waiting_session("b", now=clock(), lineage=deadline)
        await take_in(store, record, elsewhere)
        for each in (record, elsewhere):
            await store.delete(each.session_id)
        clock.advance(duration(8_999))
        await store.delete_remembered(limit=9)

        assert await store.is_remembered(mark_of(record.session_id))
        assert ["ended"] == await take_in(store, record)
        clock.advance(duration(2))
        forgotten = await store.delete_remembered(limit=9)
        # A store that forgets by itself does so by a clock of its own.
        assert (forgotten == 0) is await store.is_remembered(mark_of(record.session_id))
        # No deadline of ours ends it where it goes on.
        assert await store.is_remembered(mark_of(elsewhere.session_id))

    async def test_a_session_that_waits_is_renewed(self, store: Store, clock: HandClock) -> None:
        """As long as a session goes on elsewhere, what is newer there is newer here: whose it is, its tokens, its payload."""
        record = waiting_session("a", now=clock(), label="mine")
        await take_in(store, record)
        newer = replace(
            full_session("a", now=clock(), lineage={"generation": 1, "exchanged": None}),
            tenant_id="public",
            version=0,
            user_id="linked",
            kind=record.kind,
            source=record.source,
        )
        assert newer.waits
        expected = replace(
            record,
            user_id=newer.user_id,
            recipe_user_id=newer.recipe_user_id,
            access_token_payload=newer.access_token_payload,
            session_data=newer.session_data,
            label=newer.label,
            circumstances=newer.circumstances,
            last_seen_at=newer.last_seen_at,
            bound_key=newer.bound_key,
            lineage=newer.lineage,
        )

        assert ["renewed"] == await take_in(store, newer)
        assert expected == await found(store, record)
        assert ([expected], []) == (await store.sessions_of("linked"), await store.sessions_of("user"))
        assert ["there"] == await take_in(store, newer)
        assert [] == await heard(store)

    async def test_what_was_changed_here_stays(self, store: Store, clock: HandClock) -> None:
        """A payload that was changed here is newer than the one elsewhere, though the tokens of elsewhere are."""
        record = waiting_session("a", now=clock())
        await take_in(store, record)
        await store.update(record.session_id, version=0, access_token_payload={"a": 1}, session_data={}, label=None)
        newer = replace(
            record, lineage=replace(record.lineage, generation=1, current=digest("S1"), previous=digest("S0"))
        )

        assert ["renewed"] == await take_in(store, newer)
        kept = replace(newer, version=1, access_token_payload={"a": 1}, session_data={})
        assert kept == await found(store, record)

    async def test_a_session_that_went_on_here_stays(self, store: Store, clock: HandClock) -> None:
        """After the first exchange here, nothing that elsewhere says of the tokens counts, however new it is."""
        record = waiting_session("a", now=clock())
        await take_in(store, record)
        clock.advance(duration(DEBOUNCE))
        rotated = await store.rotate(next_rotation(record))
        theirs = replace(record.lineage, generation=1, current=digest("theirs"), previous=record.lineage.current)

        assert ["there"] == await take_in(store, replace(record, user_id="linked", lineage=theirs))
        assert rotated == await found(store, record)

    async def test_a_session_of_another_store_is_renewed(self, store: Store, clock: HandClock) -> None:
        """Of a session that goes on in another store of ours, the newer generation counts, and the older one never."""
        record = new_session("a", now=clock())
        lineage = replace(
            record.lineage, generation=1, current=digest("S1"), exchanged=issue_id("S0"), acknowledged=False
        )
        newer, used = replace(record, lineage=lineage), replace(record, lineage=replace(lineage, acknowledged=True))
        branch = replace(record, lineage=replace(lineage, acknowledged=True, current=digest("another")))

        outcomes = [await take_in(store, each) for each in (record, newer, record, used, newer, branch)]
        assert [["kept"], ["renewed"], ["there"], ["renewed"], ["there"], ["there"]] == outcomes
        assert used == await found(store, record)

    async def test_claims_that_changed_are_noted(self, store: Store, clock: HandClock) -> None:
        """Tokens that were issued in another store of ours may have older claims: who has one is to fetch another."""
        record = new_session("a", now=clock())
        changed = replace(record, version=1, access_token_payload={"role": "user"})
        await take_in(store, record)
        clock.advance(duration(1_500))

        assert ["renewed"] == await take_in(store, changed)
        assert ["renewed"] == await take_in(store, replace(changed, version=2, label="mine"))
        assert [Notice(record.session_id, "session_stale", clock())] == await heard(store)

    async def test_a_session_lives_as_long_as_anywhere(self, store: Store, clock: HandClock) -> None:
        """The later idle deadline counts, and the later use."""
        record = new_session("a", now=clock(), last_seen_at=5)
        await take_in(store, record)
        idle = record.lineage.idle_expires_at
        later = replace(record, last_seen_at=3, lineage=replace(record.lineage, idle_expires_at=idle + 1))

        assert ["renewed"] == await take_in(store, later)
        assert replace(later, last_seen_at=5) == await found(store, record)
        assert ["there"] == await take_in(store, record)
        clock.advance(duration(idle - clock()))
        assert 0 == await store.delete_expired(limit=9)
        clock.advance(duration(1))
        assert 1 == await store.delete_expired(limit=9)

    async def test_a_session_is_bound_once_wherever_that_is(self, store: Store, clock: HandClock) -> None:
        """A session that was bound elsewhere is bound here from then on; one that has a key keeps it, whatever comes."""
        record = new_session("a", now=clock())
        bound, other = (replace(record, bound_key=bound_key(name)) for name in ("own", "other"))

        outcomes = [await take_in(store, each) for each in (record, bound, other, record)]
        assert [["kept"], ["renewed"], ["there"], ["there"]] == outcomes
        assert bound == await found(store, record)
        assert not await store.bind(record.session_id, bound_key("other"))
        assert await store.rotate(next_rotation(record, debounce=0)) is None
        assert await store.rotate(next_rotation(bound, debounce=0)) is not None

    async def test_what_is_taken_in_is_told(self, store: Store, clock: HandClock) -> None:
        """Each session that is kept is told, and no other."""
        first, second, third = (waiting_session(each, now=clock()) for each in "abc")
        await take_in(store, first, second)
        await store.delete(second.session_id)
        await movable(store).take_in([first, second, third], audit=IMPORTED)

        assert [event(IMPORTED, third, at=clock())] == list(await told(store))

    async def test_taking_in_makes_no_room(self, store: Store, clock: HandClock) -> None:
        """Nothing ends for what is taken in, and it counts from the next sign-in on."""
        records = [waiting_session(each, now=clock()) for each in "abc"]
        await take_in(store, *records)

        assert 3 == len(await store.sessions_of("user"))
        if store.keeps_limits:
            assert REFUSED == await store.insert(new_session("new", now=clock()), limit=Limit(3, refuses=True))

    async def test_a_session_that_was_taken_in_is_one_like_any_other(self, store: Store, clock: HandClock) -> None:
        """It is found by its user and by its identity provider, handed on, ended with all of its user, and cleared away."""
        provider = digest("provider")
        record = waiting_session("a", now=clock() - DEBOUNCE, external_subject=provider)
        other = waiting_session("b", now=clock())
        await take_in(store, record, other)
        rotated = await store.rotate(next_rotation(record))

        assert rotated is not None
        assert not rotated.waits
        assert [rotated] == list(await store.delete_external(provider, limit=9))
        assert [other] == list(await store.delete_sessions_of("user", limit=9))

    async def test_many_take_in_the_same(self, store: Store, clock: HandClock) -> None:
        """Of any number who take in the same sessions at once, in whatever order, one keeps each."""
        records = [waiting_session(f"{n}", now=clock()) for n in range(8)]
        every = await asyncio.gather(*(take_in(store, *records[n:], *records[:n]) for n in range(8)))

        for n, record in enumerate(records):
            outcomes = [outcome[(n - shift) % 8] for shift, outcome in enumerate(every)]
            assert (1, 7) == (outcomes.count("kept"), outcomes.count("there"))
            assert record == await found(store, record)

    async def test_nothing_that_ended_comes_back_by_chance(self, store: Store, clock: HandClock) -> None:
        """While many take in a session, and somebody ends it again and again, it ends once and stays so."""
        record = waiting_session("a", now=clock())

        async def end() -> bool:
            while not await store.delete(record.session_id):  # noqa: ASYNC110 - no event says that another one kept it
                await asyncio.sleep(0)
            return True

        *outcomes, ended = await asyncio.gather(*(take_in(store, record) for _ in range(16)), end())
        assert ended
        assert 1 == outcomes.count(["kept"])
        assert ["ended"] == await take_in(store, record)
        assert not await store.delete(record.session_id)

    async def test_every_digest_is_yielded(self, store: Store, clock: HandClock) -> None:
        """All that is remembered comes: what must not happen twice, and what was taken in."""
        record = waiting_session("a", now=clock(), lineage={"absolute_expires_at": clock() + 9_000}, source=None)
        await take_in(store, record)
        remembered = {digest(f"{n}"): clock() + 1_000 * (n + 1) for n in range(7)}
        for each, until in remembered.items():
            await store.once(each, until=until)
        pages = [page async for page in movable(store).every_remembered(batch=3)]

        expected = {**remembered, mark_of(record.session_id): clock() + 9_000}
        assert expected == dict(each for page in pages for each in page)
        assert all(len(page) <= 3 for page in pages)

    async def test_what_was_remembered_elsewhere_counts(self, store: Store, clock: HandClock) -> None:
        """An id that another store remembered, and that was copied from there, is not taken in: the session has ended."""
        record = waiting_session("a", now=clock())
        await store.once(mark_of(record.session_id), until=LATEST)

        assert ["ended"] == await take_in(store, record)
        assert await found(store, record) is None

    async def test_appended_notices_keep_their_dates(self, store: Store, clock: HandClock) -> None:
        """Notices of another store are in the feed with the dates that they had there, beside those of this one."""
        own = new_session("own", now=clock())
        await store.insert(own)
        clock.advance(duration(5_000))
        await store.delete(own.session_id)
        others = [
            Notice(new_session(f"{n}", now=0).session_id, kind, clock() - 3_000 + n)
            for n, kind in enumerate(get_args(NoticeKind))
        ]
        await movable(store).append_notices([])
        await movable(store).append_notices(others)

        assert [*others, revoked(own, at=clock())] == await heard(store)
        assert others[1:3] == list((await store.notices(after=others[0].at, until=others[2].at)).notices)
