"""A primary and a replica that follows it, of Valkey and of PostgreSQL, and the moment when the replica takes over.

The replica follows over a proxy, which can be silenced so that it lags. Applications come over another one, which leads to
whichever is in charge.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psycopg

from fastapi_session.stores.sql import SqlStore
from tests.reliability.proxy import Proxy, proxied
from tests.reliability.store_proxy import by_port, way_to
from tests.stores import redis_servers
from tests.stores.sql.servers import Server, own_folder, postgres, postgres_programs, run, started


@dataclass(frozen=True)
class Pair:
    """Two servers. *url* is where applications ask, *replica_url* where the replica alone is asked."""

    url: str
    replica_url: str
    front: Proxy
    replication: Proxy
    kill_primary: Callable[[], object]
    promote: Callable[[], object]

    async def fail_over(self) -> None:
        """Let the primary die, the replica take its place with what it has, and applications be led to it."""
        await asyncio.to_thread(self.kill_primary)
        await asyncio.to_thread(self.promote)
        self.front.connect = way_to(self.replica_url)
        self.front.reset()


@asynccontextmanager
async def valkeys(folder: Path) -> AsyncIterator[Pair]:
    """Two Valkeys, the second following the first."""
    places = [folder / name for name in ("primary", "replica")]
    for place in places:
        place.mkdir()
    with redis_servers.running(places[0]) as primary, redis_servers.running(places[1]) as replica:
        async with proxied(way_to(primary.url)) as front, proxied(way_to(primary.url)) as replication:
            await asyncio.to_thread(primary.ask, "CONFIG", "SET", "repl-diskless-sync-delay", "0")
            follow = partial(replica.ask, "REPLICAOF")
            await asyncio.to_thread(follow, "127.0.0.1", str(replication.port))
            url = by_port(primary.url, front.port)
            yield Pair(url, replica.url, front, replication, primary.kill, partial(follow, "NO", "ONE"))


@asynccontextmanager
async def postgresqls(_folder: Path) -> AsyncIterator[Pair]:
    """Two PostgreSQLs, the second a physical replica of the first that takes over what it has received of its log."""
    with started(postgres) as primary:
        store = SqlStore(primary.url)
        await store.create_all()
        await store.close()
        async with proxied(way_to(primary.url)) as front, proxied(way_to(primary.url)) as replication:
            with started(partial(replica_of, primary, port=replication.port)) as replica:
                url = by_port(primary.url, front.port)
                yield Pair(url, replica.url, front, replication, primary.kill, partial(promote, replica))


def replica_of(primary: Server, folder: Path, *, port: int) -> Server:
    """Return a copy of *primary* in the empty *folder* that is to follow it over *port*, not started yet."""
    programs = postgres_programs(own_folder(folder))
    data, pid_file = folder / "data", folder / "data" / "postmaster.pid"
    run(programs / "pg_basebackup", "-D", data, "-h", primary.folder, "-U", "postgres", "-R", "-c", "fast", "--no-sync")
    follow = ["-c", f"primary_conninfo=host=127.0.0.1 port={port} user=postgres sslmode=disable gssencmode=disable"]
    settings = ["-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=200"]
    return Server(
        folder,
        [programs / "postgres", "-D", data, "-k", folder, *settings, *follow],
        url=f"postgresql+asyncpg://postgres@/postgres?host={folder}",
        ready=lambda: pid_file.exists() and "ready" in pid_file.read_text("utf-8"),
        crash=signal.SIGQUIT,
    )


def promote(replica: Server) -> None:
    """Let *replica* take over."""
    with psycopg.connect(host=str(replica.folder), user="postgres", autocommit=True) as connection:
        connection.execute("SELECT pg_promote()")
