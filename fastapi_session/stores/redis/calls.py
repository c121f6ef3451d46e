"""Running a script on the server, and being sure that the reply is its own.

A request that has begun goes on to its end, whatever becomes of its caller: a connection that is left between a command
and its reply would hand that reply to the next caller. A timeout bounds how long that takes. Beyond that every request
carries a ticket that its reply has to begin with.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from secrets import token_hex
from typing import Any
from urllib.parse import urlsplit

from redis import __version__ as redis_version
from redis.asyncio import BlockingConnectionPool, Redis, RedisCluster
from redis.asyncio.connection import AbstractConnection, RedisSSLContext, SSLConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError, NoScriptError, ResponseError

from fastapi_session.errors import ConfigurationError, StoreUnavailable
from fastapi_session.store_url import StoreUrl
from fastapi_session.stores.opening import WRONG_DATABASE, WRONG_USER
from fastapi_session.stores.redis.script import Script

Client = Redis | RedisCluster

Reply = Sequence[Any]
"""What a script returns: strings, numbers and lists of them, as its author knows."""

MAX_CONNECTIONS = 50
DEFAULT_PORT = 6379
TIMEOUT = 5.0
"""Seconds to connect, to wait for a reply, and to wait for a free connection."""

VERSION = tuple(int(part) for part in redis_version.split(".")[:2])
VERSION_FOR_CLUSTERS = (7, 2)
"""Cluster clients before forget all of their nodes when several requests fail at once, and never find them again."""

DEMOTED = "read only replica"
"""What a server says to a write, in whatever words around it, since another one has taken over."""
OUT_OF_RANGE = "DB index is out of range"
"""What a server says that has fewer databases."""


class Calls:
    """Runs scripts on *server*: a URL, for connections of our own, or a client, which stays its owner's."""

    def __init__(self, server: str | Client) -> None:
        if isinstance(server, str):
            connect(server)  # a URL that nobody understands is found now, and no connection is made yet
        elif isinstance(server, RedisCluster) and VERSION < VERSION_FOR_CLUSTERS:
            raise ConfigurationError("store: a RedisCluster does not survive a failover: pip install 'redis>=7.2'")
        self._server = server
        # A cache of clients, one for each event loop.
        self._clients: dict[asyncio.AbstractEventLoop, Client] = {}
        self._running: set[asyncio.Task[Reply]] = set()

    @property
    def place(self) -> str:
        """Where the server is looked for: host and port, for messages."""
        if not isinstance(self._server, str):
            return "the address of the client"
        url = urlsplit(self._server)
        return f"{url.hostname or 'localhost'}:{url.port or DEFAULT_PORT}"

    async def run(self, script: Script, *, keys: Sequence[str], arguments: Sequence[str]) -> Reply:
        """Return what *script* returns. Raises StoreUnavailable for any failure of the driver or the server."""
        task = asyncio.create_task(self._reply(script, keys=keys, arguments=arguments))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Wait for what is under way on this event loop, then close the connections that are our own."""
        loop = asyncio.get_running_loop()
        await asyncio.gather(*(task for task in self._running if task.get_loop() is loop), return_exceptions=True)
        client = self._clients.pop(loop, None)
        if client is not None:
            await client.aclose()

    async def _reply(self, script: Script, *, keys: Sequence[str], arguments: Sequence[str]) -> Reply:
        ticket = token_hex(8)
        try:
            reply = await self._put(script, len(keys), *keys, ticket, *arguments)
        except Exception as error:
            # Of whatever kind: a cluster client that closes its connections fails in ways of its own. The name alone,
            # since a server may quote what it complains about.
            raise StoreUnavailable(f"Redis failed: {type(error).__name__}") from error
        if as_text(reply[0]) != ticket:
            raise StoreUnavailable("Redis failed: the reply belongs to another request")
        return reply[1:]

    async def _put(self, script: Script, *arguments: str | int) -> Reply:
        client = self._client()
        await client.initialize()  # a cluster client that does not know its nodes yet would send it to any of them
        try:
            return await evaluate(script, *arguments, client=client)
        except ResponseError as error:
            if DEMOTED in str(error) and isinstance(client, Redis) and isinstance(client.connection_pool, CheckedPool):
                client.connection_pool.renew()
            raise

    def _client(self) -> Client:
        """Return the client of the running event loop: a connection belongs to the loop that opened it."""
        if not isinstance(self._server, str):
            return self._server
        loop = asyncio.get_running_loop()
        if loop not in self._clients:
            self._clients = {each: client for each, client in self._clients.items() if not each.is_closed()}
            self._clients[loop] = connect(self._server)
        return self._clients[loop]


async def evaluate(script: Script, *arguments: str | int, client: Client) -> Reply:
    """Return the reply of *script* through *client*, whether or not the server has run it before."""
    try:
        reply: Reply = await client.execute_command("EVALSHA", script.sha, *arguments)
    except NoScriptError:  # a server that has restarted, or another node of a cluster
        reply = await client.execute_command("EVAL", script.text, *arguments)
    return reply


class CheckedPool(BlockingConnectionPool):
    """Opens a connection anew that leads nowhere: before version 8, redis-py tried one once more that was closed."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._outdated: set[AbstractConnection] = set()
        self._tls: RedisSSLContext | None = None

    def make_connection(self) -> AbstractConnection:
        """Return a connection that is not open yet. The TLS context is cached for all of them: to load it takes 20 milliseconds."""
        connection: AbstractConnection = super().make_connection()  # type: ignore[no-untyped-call]  # as redis-py has it
        if isinstance(connection, SSLConnection):
            self._tls = self._tls or connection.ssl_context
            connection.ssl_context = self._tls
        return connection

    def renew(self) -> None:
        """Have every connection opened anew before its next command: the address may lead to another server by now."""
        self._outdated |= {*self._available_connections, *self._in_use_connections}

    async def ensure_connection(self, connection: AbstractConnection) -> None:
        """Make *connection* ready for a command."""
        reader = getattr(connection, "_reader", None)
        if connection in self._outdated or (reader is not None and reader.at_eof()):
            self._outdated.discard(connection)
            await connection.disconnect()
        await super().ensure_connection(connection)


def connect(url: str) -> Client:
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


def mistake_in_address(error: BaseException | None) -> str | None:
    """Return what is wrong with the address of the server if that is what *error* says."""
    if isinstance(error, AuthenticationError | NoPermissionError):
        return WRONG_USER
    return WRONG_DATABASE if isinstance(error, ResponseError) and OUT_OF_RANGE in str(error) else None


def as_text(value: object) -> str:
    """Return a string of a reply, whether or not the client decodes replies."""
    return value.decode() if isinstance(value, bytes) else str(value)
