"""What a store promises about a limit of sessions, if it keeps limits: it is never exceeded, and who ends is certain."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace

from fastapi_session.errors import StoreUnavailable
from fastapi_session.insertion import HAS_MOVED, KEPT, REFUSED, Insertion, Limit
from fastapi_session.model import Predecessor, SessionRecord
from fastapi_session.stores.base import Store
from fastapi_session.testing.hand_clock import HandClock
from fastapi_session.testing.notice_contract import heard, revoked, superseded
from fastapi_session.testing.records import duration, full_session, new_session

THREE = Limit(3)
REFUSED_AT_THREE = Limit(3, refuses=True)


async def three_sessions(store: Store, clock: HandClock) -> list[SessionRecord]:
    """Return three sessions of one user that *store* keeps, the one first whose newest refresh token is the oldest."""
    records = [new_session(f"{n}", now=clock() + n) for n in range(3)]
    for record in reversed(records):  # inserted in another order than that of their tokens
        await store.insert(record)
    return records


def ids(records: Iterable[SessionRecord]) -> list[str]:
    """Return the ids of *records*, sorted."""
    return sorted(record.session_id for record in records)


def evicting(*records: SessionRecord) -> Insertion:
    """Return what becomes of an insertion for which *records* end."""
    return Insertion("kept", records)


async def ids_of_user(store: Store) -> list[str]:
    """Return the ids of the user's sessions that live, sorted."""
    return ids(await store.sessions_of("user"))


class LimitContract:
    """The contract of `insert` with a limit. Inherit it beside `StoreContract` for a store whose `keeps_limits` is true."""

    async def test_nothing_ends_below_the_limit(self, store: Store, clock: HandClock) -> None:
        """As long as there is room, sessions are kept and none ends; without a limit, there always is."""
        assert [KEPT] * 3 == [await store.insert(new_session(n, now=clock()), limit=THREE) for n in "abc"]
        assert KEPT == await store.insert(new_session("d", now=clock()))
        assert 4 == len(await store.sessions_of("user"))
        assert [] == await heard(store)

    async def test_the_oldest_makes_room(self, store: Store, clock: HandClock) -> None:
        """At the limit, the session ends whose newest refresh token is the oldest; it is returned whole, and noted."""
        oldest = full_session("oldest", now=clock(), tenant_id="public", actor=None)
        await store.insert(oldest)
        younger = [new_session(f"{n}", now=clock() + 1 + n, created_at=clock() - n) for n in range(2)]
        for record in younger:
            await store.insert(record)
        new = new_session("new", now=clock() + 9)

        assert evicting(oldest) == await store.insert(new, limit=THREE)
        assert ids([*younger, new]) == await ids_of_user(store)
        assert [revoked(oldest, at=clock())] == await heard(store)

    async def test_of_several_oldest_the_smallest_id_ends(self, store: Store, clock: HandClock) -> None:
        """Sessions that are equally old end in the order of their ids."""
        records = sorted((new_session(f"{n}", now=clock()) for n in range(3)), key=lambda each: each.session_id)
        for record in records:
            await store.insert(record)

        assert evicting(records[0]) == await store.insert(new_session("new", now=clock()), limit=THREE)

    async def test_a_lowered_limit_ends_as_many_as_needed(self, store: Store, clock: HandClock) -> None:
        """A limit that is far below what there is counts from the next sign-in on."""
        records = [new_session(f"{n}", now=clock() + n) for n in range(30)]
        for record in records:
            await store.insert(record)
        new = new_session("new", now=clock() + 30)

        kept = await store.insert(new, limit=THREE)

        assert (True, ids(records[:28])) == (kept.is_kept, ids(kept.evicted))
        assert ids([*records[28:], new]) == await ids_of_user(store)
        assert {revoked(record, at=clock()) for record in records[:28]} == set(await heard(store))

    async def test_a_limit_may_refuse(self, store: Store, clock: HandClock) -> None:
        """A limit that refuses ends nothing: the new session is not kept, and what it was to replace stays."""
        records = await three_sessions(store, clock)
        other = new_session("other", now=clock(), user_id="other")
        await store.insert(other)
        new = new_session("new", now=clock())

        assert REFUSED == await store.insert(new, replacing=[other.session_id], limit=REFUSED_AT_THREE)
        assert ids(records) == await ids_of_user(store)
        assert [None, other] == [(await store.get(each.session_id)).record for each in (new, other)]
        assert [] == await heard(store)
        await store.delete(records[0].session_id)
        assert KEPT == await store.insert(new, limit=REFUSED_AT_THREE)

    async def test_named_sessions_end_first(self, store: Store, clock: HandClock) -> None:
        """A session that may end for the new one ends before older ones, and even if the limit refuses."""
        for limit in (Limit(3), Limit(3, refuses=True)):
            records = await three_sessions(store, clock)
            named = Limit(3, refuses=limit.refuses, evict=(records[1].session_id,))

            assert evicting(records[1]) == await store.insert(new_session("new", now=clock() + 9), limit=named)
            assert 3 == len(await store.delete_sessions_of("user", limit=9))

    async def test_named_sessions_stay_if_there_is_room(self, store: Store, clock: HandClock) -> None:
        """What may end does not, if it need not; and if it is not enough, a limit that refuses ends nothing."""
        records = await three_sessions(store, clock)
        named = (records[1].session_id,)

        assert KEPT == await store.insert(new_session("new", now=clock()), limit=Limit(4, refuses=True, evict=named))
        assert REFUSED == await store.insert(new_session("x", now=clock()), limit=Limit(3, refuses=True, evict=named))
        assert 4 == len(await store.sessions_of("user"))

    async def test_nobody_ends_the_session_of_another(self, store: Store, clock: HandClock) -> None:
        """Of others, or of another tenant, no session ends, though it is named, and none counts."""
        others = [
            new_session("1", now=clock(), user_id="other"),
            new_session("2", now=clock(), user_id="user "),
            new_session("3", now=clock(), tenant_id="t1"),
        ]
        for record in others:
            await store.insert(record)
        mine, new = new_session("mine", now=clock()), new_session("new", now=clock() + 1)
        named = Limit(1, evict=tuple(record.session_id for record in others))

        assert KEPT == await store.insert(mine, limit=named)
        assert REFUSED == await store.insert(new, limit=Limit(1, refuses=True, evict=named.evict))
        assert evicting(mine) == await store.insert(new, limit=named)
        assert others == [(await store.get(record.session_id)).record for record in others]

    async def test_expired_sessions_do_not_count(self, store: Store, clock: HandClock) -> None:
        """By the store's clock, at the first of its deadlines a session does not count any more, a millisecond before it does."""
        deadline = clock() + 1_000
        # Of two deadlines the earlier one counts, whichever it is.
        for name, lineage in {
            "idle": {"idle_expires_at": deadline, "absolute_expires_at": deadline + 9},
            "absolute": {"idle_expires_at": deadline + 9, "absolute_expires_at": deadline},
        }.items():
            await store.insert(new_session(name, now=clock(), lineage=lineage))
        new = new_session("new", now=clock())
        clock.advance(duration(999))
        before = await store.insert(new, limit=Limit(2, refuses=True))
        clock.advance(duration(1))

        assert REFUSED == before
        assert KEPT == await store.insert(new, limit=Limit(1, refuses=True))

    async def test_replaced_sessions_do_not_count(self, store: Store, clock: HandClock) -> None:
        """A sign-in over an earlier session needs no room, and that session is superseded, not revoked."""
        records = await three_sessions(store, clock)
        new = new_session("new", now=clock() + 9)

        assert KEPT == await store.insert(new, replacing=[records[1].session_id], limit=REFUSED_AT_THREE)
        assert [superseded(records[1], at=clock())] == await heard(store)

    async def test_impersonations_do_not_count(self, store: Store, clock: HandClock) -> None:
        """The session of somebody who acts as the user takes no room, and does not end for one, though it be the oldest."""
        acting = new_session("acting", now=clock() - 9, actor="staff", actor_session="0" * 32)
        await store.insert(acting)
        records = await three_sessions(store, clock)

        assert evicting(records[0]) == await store.insert(new_session("new", now=clock() + 9), limit=THREE)
        assert acting == (await store.get(acting.session_id)).record

    async def test_a_limit_of_a_kind(self, store: Store, clock: HandClock) -> None:
        """A limit of one kind counts and ends sessions of that kind alone."""
        web = [new_session(f"web{n}", now=clock() + 9 + n, kind="web") for n in range(2)]
        bank = [new_session(f"bank{n}", now=clock() + n, kind="bank") for n in range(2)]
        for record in (*web, *bank):
            await store.insert(record)
        new = new_session("new", now=clock() + 99, kind="web")

        assert evicting(web[0]) == await store.insert(new, limit=Limit(2, kind="web"))
        assert ids([web[1], new, *bank]) == await ids_of_user(store)

    async def test_kinds_that_do_not_count(self, store: Store, clock: HandClock) -> None:
        """Sessions of kinds that a limit does not count take no room, and end for none."""
        kinds = ("machine", "guest", "web", "mobile")
        records = [new_session(kind, now=clock() + n, kind=kind) for n, kind in enumerate(kinds)]
        for record in records:
            await store.insert(record)
        limit = Limit(2, uncounted=frozenset({"machine", "guest"}))

        assert evicting(records[2]) == await store.insert(new_session("new", now=clock() + 9), limit=limit)

    async def test_a_session_that_is_succeeded_does_not_count(self, store: Store, clock: HandClock) -> None:
        """A session that goes on from another needs no room either; if it may not, nothing ends and nothing is said."""
        records = await three_sessions(store, clock)
        new = new_session("new", now=clock() + 9)
        succeeding = Predecessor(records[1].session_id, version=0)

        assert HAS_MOVED == await store.insert(new, succeeding=replace(succeeding, version=1), limit=Limit(1))
        assert REFUSED == await store.insert(new, succeeding=succeeding, limit=Limit(2, refuses=True))
        assert [] == await heard(store)
        assert KEPT == await store.insert(new, succeeding=succeeding, limit=REFUSED_AT_THREE)
        assert [superseded(records[1], at=clock())] == await heard(store)

    async def test_a_limit_that_fails_ends_nothing(self, store: Store, clock: HandClock) -> None:
        """If the new session cannot be kept, nothing ended for it, and nobody hears of anything."""
        records = await three_sessions(store, clock)
        with suppress(StoreUnavailable):
            await store.insert(records[1], replacing=[records[2].session_id], limit=Limit(1))

        assert ids(records) == await ids_of_user(store)
        assert [] == await heard(store)

    async def test_sign_ins_at_once_never_exceed_the_limit(self, store: Store, clock: HandClock) -> None:
        """Of many at once, each is kept and as many end as are too many; a limit that refuses keeps exactly so many."""
        sign_ins = [new_session(f"{n}", now=clock() + n) for n in range(16)]
        kept = await asyncio.gather(*(store.insert(record, limit=THREE) for record in sign_ins))
        living = await ids_of_user(store)

        assert 3 == len(living)
        ended = [record.session_id for each in kept for record in each.evicted]
        assert sorted(record.session_id for record in sign_ins) == sorted([*ended, *living])
        refused = [new_session(f"other{n}", now=clock(), user_id="other") for n in range(16)]
        outcomes = await asyncio.gather(*(store.insert(record, limit=REFUSED_AT_THREE) for record in refused))
        assert (3, 13) == (outcomes.count(KEPT), outcomes.count(REFUSED))
        assert 3 == len(await store.sessions_of("other"))
