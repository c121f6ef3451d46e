"""Two who hold one session, and both go on: whoever refreshes first, the second is found within a few lifetimes (R23)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from random import Random

import pytest

from fastapi_session.core.binding.bound_keys import Possession, device_key
from fastapi_session.engine.tokens.issuing import IssuedSession
from fastapi_session.errors import TokenTheftError
from fastapi_session.sessions import Sessions
from fastapi_session.stores.memory import MemoryStore
from fastapi_session.testing import HandClock
from tests.engines import engine, refresh_token_of

SEED = 23
LIFE = 3_600.0
"""Seconds that an access token lives, less a random tenth."""


@dataclass
class Couple:
    """An owner who is always there, and a thief who copied his tokens once and is told of each of his refreshes.

    If the session is bound by a browser, both have its credential, though the thief would not have it for long.
    """

    workers: list[Sessions]
    clock: HandClock
    luck: Random
    owner: IssuedSession
    thief: IssuedSession
    possession: Possession | None

    def wait(self, seconds: float) -> None:
        self.clock.advance(timedelta(seconds=seconds))

    async def refreshed(self, held: IssuedSession) -> IssuedSession:
        """Present the refresh token of *held*, to any worker."""
        return await self.luck.choice(self.workers).refresh(refresh_token_of(held), possession=self.possession)

    async def use(self, held: IssuedSession) -> None:
        """Ask for something with the access token of *held*, and let the store hear of it."""
        worker = self.luck.choice(self.workers)
        await worker.verify(held.tokens.access_token)
        await worker._parts.background.finish()

    async def owner_comes(self) -> None:
        self.owner = await self.refreshed(self.owner)
        self.wait(0.3)
        await self.use(self.owner)

    async def nearly_a_life(self) -> None:
        """Wait until shortly before the access tokens end."""
        self.wait(LIFE * self.luck.uniform(0.9, 1) - 120)


async def comes_first(couple: Couple, _cycle: int) -> None:
    """The thief refreshes, holds back until the owner has recovered, and uses what he has."""
    held = await couple.refreshed(couple.thief)
    couple.wait(couple.luck.uniform(31, 110))
    await couple.owner_comes()
    couple.wait(2)
    await couple.use(held)
    couple.thief = held


async def comes_first_and_joins(couple: Couple, _cycle: int) -> None:
    """The same, but after the owner he refreshes once more."""
    held = await couple.refreshed(couple.thief)
    couple.wait(couple.luck.uniform(31, 110))
    await couple.owner_comes()
    couple.wait(couple.luck.uniform(1, 25))
    couple.thief = await couple.refreshed(held)
    await couple.use(couple.thief)


async def follows(couple: Couple, _cycle: int) -> None:
    """The thief refreshes within the grace period after the owner."""
    await couple.owner_comes()
    couple.wait(couple.luck.uniform(1, 25))
    couple.thief = await couple.refreshed(couple.thief)
    await couple.use(couple.thief)


async def races(couple: Couple, _cycle: int) -> None:
    """The thief comes first, and again between the owner's refresh and the owner's first use, and uses that."""
    held = await couple.refreshed(couple.thief)
    couple.wait(couple.luck.uniform(31, 110))
    couple.owner = await couple.refreshed(couple.owner)
    couple.thief = await couple.refreshed(held)
    await couple.use(couple.thief)
    couple.wait(0.3)
    await couple.use(couple.owner)


async def alternates(couple: Couple, cycle: int) -> None:
    """First in one lifetime, behind the owner in the next."""
    await (follows if cycle % 2 else comes_first)(couple, cycle)


Strategy = Callable[[Couple, int], Awaitable[None]]
CYCLES_AT_MOST: dict[Strategy, int] = {
    comes_first: 2,
    comes_first_and_joins: 2,
    follows: 4,
    races: 4,
    alternates: 3,
}
"""How many lifetimes each way of stealing lasts at most."""


async def found_in(couple: Couple, strategy: Strategy, *, cycles: int) -> tuple[int, str]:
    """Return in which lifetime the couple is parted, and by what; 0 if in none of *cycles*."""
    for cycle in range(1, cycles + 1):
        await couple.nearly_a_life()
        try:
            await strategy(couple, cycle)
        except TokenTheftError as error:
            return cycle, error.reason
    return 0, "undetected"


@pytest.mark.parametrize("bound_key", [None, device_key("b" * 43)], ids=["not bound", "credential copied"])
@pytest.mark.parametrize("strategy", CYCLES_AT_MOST, ids=lambda strategy: strategy.__name__)
async def test_two_holders_are_parted(
    strategy: Strategy,
    bound_key: str | None,
    clock: HandClock,
    amount: Callable[..., int],
    figures: Callable[..., None],
) -> None:
    """R23: every thief who goes on is found, and the session is over for both."""
    luck, store = Random(SEED), MemoryStore(clock=clock)
    workers = [engine(clock, store=store) for _ in range(2)]
    possession = None if bound_key is None else Possession(bound_key)
    lasted: Counter[int] = Counter()
    why: Counter[str] = Counter()
    for number in range(amount(20, full=2_000)):
        copied = await workers[0].create(f"user-{number}", bound_key=bound_key)
        couple = Couple(workers, clock, luck, owner=copied, thief=copied, possession=possession)
        cycles, reason = await found_in(couple, strategy, cycles=24)
        lasted[cycles] += 1
        why[reason] += 1
        assert (await store.get(copied.access_token.session_handle)).record is None
    figures(strategy=strategy.__name__, lifetimes=dict(sorted(lasted.items())), why=dict(why))

    assert 0 < min(lasted)
    assert max(lasted) <= CYCLES_AT_MOST[strategy]
