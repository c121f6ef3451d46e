"""This build beside an earlier one of the repository, by its commit: what each takes of the same work, in turns.

    python -m benchmarks.against COMMIT [store ...] [--rounds 7]

The earlier package is taken out of git into a temporary folder. Each build has a process of its own in the same environment, and a
new database of its own on the same server. Both are measured by this checkout's code, row by row and round by round: the
package in the working directory counts as it stands, committed or not.

A store alone, its database check over uvicorn, and once, without a server: verifying, creating and refreshing with tokens, and
what the caches keep of a token. CPU is that of the process, the database's is not in it. A store is named by a part of its name.
"""

from __future__ import annotations

import logging
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks.against.builds import ROOT, measuring, taken_out
from benchmarks.against.workloads import WORKLOADS, workloads_of
from benchmarks.databases import DATABASES, NewDatabase, chosen
from benchmarks.measuring import interleaved, ratios, run, spread

BEFORE, NOW = "before", "now"


async def compare(
    name: str, workload: str, new_database: NewDatabase, *, builds: Mapping[str, Path], rounds: int
) -> None:
    """Measure a *workload* of both *builds* with the store called *name*, and print its rows."""
    async with AsyncExitStack() as stack:
        processes = {
            called: await stack.enter_async_context(
                measuring(folder, workload, await new_database(f"{called}_{workload}"))
            )
            for called, folder in builds.items()
        }
        for row in processes[NOW].rows:
            measures = {called: partial(build.measure, row) for called, build in processes.items()}
            figures = await interleaved(measures, rounds=1 if WORKLOADS[workload].steady else rounds)
            print_row(f"{name}: {row}", figures)


def print_row(row: str, figures: Mapping[str, Sequence[Mapping[str, float]]]) -> None:
    """Print for each unit what either build has, and how many times as much it is now."""
    for unit in figures[NOW][0]:
        of_unit = {called: [each[unit] for each in values] for called, values in figures.items()}
        times = ratios(of_unit, NOW, BEFORE)
        columns = (
            f"{median(of_unit[BEFORE]):10.1f} {median(of_unit[NOW]):10.1f} {median(times):7.2f} {spread(times):7.0%}"
        )
        print(f"{row:62} {unit:8} {columns}", flush=True)


async def main() -> None:
    """Compare with the commit that the command line names."""
    parser = ArgumentParser(prog="python -m benchmarks.against")
    parser.add_argument("commit", help="the earlier build")
    parser.add_argument("stores", nargs="*", help="parts of their names; all of them by default")
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    logging.disable()
    with taken_out(arguments.commit) as folder:
        stores = chosen(arguments.stores)
        print(f"\n{f'beside {arguments.commit}':62} {'':8} {BEFORE:>10} {NOW:>10} {'times':>7} {'spread':>7}")
        for name in stores:
            with DATABASES[name]() as new_database:
                for workload in workloads_of(name):
                    builds = {BEFORE: folder, NOW: ROOT}
                    await compare(name, workload, new_database, builds=builds, rounds=arguments.rounds)


if __name__ == "__main__":
    run(main())
