"""Sixty-four sign-ins of one user at the same moment, in two processes, round after round: the limit is never exceeded (R26)."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

import pytest

from fastapi_session.insertion import Limit
from fastapi_session.stores.base import Store
from fastapi_session.testing.records import new_session
from tests.conftest import Place
from tests.reliability.side_by_side import side_by_side
from tests.reliability.worker import SignIn, Task

CLIENTS = 64
LIMIT = 5
ONE = [("public", "default")]
APART = [("public", "web"), ("public", "bank"), ("t1", "web")]

Group = tuple[str, str]


def most_at_once(history: Iterable[SignIn]) -> Mapping[Group, int]:
    """Return of each group how many sessions were there at one moment, at least.

    A session was there for certain from the moment that its sign-in returned until another began, which ended it.
    """
    kept = [each for each in history if each.outcome == "kept"]
    ends = {session_id: each.began for each in kept for session_id in each.evicted}
    steps: dict[Group, list[tuple[float, int]]] = defaultdict(list)
    for each in kept:
        until = ends.get(each.session_id, float("inf"))
        if each.ended < until:
            steps[each.group] += [(each.ended, 1), (until, -1)]
    most = dict[Group, int]()
    for group, moments in steps.items():
        there = 0
        for _, step in sorted(moments):
            there += step
            most[group] = max(most.get(group, 0), there)
    return most


def ended(history: Iterable[SignIn]) -> list[str]:
    """Return the ids of all sessions that were ended for another, as often as somebody was told so."""
    return sorted(session_id for each in history for session_id in each.evicted)


@dataclass
class Watch:
    """Looks at the sessions of the users *groups*, again and again, and remembers the most that there were."""

    store: Store
    groups: Sequence[Group]
    looks: int = 0
    most: int = 0
    user_id: str = ""
    _task: asyncio.Task[None] | None = field(default=None, repr=False)

    async def look(self) -> Counter[Group]:
        """Return how many sessions of the user each group has now."""
        found = await self.store.sessions_of(self.user_id)
        there = Counter((record.tenant_id, record.kind) for record in found)
        self.looks, self.most = self.looks + 1, max([self.most, *there.values()])
        return there

    async def go_on(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(0)


def limit_of(group: Group, groups: Sequence[Group], *, refuses: bool) -> Limit:
    return Limit(LIMIT, kind=group[1] if groups is APART else None, refuses=refuses)


@pytest.mark.parametrize(
    ("groups", "refuses"), [(ONE, False), (ONE, True), (APART, False)], ids=["evict", "refuse", "tenants and kinds"]
)
async def test_the_limit_holds_at_every_moment(
    place: Place, refuses: bool, groups: Sequence[Group], amount: Callable[..., int], figures: Callable[..., None]
) -> None:
    """R26: never a sixth session, exactly five in the end; each that had to go is told of once, or all others were refused."""
    rounds, clients = amount(1, full=500 if groups is ONE else 50), amount(16, full=CLIENTS)
    outcomes: Counter[str] = Counter()
    async with side_by_side(place) as processes:
        watch = Watch(processes.sessions.store, groups)
        for number in range(rounds):
            watch.user_id = f"user {number}"
            tasks = [
                Task(
                    "sign_in",
                    {"user_id": watch.user_id, "group": group, "limit": limit_of(group, groups, refuses=refuses)},
                )
                for group in groups
                for _ in range(clients)
            ]
            watching = asyncio.create_task(watch.go_on())
            history: list[SignIn] = await processes.do(tasks)
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
            outcomes.update(each.outcome for each in history)
            kept = [each.session_id for each in history if each.outcome == "kept"]
            living = [record.session_id for record in await processes.sessions.store.sessions_of(watch.user_id)]
            assert dict.fromkeys(groups, LIMIT) == await watch.look()
            assert sorted(kept) == sorted([*living, *ended(history)])
            assert LIMIT >= max(most_at_once(history).values())
            assert LIMIT >= watch.most

    total = rounds * len(groups)
    expected = {"kept": LIMIT * total, "refused": (clients - LIMIT) * total} if refuses else {"kept": clients * total}
    assert expected == outcomes
    figures(rounds=rounds, looks=watch.looks, most=watch.most, **outcomes)


async def test_one_process(any_place: Place, amount: Callable[..., int], figures: Callable[..., None]) -> None:
    """R26, of all stores alike: sixty-four at once end as many as are too many, or five of them are kept."""
    rounds, clients, store = amount(1, full=500), amount(16, full=CLIENTS), any_place.store()
    await store.open()
    for number in range(rounds):
        for refuses in (False, True):
            user_id = f"{number} {refuses}"
            records = [new_session(f"{user_id} {n}", now=n, user_id=user_id) for n in range(clients)]
            lasting = [replace(record, lineage=replace(record.lineage, idle_expires_at=2**45)) for record in records]
            done = await asyncio.gather(
                *(store.insert(record, limit=Limit(LIMIT, refuses=refuses)) for record in lasting)
            )
            assert LIMIT == len(await store.sessions_of(user_id))
            assert (clients - LIMIT) * (not refuses) == sum(len(each.evicted) for each in done)
            assert (LIMIT if refuses else clients) == sum(each.is_kept for each in done)
    await store.close()
    figures(rounds=rounds)


def test_the_checker_finds_a_sixth() -> None:
    """Six that returned before any of them was ended were there at once, though it was only for a moment."""
    at_once = [SignIn(f"{n}", ONE[0], "kept", (), 0, 1) for n in range(6)]
    late = SignIn("late", ONE[0], "kept", ("0", "1"), 2, 3)

    assert {ONE[0]: 6} == most_at_once([*at_once, late])
    assert {ONE[0]: 5} == most_at_once([*at_once[:5], late])
    assert {ONE[0]: 5, ("t1", "default"): 1} == most_at_once(
        [*at_once[:5], replace(at_once[5], group=("t1", "default"))]
    )
