"""How often a second each store creates and refreshes sessions, with one task and with 32.

    python -m benchmarks.stores [rounds]

Without tokens: the store alone. Each is measured beside the bare statement of its driver (an INSERT, an UPDATE by the key),
and a SQL database beside the transaction that selects, compares and updates. PostgreSQL and Valkey come from their wheels,
MariaDB where it is installed. PostgreSQL flushes each commit, MariaDB, Valkey and SQLite a little later.
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
            figures = await interleaved(measures, rounds=rounds(7))
            print_rates(f"{arena}: {verb}, {tasks} at once, a second", figures, base=BARE)
            print_ratios(figures, OURS, [name for name in contestants if name not in {BARE, OURS}])


async def main() -> None:
    """Measure every store whose server is there."""
    logging.disable()
    for name, arena in arenas().items():
        if arena is None:
            print(f"\n{name}: not installed")
            continue
        async with arena() as contestants:
            await measure(name, contestants)


if __name__ == "__main__":
    asyncio.run(main())
