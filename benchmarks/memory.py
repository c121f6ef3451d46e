"""How many bytes a session takes: in the cache of verified tokens, in the memory store, in a SQLite file.

    python -m benchmarks.memory [rounds]

Each is measured in a process of its own, once by counting every allocation of Python, and once (on Linux) as the memory that
the process holds. The sessions have no payload and no data of their own, and each belongs to another user. The base of the
ratios is the length of an access token's text, which the cache keeps too.
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import tracemalloc
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.applications import application, by_header, engine, in_folder, verified
from benchmarks.in_process import call, request
from benchmarks.measuring import interleaved, print_sizes, rounds
from benchmarks.serving import folder
from fastapi_session import Sessions
from fastapi_session.model import Json

TOKENS = 4_000
SESSIONS = 5_000
LARGE = {"text": "x" * 2_000}
TOKEN = "an access token, as text"
STATUS = Path("/proc/self/statm")

Gauge = Callable[[], int]
Work = Callable[[Gauge], Coroutine[Any, Any, float]]


def allocated() -> int:
    """Return how many bytes Python has allocated since it began to count."""
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def resident() -> int:
    """Return how many bytes of memory the process holds."""
    gc.collect()
    return int(STATUS.read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def begin(sessions: Sessions, number: int, *, payload: Json | None = None) -> list[str]:
    """Create *number* sessions, and return their access tokens."""
    return [
        (await sessions.create(f"user-{each}", access_token_payload=payload)).tokens.access_token
        for each in range(number)
    ]


async def token_text(_gauge: Gauge) -> float:
    """Return the length of a token."""
    [token] = await begin(engine(), 1)
    return len(token)


async def cached_token(gauge: Gauge) -> float:
    """Return the bytes that the cache keeps of a verified token, its text included, as it comes with a request."""
    sessions = engine()
    tokens = await begin(sessions, TOKENS)
    before = gauge()
    for token in tokens:
        await sessions.verify(token.encode().decode())
    return (gauge() - before) / TOKENS


async def flooded(gauge: Gauge) -> float:
    """Return the bytes that the cache keeps in all after a flood of large tokens, more of them than it has room for."""
    sessions = engine()
    tokens = await begin(sessions, TOKENS, payload=LARGE)
    before = gauge()
    for token in tokens:
        await sessions.verify(token.encode().decode())
    return gauge() - before


async def token_of_a_request(gauge: Gauge) -> float:
    """Return the bytes that all caches together keep of a token that came with a request, its text included."""
    sessions = engine()
    app = application(verified, sessions=sessions)
    one, *tokens = await begin(sessions, 1 + TOKENS)
    await call(app, request(by_header(one)))
    before = gauge()
    for token in tokens:
        await call(app, request(by_header(token)))
    return (gauge() - before) / TOKENS


async def session_in_memory(gauge: Gauge) -> float:
    """Return the bytes that the memory store keeps of a session."""
    sessions = engine()
    await begin(sessions, 1)
    before = gauge()
    for each in range(SESSIONS):
        await sessions.create(f"user-{each}")
    return (gauge() - before) / SESSIONS


async def session_in_sqlite(gauge: Gauge) -> float:
    """Return the bytes that a process keeps of a session that is in SQLite."""
    with folder() as path:
        sessions = engine(in_folder(path))
        await begin(sessions, 1)
        before = gauge()
        for each in range(SESSIONS):
            await sessions.create(f"user-{each}")
        after = gauge()
        await sessions.close()
    return (after - before) / SESSIONS


async def session_in_file(_gauge: Gauge) -> float:
    """Return the bytes by which the SQLite file grows with a session."""
    with folder() as path:
        sizes = []
        for number in (1, SESSIONS):
            sessions = engine(in_folder(path))
            await begin(sessions, number)
            await sessions.close()  # which empties the write-ahead log
            sizes.append(sum(file.stat().st_size for file in path.glob("sessions.db*")))
        return (sizes[1] - sizes[0]) / SESSIONS


def run(work: Work, gauge: Gauge) -> float:
    """Do *work* in this process."""
    if gauge is allocated:
        tracemalloc.start()
    return asyncio.run(work(gauge))


async def apart(work: Work, gauge: Gauge) -> float:
    """Do *work* in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return await asyncio.to_thread(pool.apply, run, (work, gauge))


def candidates() -> dict[str, Callable[[], Awaitable[float]]]:
    """Return what is measured, by its name in the table."""
    counted = {
        TOKEN: partial(apart, token_text, allocated),
        "a verified token in the cache": partial(apart, cached_token, allocated),
        "all verified tokens in the cache, after a flood of large ones": partial(apart, flooded, allocated),
        "a token that came with a request, in all caches": partial(apart, token_of_a_request, allocated),
        "a session in the memory store": partial(apart, session_in_memory, allocated),
        "a session in SQLite, in the process": partial(apart, session_in_sqlite, allocated),
        "a session in SQLite, in the file": partial(apart, session_in_file, allocated),
    }
    held = {
        "a verified token in the cache, held": partial(apart, cached_token, resident),
        "a token that came with a request, held": partial(apart, token_of_a_request, resident),
        "a session in the memory store, held": partial(apart, session_in_memory, resident),
        "a session in SQLite, held by the process": partial(apart, session_in_sqlite, resident),
    }
    return {**counted, **(held if STATUS.exists() else {})}


async def main() -> None:
    """Measure every candidate, and print the table."""
    print_sizes("bytes", await interleaved(candidates(), rounds=rounds(3)), base=TOKEN)


if __name__ == "__main__":
    asyncio.run(main())
