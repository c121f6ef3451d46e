"""How long one caller waits for a store: while nobody else asks it, and while 32 others do so all the time."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median, quantiles

from benchmarks.measuring import ratios, spread
from benchmarks.stores import contestants
from benchmarks.stores.contestants import Contestant, Operation, Sessions, Verb, repeated

OTHERS = 32


@dataclass(frozen=True, slots=True)
class Wait:
    """How long a round's waits were: milliseconds from when a task is ready to ask until it has its answer."""

    median: float
    percentile_99: float


async def in_turn(operation: Operation) -> None:
    """Let every other task that is ready go first, as those of a server do when another request comes."""
    await asyncio.sleep(0)
    await operation()


def waiting(verb: Verb, contestant: Contestant, sessions: Sessions, *, others: int) -> Callable[[], Awaitable[Wait]]:
    """Measure how long one task waits each time, while so many *others* do the same as fast as they can."""

    async def measure() -> Wait:
        mine, *theirs = [await verb(contestant, sessions) for _ in range(1 + others)]
        gc.collect()
        end = time.perf_counter() + contestants.SECONDS
        async with asyncio.TaskGroup() as group:
            for each in theirs:
                group.create_task(repeated(partial(in_turn, each), until=end))
            taken = await durations(mine, until=end)
        return Wait(median(taken) * 1e3, quantiles(taken, n=100)[98] * 1e3)

    return measure


async def durations(operation: Operation, *, until: float) -> list[float]:
    """Return how many seconds it took each time, at least twice."""
    taken: list[float] = []
    while len(taken) < 2 or time.perf_counter() < until:
        began = time.perf_counter()
        await in_turn(operation)
        taken.append(time.perf_counter() - began)
    return taken


def print_waits(title: str, waits: Mapping[str, Sequence[Wait]], *, base: str) -> None:
    """Print how long each waits, and how many times as long as *base*."""
    print(f"\n{title:54} {'median':>10} {'spread':>7} {'99 %':>10} {'times':>7} {'of 99 %':>7}")
    medians = {name: [each.median for each in values] for name, values in waits.items()}
    high = {name: [each.percentile_99 for each in values] for name, values in waits.items()}
    for name in waits:
        told = f"{median(medians[name]):10.3f} {spread(medians[name]):7.0%} {median(high[name]):10.3f}"
        times = [median(ratios(figures, name, base)) for figures in (medians, high)]
        print(f"{name:54} {told} {times[0]:7.2f} {times[1]:7.2f}")
