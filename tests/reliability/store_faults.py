"""Ways in which a store goes away and comes back, and how long it was away."""

from __future__ import annotations

import asyncio
import os
import resource
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from fastapi_session.clock import system_clock
from fastapi_session.errors import StoreUnavailable
from fastapi_session.stores.by_url import store_by_url
from fastapi_session.stores.sql import SqlStore
from tests.reliability.proxy import proxied
from tests.reliability.store_proxy import by_port, way_to
from tests.stores import redis_servers
from tests.stores.sql.servers import Server, mariadb, postgres, started

DISK = 8 * 1024 * 1024
"""Bytes of the disk that is filled."""
PATIENCE = 30
"""Seconds within which a store that comes back is there."""
TIMEOUT = 5
"""Seconds that the stores wait for an answer."""

Step = Callable[[Sequence[int]], object]
"""Done to the store of the servers whose processes have these numbers."""


@dataclass(frozen=True)
class Fault:
    """A store, the ways to take it from its servers and to give it back, and for how many seconds that is noticed."""

    url: str
    begin: Step
    end: Step
    seconds: float = 0.7


@dataclass(frozen=True)
class Outage:
    """From when to when a store was away, in milliseconds since the epoch."""

    began: int
    ended: int


async def outage(fault: Fault, pids: Sequence[int]) -> Outage:
    """Take the store away for a while, and answer when that was: it is back as soon as anybody is answered."""
    began = system_clock()
    await asyncio.to_thread(fault.begin, pids)
    await asyncio.sleep(fault.seconds)
    await asyncio.to_thread(fault.end, pids)
    await answered(partial(ask_as_a_newcomer, fault.url))
    return Outage(began, system_clock())


async def answered(ask: Callable[[], Awaitable[None]]) -> None:
    """Wait until *ask* does not meet a store that is unavailable."""
    async with asyncio.timeout(PATIENCE):
        while True:
            with suppress(StoreUnavailable):
                await ask()
                return
            await asyncio.sleep(0.02)


async def ask_as_a_newcomer(url: str) -> None:
    """Ask the store at *url* over connections of its own. Raises `StoreUnavailable`."""
    store = store_by_url(url, clock=system_clock)
    try:
        await store.signing_keys()
    finally:
        await store.close()


@asynccontextmanager
async def killed_database(make: Callable[[Path], Server]) -> AsyncIterator[Fault]:
    """A database that dies at once, as by `pg_ctl stop -m immediate`."""
    with started(make) as server:
        store = SqlStore(server.url)
        await answered(store.create_all)
        yield Fault(server.url, lambda _: server.kill(), lambda _: server.start())


@asynccontextmanager
async def killed_valkey(folder: Path) -> AsyncIterator[Fault]:
    """A Valkey that appends to its file every second and dies at once."""
    with redis_servers.running(folder) as server:
        yield Fault(server.url, lambda _: server.kill(), lambda _: server.restart())


@asynccontextmanager
async def silent_network(to_store: AbstractAsyncContextManager[Fault]) -> AsyncIterator[Fault]:
    """A store that lives, behind a network that swallows what is sent: longer than servers wait for an answer."""
    loop = asyncio.get_running_loop()
    async with to_store as behind, proxied(way_to(behind.url)) as network:
        yield Fault(
            by_port(behind.url, network.port),
            lambda _: loop.call_soon_threadsafe(network.silence),
            lambda _: loop.call_soon_threadsafe(network.resume),
            seconds=TIMEOUT + 3,
        )


@asynccontextmanager
async def full_disk(folder: Path) -> AsyncIterator[Fault]:
    """A SQLite file on a disk without a byte left, nor one in the log beside it."""
    with small_disk(folder) as disk:
        junk, path = disk / "junk", disk / "sessions.db"

        def begin(_pids: Sequence[int]) -> None:
            # After a while the log has room enough for an outage: it is written from the beginning again.
            with closing(sqlite3.connect(path)) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            fill(junk)

        yield Fault(f"sqlite:///{path}", begin, lambda _: junk.unlink())


@asynccontextmanager
async def files_that_cannot_be_written(folder: Path) -> AsyncIterator[Fault]:
    """A SQLite file whose servers may write to no file, as where a quota is exceeded.

    Raises `PermissionError` where the system cannot do that to a process.
    """
    if not hasattr(resource, "prlimit"):
        raise PermissionError("this system limits no other process")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield Fault(f"sqlite:///{folder}/sessions.db", partial(limit_files, (0, before[1])), partial(limit_files, before))


def limit_files(limit: tuple[int, int], pids: Sequence[int]) -> None:
    for pid in pids:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, limit)


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A disk of its own, in memory. Raises `PermissionError` where this process may mount none."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode != 0:
        raise PermissionError("this process may mount no disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(junk: Path) -> None:
    """Write to *junk* until the disk is full."""
    with suppress(OSError), junk.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


@asynccontextmanager
async def fault_of(kind: str, folder: Path) -> AsyncIterator[Fault]:
    """The fault that a test asks for by its *kind*."""
    ways: dict[str, Callable[[], AbstractAsyncContextManager[Fault]]] = {
        "postgresql": partial(killed_database, postgres),
        "mariadb": partial(killed_database, mariadb),
        "valkey": partial(killed_valkey, folder),
        "postgresql, silent": lambda: silent_network(killed_database(postgres)),
        "mariadb, silent": lambda: silent_network(killed_database(mariadb)),
        "valkey, silent": lambda: silent_network(killed_valkey(folder)),
        "sqlite, disk full": partial(full_disk, folder),
        "sqlite, quota exceeded": partial(files_that_cannot_be_written, folder),
    }
    async with ways[kind]() as fault:
        yield fault
