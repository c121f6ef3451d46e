"""What many sessions cost: a store of few beside a store of many, and how long the same verbs take on both.

    python -m benchmarks.growth [sqlite] [postgresql] [valkey] [--small 10000] [--large 200000] [--rounds 15]

Wall-clock time, of the stores alone: no token is signed or verified. The two stores take turns, one operation each, so that
what disturbs the machine disturbs both. Every user has five sessions. PostgreSQL and Valkey are servers of this run;
PostgreSQL does not flush to disk, so that its own work shows. With two hundred thousand sessions a run takes minutes,
with a million a quarter of an hour.

Every verb touches a few rows, so its ratio should stay below two, however many there are. The clean-up touches five hundred
that lie far apart: if the small store fits into a cache and the large one does not, it takes several times as long.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks.filled_stores import (
    LIFETIME,
    SESSIONS_OF_A_USER,
    FilledStore,
    postgresql_store,
    session,
    sqlite_store,
    valkey_store,
)
from benchmarks.measuring import interleaved, ratios, spread
from fastapi_session.engine.housekeeping import BATCH
from fastapi_session.model import Rotation, SessionRecord
from fastapi_session.testing.records import next_rotation
from tests.stores import redis_servers
from tests.stores.sql.servers import postgres, started

OPERATIONS = 200

Operation = Callable[[], Awaitable[object]]
Verb = Callable[[FilledStore], AbstractAsyncContextManager[Sequence[Operation]]]
"""Prepares what is measured, and leaves as many sessions in the store as there were."""


@asynccontextmanager
async def create(filled: FilledStore) -> AsyncIterator[Sequence[Operation]]:
    """Create sessions of new users."""
    records = filled.newcomers(OPERATIONS)
    yield [partial(filled.store.insert, record) for record in records]
    for user in users(records):
        await filled.store.delete_sessions_of(user, limit=100)


@asynccontextmanager
async def refresh(filled: FilledStore) -> AsyncIterator[Sequence[Operation]]:
    """Rotate sessions anywhere in the table."""
    readings = [await filled.store.get(session_id) for session_id in filled.some_ids(OPERATIONS)]

    async def rotate(rotation: Rotation) -> None:
        if await filled.store.rotate(rotation) is None:
            raise RuntimeError("the session was not rotated")

    yield [
        partial(rotate, next_rotation(reading.record, debounce=0, idle_timeout=LIFETIME))
        for reading in readings
        if reading.record is not None
    ]


@asynccontextmanager
async def verify(filled: FilledStore) -> AsyncIterator[Sequence[Operation]]:
    """Read sessions anywhere in the table, as `verify_session(check_database=True)` does."""
    yield [partial(filled.store.get, session_id) for session_id in filled.some_ids(OPERATIONS)]


@asynccontextmanager
async def list_of_user(filled: FilledStore) -> AsyncIterator[Sequence[Operation]]:
    """List the sessions of users."""
    yield [partial(filled.store.sessions_of, user) for user in filled.some_users(OPERATIONS)]


@asynccontextmanager
async def revoke_user(filled: FilledStore) -> AsyncIterator[Sequence[Operation]]:
    """Revoke all sessions of users."""
    records = filled.newcomers(OPERATIONS)
    await insert(filled, records)
    yield [partial(filled.store.delete_sessions_of, user, limit=100) for user in users(records)]


@asynccontextmanager
async def clean_up(filled: FilledStore) -> AsyncIterator[Sequence[Operation]]:
    """Delete a batch of expired sessions."""
    await insert(filled, [session(filled.random.getrandbits(60), lifetime=-1) for _ in range(BATCH)])

    async def delete_expired() -> None:
        if await filled.store.delete_expired(limit=BATCH) != BATCH:
            raise RuntimeError("not every expired session was deleted")

    yield [delete_expired]


async def insert(filled: FilledStore, records: Iterable[SessionRecord]) -> None:
    """Insert many sessions at once."""
    await asyncio.gather(*(filled.store.insert(record) for record in records))


def users(records: Sequence[SessionRecord]) -> Sequence[str]:
    """Return the users of *records*, each once."""
    return list(dict.fromkeys(record.user_id for record in records))


VERBS: Mapping[str, Verb] = {
    "create": create,
    "refresh": refresh,
    "verify with database check": verify,
    f"list a user's {SESSIONS_OF_A_USER} sessions": list_of_user,
    f"revoke a user's {SESSIONS_OF_A_USER} sessions": revoke_user,
    f"clear away {BATCH} expired sessions": clean_up,
}


@asynccontextmanager
async def sqlite_pair(folder: Path, sizes: Sequence[int]) -> AsyncIterator[Sequence[FilledStore]]:
    """Yield stores on two files."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(sqlite_store(folder, size)) for size in sizes]


@asynccontextmanager
async def postgresql_pair(_: Path, sizes: Sequence[int]) -> AsyncIterator[Sequence[FilledStore]]:
    """Yield stores on two databases of one server."""
    async with AsyncExitStack() as stack:
        server = stack.enter_context(started(postgres))
        yield [await stack.enter_async_context(postgresql_store(server.url, size)) for size in sizes]


@asynccontextmanager
async def valkey_pair(folder: Path, sizes: Sequence[int]) -> AsyncIterator[Sequence[FilledStore]]:
    """Yield stores on two databases of one server."""
    async with AsyncExitStack() as stack:
        server = stack.enter_context(redis_servers.running(folder))
        urls = [f"redis://{server.address}/{number}" for number in range(len(sizes))]
        yield [await stack.enter_async_context(valkey_store(*each)) for each in zip(urls, sizes, strict=True)]


PAIRS = {"sqlite": sqlite_pair, "postgresql": postgresql_pair, "valkey": valkey_pair}


async def milliseconds(verb: Verb, stores: Sequence[FilledStore]) -> Sequence[float]:
    """Return how long an operation takes on each of *stores*, which take turns after every single one."""
    async with AsyncExitStack() as stack:
        prepared = [await stack.enter_async_context(verb(filled)) for filled in stores]
        taken = [0.0 for _ in stores]
        for turn in zip(*prepared, strict=True):
            for place, operation in enumerate(turn):
                began = time.perf_counter()
                await operation()
                taken[place] += time.perf_counter() - began
    return [seconds / len(operations) * 1e3 for seconds, operations in zip(taken, prepared, strict=True)]


async def measure(name: str, sizes: Sequence[int], *, rounds: int) -> None:
    """Fill both stores of one kind, measure every verb on both, and print the table."""
    with tempfile.TemporaryDirectory() as folder:
        async with PAIRS[name](Path(folder), sizes) as stores:
            candidates = {called: partial(milliseconds, verb, stores) for called, verb in VERBS.items()}
            figures = await interleaved(candidates, rounds=rounds)
    print(f"\n{f'{name}, milliseconds':34} {sizes[0]:>10,} {sizes[1]:>10,} {'ratio':>7} {'spread':>7}")
    for called, pairs in figures.items():
        small, large = zip(*pairs, strict=True)
        print_growth(called, small, large)


def print_growth(called: str, small: Sequence[float], large: Sequence[float]) -> None:
    """Print how long a verb takes on the small store and on the large one, and the ratio of the two."""
    grown = ratios({"small": small, "large": large}, "large", "small")
    print(
        f"{called:34} {median(small):10.3f} {median(large):10.3f} {median(grown):7.2f} {spread(grown):7.0%}", flush=True
    )


def main() -> None:
    """Measure the stores that the command line names."""
    parser = ArgumentParser(prog="python -m benchmarks.growth")
    parser.add_argument("stores", nargs="*", choices=[*PAIRS, []], help="all of them by default")
    parser.add_argument("--small", type=int, default=10_000, help="sessions of the small store")
    parser.add_argument("--large", type=int, default=200_000, help="sessions of the large store")
    parser.add_argument("--rounds", type=int, default=15)
    asked = parser.parse_args()
    for name in asked.stores or PAIRS:
        asyncio.run(measure(name, (asked.small, asked.large), rounds=asked.rounds))


if __name__ == "__main__":
    main()
