"""How often a second each store creates, refreshes and reads sessions, one at a time and 32 at once, and how long one waits.

    python -m benchmarks.stores [store ...] [--tasks 1 32] [--rounds 7]

Without tokens: the store alone. Each is measured beside the bare statement of its driver (an INSERT, an UPDATE or a SELECT by the
key), and SQL beside a transaction: an INSERT, or the usual SELECT, comparison and UPDATE. CPU is that of the calling
process. Then the store's refresh and its read, as one caller sees them who waits for each answer: alone, and while 32 others do
the same. A store is named by a part of its name, as in `postgres`. PostgreSQL and Valkey come from their wheels; MariaDB is
measured if it is installed. PostgreSQL flushes each commit, the others a little later.
"""

from __future__ import annotations

import logging
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.databases import chosen
from benchmarks.measuring import interleaved, print_rates, print_ratios, run
from benchmarks.stores.arenas import ARENAS, BARE, OURS, Contestants
from benchmarks.stores.contestants import Sessions, Verb, create, get, paced, refresh
from benchmarks.stores.latency import OTHERS, print_waits, waiting

VERBS: Mapping[str, Verb] = {"create": create, "refresh": refresh, "get": get}
WAITED: Mapping[str, Verb] = {"refresh": refresh, "get": get}


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line asks for."""

    stores: Sequence[str]
    tasks: Sequence[int]
    rounds: int


def asked() -> Asked:
    """Read the command line."""
    parser = ArgumentParser(prog="python -m benchmarks.stores")
    parser.add_argument("stores", nargs="*", help="parts of their names; all of them by default")
    parser.add_argument("--tasks", nargs="+", type=int, default=[1, 32], help="how many ask at once")
    parser.add_argument("--rounds", type=int, default=7)
    return Asked(**vars(parser.parse_args()))


async def measure_rates(arena: str, contestants: Contestants, sessions: Sessions, *, by: Asked) -> None:
    """Print a table for each verb and number of tasks."""
    for verb, does in VERBS.items():
        for number in by.tasks:
            measures = {name: paced(does, each, sessions, tasks=number) for name, each in contestants.items()}
            paces = await interleaved(measures, rounds=by.rounds)
            figures = {name: [each.a_second for each in values] for name, values in paces.items()}
            cpu = {name: [each.cpu_microseconds for each in values] for name, values in paces.items()}
            print_rates(f"{arena}: {verb}, {number} at once, a second", figures, base=BARE, cpu=cpu)
            print_ratios(figures, OURS, [name for name in contestants if name not in {BARE, OURS}])


async def measure_waits(arena: str, contestants: Contestants, sessions: Sessions, *, by: Asked) -> None:
    """Print how long one caller of the store waits, and of the bare statement."""
    for verb, does in WAITED.items():
        for others in (0, OTHERS):
            measures = {name: waiting(does, contestants[name], sessions, others=others) for name in (BARE, OURS)}
            waits = await interleaved(measures, rounds=by.rounds)
            beside = f"beside {others} others" if others else "alone"
            print_waits(f"{arena}: {verb}, {beside}, milliseconds", waits, base=BARE)


async def main() -> None:
    """Measure the stores that the command line names."""
    by = asked()
    logging.disable()
    for name in chosen(by.stores):
        async with ARENAS[name]() as contestants:
            sessions = Sessions()
            await measure_rates(name, contestants, sessions, by=by)
            await measure_waits(name, contestants, sessions, by=by)


if __name__ == "__main__":
    run(main())
