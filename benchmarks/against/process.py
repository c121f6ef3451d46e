"""The process that measures one build: `benchmarks.against` starts it for each, and has them measure by turns.

    python -m benchmarks.against.process FOLDER WORKLOAD URL

It prints the names of the workload's rows as JSON, and then, for each row whose name it reads, a figure for each unit. It ends with its
input. The package is that in FOLDER.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from pathlib import Path

import fastapi_session
from benchmarks.against.workloads import WORKLOADS


def say(line: object) -> None:
    """Print *line*, as JSON."""
    print(json.dumps(line), flush=True)


async def main(folder: str, workload: str, url: str) -> None:
    """Measure what is asked for. Raises RuntimeError if another package than that in *folder* was imported."""
    imported = Path(fastapi_session.__path__[0])
    if not imported.parent.samefile(folder):
        raise RuntimeError(f"the build in {folder} is to be measured, but {imported} was imported")
    logging.disable()
    async with WORKLOADS[workload].open(url) as measures:
        say(list(measures))
        # In a thread, so that what the store does in the background goes on.
        while row := (await asyncio.to_thread(sys.stdin.readline)).strip():
            say(await measures[row]())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
