"""How often a second each store creates and refreshes sessions, one at a time and 32 at once.

    python -m benchmarks.stores [rounds]

Without tokens: the store alone. Each is measured beside the bare statement of its driver (an INSERT, an UPDATE by the key),
and SQL beside a transaction: an INSERT, or the usual SELECT, comparison and UPDATE. CPU is that of the calling
process. PostgreSQL and Valkey come from their wheels; MariaDB is measured if it is installed. PostgreSQL flushes each commit, the others a little
later.
"""

from __future__ import annotations

import asyncio
import logging

from benchmarks.measuring import interleaved, print_rates, print_ratios, rounds
from benchmarks.stores.arenas import BARE, OURS, Contestants, arenas
from benchmarks.stores.contestants import Sessions, creating, refreshing

TASKS = (1, 32)


async def measure(arena: str, contestants: Contestants) -> None:
    """Print a table for each verb and number of tasks."""
    sessions = Sessions()
    for verb, measured in (("create", creating), ("refresh", refreshing)):
        for tasks in TASKS:
            measures = {name: measured(each, sessions, tasks=tasks) for name, each in contestants.items()}
            paces = await interleaved(measures, rounds=rounds(7))
            figures = {name: [each.a_second for each in values] for name, values in paces.items()}
            cpu = {name: [each.cpu_microseconds for each in values] for name, values in paces.items()}
            print_rates(f"{arena}: {verb}, {tasks} at once, a second", figures, base=BARE, cpu=cpu)
            print_ratios(figures, OURS, [name for name in contestants if name not in {BARE, OURS}])


async def main() -> None:
    """Measure every store whose server is installed."""
    logging.disable()
    for name, arena in arenas().items():
        if arena is None:
            print(f"\n{name}: not installed")
            continue
        async with arena() as contestants:
            await measure(name, contestants)


if __name__ == "__main__":
    asyncio.run(main())
