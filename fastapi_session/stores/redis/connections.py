"""Connections to a server, as redis-py makes them: those of a URL, and which mistakes an address can have."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from redis import __version__ as redis_version
from redis.asyncio import BlockingConnectionPool, Redis, RedisCluster
from redis.asyncio.connection import AbstractConnection, RedisSSLContext, SSLConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError, ResponseError

from fastapi_session.errors import ConfigurationError
from fastapi_session.store_url import StoreUrl
from fastapi_session.stores.opening import WRONG_DATABASE, WRONG_USER

Client = Redis | RedisCluster

MAX_CONNECTIONS = 50
DEFAULT_PORT = 6379
TIMEOUT = 5.0
"""Seconds to connect, to wait for a reply, and to wait for a free connection."""

LONGEST = 1e9
"""Seconds that count as for ever."""

VERSION = tuple(int(part) for part in redis_version.split(".")[:2])
VERSION_FOR_CLUSTERS = (7, 2)
"""Cluster clients before forget all of their nodes when several requests fail at once, and never find them again."""
_FOR_NO_COMMAND = () if VERSION >= (5, 3) else ("",)
"""Pools before want to know for which command a connection is, and do nothing with it."""

DEMOTED = "read only replica"
"""What a server says to a write, in whatever words around it, since another one has taken over."""
OUT_OF_RANGE = "DB index is out of range"
"""What a server says that has fewer databases."""


class CheckedPool(BlockingConnectionPool):
    """Opens a connection anew that leads nowhere: before version 8, redis-py tried one once more that was closed."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._outdated: set[AbstractConnection] = set()
        self._tls: RedisSSLContext | None = None
        connect, write = options["socket_connect_timeout"], options["socket_timeout"]
        self.patience = timedelta(seconds=min(options["timeout"] + connect + 2 * write, LONGEST))
        """How long a request takes at most: it waits for a connection, which is opened, written to and read from."""
        self.patience_of_one = timedelta(seconds=min(write, LONGEST))
        """How long a write takes at most, and how long a reply."""

    def make_connection(self) -> AbstractConnection:
        """Return a connection that is not open yet. The TLS context is cached for all of them: to load it takes 20 milliseconds."""
        connection: AbstractConnection = super().make_connection()  # type: ignore[no-untyped-call]  # as redis-py has it
        if isinstance(connection, SSLConnection):
            self._tls = self._tls or connection.ssl_context
            connection.ssl_context = self._tls
        return connection

    @asynccontextmanager
    async def lent(self) -> AsyncIterator[AbstractConnection]:
        """Lend a connection, whose borrower sees to the time itself. It is closed if anything is raised: a reply may be under way."""
        connection: AbstractConnection = await self.get_connection(*_FOR_NO_COMMAND)  # type: ignore[no-untyped-call]  # as redis-py has it
        # redis-py would begin a timeout for each reply, and a task for each write.
        own_timeout, connection.socket_timeout = connection.socket_timeout, None
        try:
            yield connection
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        finally:
            connection.socket_timeout = own_timeout
            await self.release(connection)

    def heed(self, error: ResponseError) -> None:
        """Have every connection opened anew before its next command, if that is what *error* calls for."""
        if DEMOTED in str(error):  # the address may lead to another server by now
            self._outdated |= {*self._available_connections, *self._in_use_connections}

    async def ensure_connection(self, connection: AbstractConnection) -> None:
        """Make *connection* ready for a command."""
        reader = getattr(connection, "_reader", None)
        if connection in self._outdated or (reader is not None and reader.at_eof()):
            self._outdated.discard(connection)
            await connection.disconnect()
        await super().ensure_connection(connection)


def connect(url: str) -> Redis:
    """Return a client for *url*, whose query may change what is set here. Raises ConfigurationError for a wrong URL."""
    url = StoreUrl(url.replace("valkey", "redis", 1) if url.startswith("valkey") else url)
    tls = {"ssl_check_hostname": True} if url.startswith("rediss:") else {}  # before version 6, redis-py left it out
    try:
        pool = CheckedPool.from_url(
            url,
            protocol=2,  # under the newer one redis-py leaves out its own check that a connection is clean
            max_connections=MAX_CONNECTIONS,
            timeout=TIMEOUT,
            socket_timeout=TIMEOUT,
            socket_connect_timeout=TIMEOUT,
            retry=Retry(NoBackoff(), 0),  # whether a write happened is unknown then, and the caller has to know
            **tls,
        )
        int(urlsplit(url).path.strip("/") or 0)  # redis-py would take database 0 for one that is no number
        pool.connection_class(**pool.connection_kwargs)  # as yet unopened: it knows the options of a URL
    except (ValueError, TypeError) as error:
        raise ConfigurationError(
            "store: give redis://host:port/database, rediss:// for TLS, or valkey://, the database as a number, and only "
            "options that redis-py knows"
        ) from error
    return Redis.from_pool(pool)


def pool_of(client: Client) -> CheckedPool:
    """Return the connections of a *client* that `connect` returned."""
    assert isinstance(client, Redis)
    assert isinstance(client.connection_pool, CheckedPool)
    return client.connection_pool


def ensure_lasting(client: Client) -> None:
    """Raise ConfigurationError if *client* is lost for good when a server is."""
    if isinstance(client, RedisCluster) and VERSION < VERSION_FOR_CLUSTERS:
        raise ConfigurationError("store: a RedisCluster does not survive a failover: pip install 'redis>=7.2'")


def mistake_in_address(error: BaseException | None) -> str | None:
    """Return what is wrong with the address of the server if that is what *error* says."""
    if isinstance(error, AuthenticationError | NoPermissionError):
        return WRONG_USER
    return WRONG_DATABASE if isinstance(error, ResponseError) and OUT_OF_RANGE in str(error) else None
