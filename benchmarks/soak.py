"""What a process keeps after many sessions: memory, open files, caches, rows. On Linux.

    python -m benchmarks.soak [memory] [sqlite] [--sessions 20000]

Each session is created, refreshed three times, verified twenty times and revoked, by the whole engine; every tenth is
left to expire instead. Sixteen run side by side, and the clock advances half a second with each one: after half of
the default run more than an hour has passed, and whatever may be kept for an hour has reached its size. From there on memory
should not grow. A run of a million sessions takes some hours; each store has a process of its own.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Collection, Mapping, Sized
from contextlib import closing
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path
from statistics import linear_regression

from benchmarks.applications import SECRET
from fastapi_session import SessionConfig, Sessions
from fastapi_session.engine.bounded_cache import BoundedCache
from fastapi_session.stores.memory import MemoryStore
from fastapi_session.testing import HandClock

SIDE_BY_SIDE = 16
REFRESHES = 3
VERIFIES = 5
"""How often each access token is verified."""
ABANDONED = 10
"""One session of so many is never revoked."""
APART = timedelta(seconds=0.5)
LOOKS = 40
MEGABYTE = 2**20

Look = tuple[int, float, int]
"""How many sessions there were, megabytes of memory, and open files."""


async def live(sessions: Sessions, number: int) -> None:
    """Create one session, use it and end it."""
    issued = await sessions.create(f"user {number}", access_token_payload={"plan": "basic"})
    for _ in range(REFRESHES):
        await use(sessions, issued.tokens.access_token)
        assert issued.tokens.refresh_token is not None
        issued = await sessions.refresh(issued.tokens.refresh_token)
    await use(sessions, issued.tokens.access_token)
    if number % ABANDONED:
        await sessions.revoke(issued.access_token.session_handle)


async def use(sessions: Sessions, token: str) -> None:
    """Verify *token* a few times, the last time by the store too."""
    for number in range(VERIFIES):
        await sessions.verify(token, check_database=number == VERIFIES - 1)


async def live_all(sessions: Sessions, clock: HandClock, *, count: int) -> list[Look]:
    """Run *count* sessions through their lives, and measure the process from time to time."""
    looks: list[Look] = []
    for begin in range(0, count, SIDE_BY_SIDE):
        numbers = range(begin, min(begin + SIDE_BY_SIDE, count))
        await asyncio.gather(*(live(sessions, number) for number in numbers))
        clock.advance(APART * len(numbers))
        if numbers.stop * LOOKS // count > begin * LOOKS // count:
            looks.append((numbers.stop, memory(), open_files()))
    return looks


def memory() -> float:
    """Return how much memory this process has, in megabytes."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MEGABYTE


def open_files() -> int:
    """Return how many files and sockets this process has open."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def kept(part: object) -> int:
    """Return how many things *part* keeps: its own length, or that of its collections and caches."""
    if isinstance(part, Sized):
        return len(part)
    held = [value for value in vars(part).values() if isinstance(value, Collection | BoundedCache)]
    return sum(len(value) for value in held if not isinstance(value, str))


def caches(sessions: Sessions) -> Mapping[str, int]:
    """Return how much each part of the engine keeps."""
    parts = vars(sessions._parts)  # noqa: SLF001 - so that mypy notices a new name
    return {name: kept(part) for name, part in parts.items() if name != "store" and hasattr(part, "__dict__")}


def rows_in_memory(store: MemoryStore) -> Mapping[str, int]:
    """Return how many records of each kind *store* keeps."""
    return {name: len(value) for name, value in vars(store).items() if isinstance(value, dict | list)}


def rows_in_file(path: Path) -> Mapping[str, int]:
    """Return how many rows each table of the file at *path* has."""
    with closing(sqlite3.connect(path)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables}


async def soak(store: str, count: int, folder: Path) -> None:
    """Run *count* sessions in *store*, and print what is left of them."""
    path, clock = folder / "sessions.db", HandClock()
    config = SessionConfig(
        store="memory:" if store == "memory" else f"sqlite:///{path}",
        secret=SECRET,
        api_domain="http://localhost",
        idle_timeout=timedelta(minutes=65),
        refresh_token_rotation_grace_period=timedelta(0),
    )
    sessions, began = Sessions(config, clock=clock), time.perf_counter()
    await sessions.open()
    looks = await live_all(sessions, clock, count=count)
    taken = time.perf_counter() - began
    rows = rows_in_memory(sessions.store) if isinstance(sessions.store, MemoryStore) else rows_in_file(path)
    report(f"{store}, {count:,} sessions in {taken:,.0f} s", looks, {"kept": caches(sessions), "rows": rows})
    await sessions.close()
    print(f"{'open files after close':24} {open_files()}", flush=True)


def report(title: str, looks: list[Look], left: Mapping[str, Mapping[str, int]]) -> None:
    """Print how the process has grown in the second half of the run, and what it keeps."""
    print(f"\n{title}")
    settled = looks[len(looks) // 2 :]
    numbers, megabytes, files = zip(*settled, strict=True)
    slope = linear_regression(numbers, megabytes).slope * 100_000
    print(
        f"{'memory':24} {megabytes[0]:.1f} MB at half-time, {megabytes[-1]:.1f} MB in the end, at most {max(megabytes):.1f}"
    )
    print(f"{'slope':24} {slope:+.2f} MB for every 100,000 sessions")
    print(f"{'open files':24} {files[0]} at half-time, {files[-1]} in the end, at most {max(files)}")
    for called, counts in left.items():
        print(f"{called:24} {', '.join(f'{name} {number:,}' for name, number in counts.items() if number)}")


def run(store: str, count: int) -> None:
    """Run the soak in this process, which is a new one."""
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(soak(store, count, Path(folder)))


def main() -> None:
    """Run the soak for the stores that the command line names, each in a process of its own."""
    parser = ArgumentParser(prog="python -m benchmarks.soak")
    parser.add_argument("stores", nargs="*", choices=["memory", "sqlite", []], help="both by default")
    parser.add_argument("--sessions", type=int, default=20_000)
    asked = parser.parse_args()
    for store in asked.stores or ("memory", "sqlite"):
        process = get_context("spawn").Process(target=run, args=(store, asked.sessions))
        process.start()
        process.join()


if __name__ == "__main__":
    main()
