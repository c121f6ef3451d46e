"""Two builds of the package, and a process of each that measures when it is asked."""

from __future__ import annotations

import asyncio
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from asyncio import StreamReader, StreamWriter
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PACKAGE = "fastapi_session"


@contextmanager
def taken_out(commit: str) -> Iterator[Path]:
    """Yield a temporary folder with the package as it was at *commit*. Raises SystemExit if this clone has no such commit."""
    done = subprocess.run(
        ["git", "-C", ROOT, "archive", "--format=tar", commit, PACKAGE], capture_output=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{commit}: git has no such build here: {done.stderr.decode().strip()}")
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
            archive.extractall(folder, filter="data")
        yield Path(folder)


@dataclass(frozen=True, slots=True)
class Build:
    """A process that measures one build."""

    rows: Sequence[str]
    _process: Process

    async def measure(self, row: str) -> Mapping[str, float]:
        """Let it measure *row* once, and return a figure for each unit."""
        written, _ = pipes(self._process)
        written.write(f"{row}\n".encode())
        figure: Mapping[str, float] = await next_line(self._process)
        return figure


@asynccontextmanager
async def measuring(folder: Path, workload: str, url: str) -> AsyncIterator[Build]:
    """Start a process that measures the *workload* of the build in *folder*, with the store at *url*."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.against.process", str(folder), workload, url),
        # The package is imported from there, and the benchmarks, which are not in an earlier build's folder, from here.
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (folder, ROOT)))},
        stdin=PIPE,
        stdout=PIPE,
    )
    try:
        yield Build(await next_line(process), process)
    finally:
        pipes(process)[0].close()
        await process.wait()


async def next_line(process: Process) -> Any:
    """Return what *process* prints next, which is JSON. Raises RuntimeError if it has ended instead; why is in what it has printed."""
    line = await pipes(process)[1].readline()
    if not line:
        raise RuntimeError("a process that measures a build has ended too early")
    return json.loads(line)


def pipes(process: Process) -> tuple[StreamWriter, StreamReader]:
    """Return where *process* reads and writes."""
    assert process.stdin is not None
    assert process.stdout is not None
    return process.stdin, process.stdout
