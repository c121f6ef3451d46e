"""What a store promises that keeps events."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, replace

import pytest

from fastapi_session.audit import Audit, EventQuery, EventRecord, InsertionAudit
from fastapi_session.errors import StoreUnavailable
from fastapi_session.insertion import Limit
from fastapi_session.model import Predecessor, SessionRecord
from fastapi_session.stores.base import EventStore, Store
from fastapi_session.testing.hand_clock import HandClock
from fastapi_session.testing.records import (
    DEBOUNCE,
    IDLE_TIMEOUT,
    bound_key,
    duration,
    full_session,
    new_session,
    next_rotation,
)

MINUTE = 60_000
"""Milliseconds for which a store may hold back what it has written."""

ENDED = Audit("c" * 32, "SessionRevoked", {"reason": "all", "by": {"user_id": "ü", "handle": None}})
BEGINNING = InsertionAudit(
    began=Audit("b" * 32, "SessionCreated", {"replaced": ["a"]}),
    superseded=Audit("b" * 32, "SessionRevoked", {"reason": "superseded"}),
    evicted=Audit("b" * 32, "SessionRevoked", {"reason": "limit"}),
)
BOUND = Audit("e" * 32, "DeviceBound", {"circumstances": {"ip_address": "192.0.2.1"}})
REFRESHED = Audit("d" * 32, "SessionRefreshed", {"is_rotated": True})


def event(audit: Audit, record: SessionRecord, *, at: int) -> EventRecord:
    """Return the event of *audit* about the session of *record*, *at* a moment (milliseconds)."""
    whose = (record.session_id, record.tenant_id, record.user_id, record.kind)
    actor = record.acted_by
    body = audit.body if actor is None else {**audit.body, "actor": asdict(actor)}
    return EventRecord(audit.event_id(record.session_id), at, audit.name, *whose, body)


async def told(store: Store, **query: object) -> Sequence[EventRecord]:
    """Return all events of *store*, oldest first, also those that it holds back for readers that go on."""
    assert isinstance(store, EventStore)
    asked = replace(EventQuery(limit=1_000, newest_first=True), **query)  # type: ignore[arg-type]
    return (await store.events(asked)).events[::-1]


class EventContract:
    """The contract of `EventStore`, and of what the other verbs do with an *audit*: beside `StoreContract`, for a store that audits.

    It has the same fixtures.
    """

    async def test_a_new_session_is_told(self, store: Store, clock: HandClock) -> None:
        """A session that begins is told, with what the row says of it; one that could not be kept is not."""
        record = full_session("a", now=clock())
        await store.insert(record, audit=BEGINNING)
        with suppress(StoreUnavailable):
            await store.insert(record, audit=BEGINNING)

        assert [event(BEGINNING.began, record, at=clock())] == list(await told(store))

    async def test_superseded_sessions_are_told(self, store: Store, clock: HandClock) -> None:
        """Each session whose place another one takes is told if it was there, whosever it is, before or after the new one."""
        first, second, third, gone = (new_session(each, now=clock(), user_id=each) for each in "abcd")
        for record in (first, second):
            await store.insert(record)
        succeeding = Predecessor(second.session_id, version=0)
        await store.insert(third, replacing=[first.session_id, gone.session_id], succeeding=succeeding, audit=BEGINNING)

        superseded = [event(BEGINNING.superseded, each, at=clock()) for each in (first, second)]
        expected = [*superseded, event(BEGINNING.began, third, at=clock())]
        assert sorted(each.event_id for each in expected) == sorted(each.event_id for each in await told(store))

    async def test_evicted_sessions_are_told(self, store: Store, clock: HandClock) -> None:
        """A session that makes room for another one is told as what it is, if the store keeps limits."""
        first, second = new_session("a", now=clock()), new_session("b", now=clock())
        await store.insert(first)
        if store.keeps_limits:
            await store.insert(second, limit=Limit(1), audit=BEGINNING)

        evicted, began = event(BEGINNING.evicted, first, at=clock()), event(BEGINNING.began, second, at=clock())
        expected = {evicted.event_id: evicted, began.event_id: began} if store.keeps_limits else {}
        assert expected == {each.event_id: each for each in await told(store)}

    async def test_an_insertion_that_writes_nothing_tells_nothing(self, store: Store, clock: HandClock) -> None:
        """If the session that was to be succeeded has moved, nothing at all is told."""
        first, second = (new_session(each, now=clock()) for each in "ab")
        await store.insert(first)
        await store.insert(second, succeeding=Predecessor(first.session_id, version=1), audit=BEGINNING)

        assert [] == [each for each in await told(store) if each.session_id == first.session_id]

    async def test_a_deleted_session_is_told(self, store: Store, clock: HandClock) -> None:
        """The event of a session that was deleted is there, once, with what the row says of it and the store's moment."""
        record = full_session("a", now=clock())
        await store.insert(record)
        clock.advance(duration(1_500))
        for _ in range(2):
            await store.delete(record.session_id, audit=ENDED)

        assert [event(ENDED, record, at=clock())] == list(await told(store))

    async def test_a_conditional_delete_is_told_if_it_deletes(self, store: Store, clock: HandClock) -> None:
        """A session that has moved on is neither deleted nor told, one that has not is both."""
        record = new_session("a", now=clock())
        await store.insert(record)

        await store.delete(record.session_id, expected=replace(record.lineage, generation=1), audit=ENDED)
        assert [] == list(await told(store))
        await store.delete(record.session_id, expected=record.lineage, audit=ENDED)
        assert [event(ENDED, record, at=clock())] == list(await told(store))

    async def test_every_session_of_a_user_is_told(self, store: Store, clock: HandClock) -> None:
        """Of a user whose sessions are deleted together each has an event with an id of its own, and nobody else's has one."""
        records = [new_session(f"{n}", now=clock(), kind=f"kind{n}") for n in range(3)]
        for record in [*records, new_session("other", now=clock(), user_id="other")]:
            await store.insert(record)
        await store.delete_sessions_of("user", limit=2, audit=ENDED)
        assert 2 == len(await told(store))
        await store.delete_sessions_of("user", limit=2, audit=ENDED)

        found = await told(store)
        assert {event(ENDED, each, at=clock()).event_id for each in records} == {each.event_id for each in found}
        assert {each.kind for each in records} == {each.kind for each in found}

    async def test_expired_sessions_are_told(self, store: Store, clock: HandClock) -> None:
        """What is cleared away after its deadline is told, and what has not expired is not."""
        expired, alive = new_session("a", now=clock()), new_session("b", now=clock() + IDLE_TIMEOUT)
        for record in (expired, alive):
            await store.insert(record)
        clock.advance(duration(IDLE_TIMEOUT))

        assert 1 == await store.delete_expired(limit=10, audit=ENDED)
        assert [event(ENDED, expired, at=clock())] == list(await told(store))

    async def test_a_rotation_is_told_if_it_applies(self, store: Store, clock: HandClock) -> None:
        """The session that was handed on is told, once."""
        record = new_session("a", now=clock())
        await store.insert(record)
        clock.advance(duration(DEBOUNCE))
        rotated = [await store.rotate(next_rotation(record), audit=REFRESHED) for _ in range(2)]

        assert [True, False] == [each is not None for each in rotated]
        assert [event(REFRESHED, record, at=clock())] == list(await told(store))

    async def test_a_replacement_is_told_if_it_writes(self, store: Store, clock: HandClock) -> None:
        """A lineage that was written is told, one that was not is not."""
        record = new_session("a", now=clock())
        await store.insert(record)
        later = replace(record.lineage, generation=1)
        wrote = [
            await store.replace(record.session_id, expected=record.lineage, lineage=later, audit=REFRESHED)
            for _ in range(2)
        ]

        assert [True, False] == wrote
        assert [event(REFRESHED, record, at=clock())] == list(await told(store))

    async def test_a_binding_is_told_if_it_binds(self, store: Store, clock: HandClock) -> None:
        """A session that was bound is told, once; one that has a key, has expired or is not there is not."""
        record, expired = full_session("a", now=clock(), bound_key=None), new_session("b", now=clock() - IDLE_TIMEOUT)
        for each in (record, expired):
            await store.insert(each)
        ids = record.session_id, record.session_id, expired.session_id, "0" * 32
        bound = [await store.bind(each, bound_key("own"), audit=BOUND) for each in ids]

        assert [True, False, False, False] == bound
        assert [event(BOUND, record, at=clock())] == list(await told(store))

    async def test_of_many_bindings_one_is_told(self, store: Store, clock: HandClock) -> None:
        """Of many who bind a session at once, the event of the one that did is there."""
        record = new_session("a", now=clock())
        await store.insert(record)
        audits = [replace(BOUND, body={"task": n}) for n in range(8)]
        bound = await asyncio.gather(
            *(store.bind(record.session_id, bound_key(f"task {n}"), audit=audit) for n, audit in enumerate(audits))
        )

        assert 1 == sum(bound)
        assert [event(audits[bound.index(True)], record, at=clock())] == list(await told(store))

    async def test_a_rotation_without_the_key_tells_nothing(self, store: Store, clock: HandClock) -> None:
        """A session that is bound is told to have moved on only if its key was proved."""
        record = new_session("a", now=clock(), bound_key=bound_key("own"))
        await store.insert(record)
        rotations = [next_rotation(record, debounce=0, proved=key) for key in (None, bound_key("other"))]

        assert [None, None] == [await store.rotate(each, audit=REFRESHED) for each in rotations]
        assert [] == list(await told(store))
        assert await store.rotate(next_rotation(record, debounce=0), audit=REFRESHED) is not None
        assert [event(REFRESHED, record, at=clock())] == list(await told(store))

    async def test_nothing_is_told_unasked(self, store: Store, clock: HandClock) -> None:
        """Without an audit no verb writes an event."""
        for record in [new_session(f"{n}", now=clock()) for n in range(3)]:
            await store.insert(record)
        clock.advance(duration(DEBOUNCE))
        await store.rotate(next_rotation(record))
        await store.bind(record.session_id, bound_key("own"))
        await store.delete(record.session_id)
        await store.delete_sessions_of("user", limit=1)
        clock.advance(duration(IDLE_TIMEOUT))
        await store.delete_expired(limit=10)

        assert [] == list(await told(store))

    async def test_events_are_read_in_pages(self, store: Store, clock: HandClock) -> None:
        """Readings that go on from place to place return each event once, in the order of writing, or newest first."""
        assert isinstance(store, EventStore)
        records = [new_session(f"{n}", now=clock()) for n in range(5)]
        for record in records:
            await store.insert(record)
            await store.delete(record.session_id, audit=ENDED)
            clock.advance(duration(1_000))
        clock.advance(duration(MINUTE))

        for newest_first in (False, True):
            expected = [each.session_id for each in (records[::-1] if newest_first else records)]
            pages, place = list[list[str]](), None
            for _ in range(4):
                reading = await store.events(EventQuery(limit=2, after=place, newest_first=newest_first))
                pages.append([each.session_id for each in reading.events])
                place = reading.place
            assert [expected[:2], expected[2:4], expected[4:], []] == pages

        # A reader that is done goes on from there when more has happened.
        await store.insert(records[0])
        end = (await store.events(EventQuery(limit=9))).place
        await store.delete(records[0].session_id, audit=ENDED)
        clock.advance(duration(2 * MINUTE))
        later = await store.events(EventQuery(limit=9, after=end))
        assert [records[0].session_id] == [each.session_id for each in later.events]

    @pytest.mark.parametrize(("tenant_id", "names"), [(None, "ab"), ("public", "a"), ("t1", "b"), ("t2", "")])
    async def test_the_events_of_a_user(
        self, tenant_id: str | None, names: str, store: Store, clock: HandClock
    ) -> None:
        """Of a user, and of a tenant if one is given, nobody else's events are returned."""
        records = {
            "a": new_session("a", now=clock()),
            "b": new_session("b", now=clock(), tenant_id="t1"),
            "c": new_session("c", now=clock(), user_id="user2"),
            "d": new_session("d", now=clock(), user_id="use"),
        }
        for record in records.values():
            await store.insert(record)
            await store.delete(record.session_id, audit=ENDED)
            clock.advance(duration(1))

        found = await told(store, user_id="user", tenant_id=tenant_id)
        assert [records[name].session_id for name in names] == [each.session_id for each in found]

    async def test_old_events_are_deleted_in_batches(self, store: Store, clock: HandClock) -> None:
        """Events up to a moment are deleted, at most so many at once, and younger ones stay, also for their user."""
        assert isinstance(store, EventStore)
        records = [new_session(f"{n}", now=clock()) for n in range(4)]
        for record in records:
            if record == records[3]:
                clock.advance(duration(1))
            await store.insert(record)
            await store.delete(record.session_id, audit=ENDED)

        assert [2, 1, 0] == [await store.delete_events(until=clock() - 1, limit=2) for _ in range(3)]
        assert [records[3].session_id] == [each.session_id for each in await told(store)]
        assert [records[3].session_id] == [each.session_id for each in await told(store, user_id="user")]

    @pytest.mark.parametrize("place", ["", "a", "1.5", "-1", "[]", "9" * 99, "1 OR 1"])
    async def test_a_place_that_is_none(self, place: str, store: Store) -> None:
        """A reading that is to go on after anything else raises ValueError."""
        assert isinstance(store, EventStore)
        with pytest.raises(ValueError, match=r"place"):
            await store.events(EventQuery(limit=1, after=place))
