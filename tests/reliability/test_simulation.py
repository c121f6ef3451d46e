"""Where there is no thief there is no alarm, however many tabs there are, and whatever is lost or late (R4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fastapi_session.core.binding.bound_keys import Possession, device_key, dpop_key
from fastapi_session.sessions import Sessions
from fastapi_session.stores.memory import MemoryStore
from fastapi_session.testing import HandClock
from tests.engines import engine
from tests.reliability.history import THEFT
from tests.reliability.simulation import Habits, simulate

SEED = 4
CYCLES = 8


def worker(clock: HandClock, **options: Any) -> Callable[[], Sessions]:
    """What makes workers that share a store and nothing else."""
    store = MemoryStore(clock=clock)
    return lambda: engine(clock, store=store, **options)


@pytest.mark.parametrize("late", [0, 0.3], ids=["soon", "late"])
@pytest.mark.parametrize("loss", [0, 0.05, 0.2], ids=["0 %", "5 %", "20 %"])
@pytest.mark.parametrize("tabs", [1, 2, 5, 10])
async def test_nobody_is_accused(
    tabs: int, loss: float, late: float, clock: HandClock, amount: Callable[..., int], figures: Callable[..., None]
) -> None:
    """R4: users with so many tabs, of whose messages so many are lost and tried again soon or late: none is sent away."""
    users = amount(10, full=1_000)
    habits = Habits(tabs, loss, late)
    seen = await simulate(worker(clock), habits, clock=clock, users=users, cycles=CYCLES, seed=SEED)

    assert {"answered", "unanswered", "restarts"} >= seen.keys()
    assert users * CYCLES * 0.3 < seen["answered"]
    figures(users=users, **{"theft_alarms": seen[THEFT], **seen})


@pytest.mark.parametrize("bound_key", [device_key("t" * 43), dpop_key("t" * 43)], ids=["DBSC", "DPoP"])
async def test_nobody_who_proves_a_key_is_accused(
    bound_key: str, clock: HandClock, amount: Callable[..., int], figures: Callable[..., None]
) -> None:
    """R4: so it is if sessions are bound, and each refresh proves the key: nobody is sent away."""
    users = amount(10, full=1_000)
    seen = await simulate(
        worker(clock),
        Habits(tabs=5, loss=0.2, late=0.3),
        clock=clock,
        users=users,
        cycles=CYCLES,
        seed=SEED,
        possession=Possession(bound_key),
    )

    assert {"answered", "unanswered", "restarts"} >= seen.keys()
    assert users * CYCLES * 0.3 < seen["answered"]
    figures(users=users, **{"theft_alarms": seen[THEFT], **seen})


async def test_the_simulation_can_alarm(clock: HandClock) -> None:
    """The same life without a grace period is full of alarms: the calm is the rotation's merit, not the simulation's."""
    strict = worker(clock, refresh_token_rotation_grace_period=0, lost_response_recovery=False)
    seen = await simulate(strict, Habits(tabs=2, loss=0.05, late=0.3), clock=clock, users=20, cycles=2, seed=SEED)

    assert seen[THEFT] > 10
