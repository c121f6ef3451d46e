"""Candidates measured side by side: in turn, round by round, so that whatever disturbs the machine disturbs all of them alike.

Figures are medians of rounds. A ratio is the median of the ratios within each round, and the spread is the distance of the
quartiles as a fraction of the median.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any, TypeVar

T = TypeVar("T")

Figures = Mapping[str, Sequence[float]]
"""The figures of every round, by candidate."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How often a second it was done, and the CPU time that each took of the process that did it; no other's is in it."""

    a_second: float
    cpu_microseconds: float


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run *main*. SIGTERM cancels it, so that no server is left running then, and no folder is left behind."""

    async def until_terminated() -> None:
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        await main

    with suppress(asyncio.CancelledError):
        asyncio.run(until_terminated())


def rounds(otherwise: int) -> int:
    """Return how many rounds the command line asks for."""
    return int(sys.argv[1]) if len(sys.argv) > 1 else otherwise


async def interleaved(candidates: Mapping[str, Callable[[], Awaitable[T]]], *, rounds: int) -> dict[str, list[T]]:
    """Return what each candidate measures, in turn, *rounds* times, after one round that does not count.

    Every second round goes through them backwards, so that none always follows the same one.
    """
    figures: dict[str, list[T]] = {name: [] for name in candidates}
    for name in candidates:
        await candidates[name]()
    for number in range(rounds):
        for name in list(candidates)[:: -1 if number % 2 else 1]:
            figures[name].append(await candidates[name]())
    return figures


def ratios(figures: Figures, name: str, base: str) -> list[float]:
    """Return the ratio of *name* to *base*, round by round."""
    return [one / other for one, other in zip(figures[name], figures[base], strict=True)]


def spread(values: Sequence[float]) -> float:
    """Return the distance of the quartiles as a fraction of the median."""
    if len(values) == 1:
        return 0.0
    lower, _, upper = quantiles(values, n=4, method="inclusive")
    return (upper - lower) / median(values)


def print_costs(title: str, figures: Figures, *, base: str, digits: int = 1) -> None:
    """Print what each costs, how much that is over *base*, and how fast it is when *base* is 1.

    The least is that of the calmest round: on a busy machine it is nearest to the cost of the work itself.
    """
    print(f"\n{title:54} {'median':>10} {'spread':>7} {'over':>10} {'speed':>7} {'least':>10}")
    for name, values in figures.items():
        over = median(values) - median(figures[base])
        speed = median(ratios(figures, base, name))
        told = f"{median(values):10.{digits}f} {spread(values):7.0%} {over:10.{digits}f} {speed:7.2f}"
        print(f"{name:54} {told} {min(values):10.{digits}f}")


def print_rates(title: str, figures: Figures, *, base: str, cpu: Figures | None = None) -> None:
    """Print how often a second each does it, and how many times as often as *base*; with *cpu*, what each took of it."""
    print(f"\n{title:54} {'median':>10} {'spread':>7} {'CPU us' if cpu else '':>10} {'speed':>7}")
    for name, values in figures.items():
        taken = f"{median(cpu[name]):.1f}" if cpu else ""
        speed = median(ratios(figures, name, base))
        print(f"{name:54} {median(values):10.0f} {spread(values):7.0%} {taken:>10} {speed:7.2f}")


def print_sizes(title: str, figures: Figures, *, base: str) -> None:
    """Print how large each is, and how many times as large as *base*."""
    print(f"\n{title:54} {'median':>10} {'spread':>7} {'':10} {'times':>7}")
    for name, values in figures.items():
        times = median(ratios(figures, name, base))
        print(f"{name:54} {median(values):10.0f} {spread(values):7.0%} {'':10} {times:7.2f}")


def print_ratios(figures: Figures, name: str, others: Iterable[str]) -> None:
    """Print how many times as often as each of *others* *name* does it."""
    for other in others:
        print(f"{name} / {other}: {median(ratios(figures, name, other)):.2f}")
