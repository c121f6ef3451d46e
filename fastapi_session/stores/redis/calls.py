"""Running a script on the server: alone, or in a pipeline with those that other tasks run at the same time.

A request that has begun goes on to its end, whatever becomes of its caller: a connection that is left between a command
and its reply would hand that reply to the next caller. A timeout bounds how long that takes.

| script | on connections of our own | through the user's client |
|---|---|---|
| it is short | in a pipeline with the others of its turn of the event loop | alone |
| it may take long, or has much to carry: others would have to wait for it | alone | alone |
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from secrets import token_hex
from urllib.parse import urlsplit

from redis.asyncio import Redis
from redis.exceptions import NoScriptError

from fastapi_session.stores.batching import Batcher
from fastapi_session.stores.facts import RedisServer
from fastapi_session.stores.finishing import Finishing
from fastapi_session.stores.redis.connections import (
    DEFAULT_PORT,
    Client,
    connect,
    ensure_lasting,
    pool_of,
)
from fastapi_session.stores.redis.pipelines import Call, Reply, own, replies_to, unavailable
from fastapi_session.stores.redis.script import Script
from fastapi_session.stores.redis.servers import in_the_open, servers_of


class Calls:
    """Runs scripts on *server*: a URL, for connections of our own, or a client, which stays its owner's."""

    def __init__(self, server: str | Client) -> None:
        self._batcher: Batcher[Call, Reply] | None = None
        if isinstance(server, str):
            # A URL that nobody understands is found now, and no connection is made yet.
            patience = pool_of(connect(server)).patience
            self._batcher = Batcher(self._run_pipeline, timeout=patience, too_late=lambda: unavailable(TimeoutError()))
        else:
            ensure_lasting(server)
        self._server = server
        # A cache of clients, one for each event loop.
        self._clients: dict[asyncio.AbstractEventLoop, Redis] = {}
        self._alone: Finishing[Reply] = Finishing()

    @property
    def place(self) -> str:
        """Where the server is looked for: host and port, for messages."""
        if not isinstance(self._server, str):
            return "the address of the client"
        url = urlsplit(self._server)
        return f"{url.hostname or 'localhost'}:{url.port or DEFAULT_PORT}"

    async def run(self, script: Script, *, keys: Sequence[str], arguments: Sequence[str]) -> Reply:
        """Return what *script* returns. Raises StoreUnavailable for any failure of the driver or the server."""
        call = Call(script, keys, arguments)
        if self._batcher is None or not call.is_short:
            return await self._alone.run(self._reply(call))
        return await self._batcher.submit(call)

    async def look(self) -> tuple[tuple[RedisServer, ...], tuple[str, ...]]:
        """Return what the servers say of themselves, and to which public addresses a password goes without TLS. Raises StoreUnavailable."""
        client = self._client()
        try:
            return await servers_of(client), await in_the_open(client)
        except Exception as error:  # of whatever kind, as in `reply_through`
            raise unavailable(error) from error

    async def close(self) -> None:
        """Wait for what is under way on this event loop, then close the connections that are our own."""
        if self._batcher is not None:
            await self._batcher.idle()
        await self._alone.idle()
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.aclose()

    async def _run_pipeline(self, calls: Sequence[Call]) -> Sequence[Reply | Exception]:
        """Return the reply to each of *calls*."""
        return await replies_to(calls, pool_of(self._client()))

    async def _reply(self, call: Call) -> Reply:
        if self._batcher is None:
            return await reply_through(self._client(), call)
        [reply] = await self._run_pipeline([call])
        if isinstance(reply, Exception):
            raise reply
        return reply

    def _client(self) -> Client:
        """Return the client of the running event loop: a connection belongs to the loop that opened it."""
        if not isinstance(self._server, str):
            return self._server
        loop = asyncio.get_running_loop()
        if loop not in self._clients:
            self._clients[loop] = connect(self._server)
            for each in [*self._clients]:  # a copy, since another thread may come with a loop of its own
                if each.is_closed():
                    self._clients.pop(each, None)
        return self._clients[loop]


async def reply_through(client: Client, call: Call) -> Reply:
    """Return the reply to *call* through the user's *client*. Raises StoreUnavailable."""
    ticket = token_hex(8)
    try:
        await client.initialize()  # a cluster client that does not know its nodes yet would send it to any of them
        try:
            reply = await client.execute_command(*call.command(ticket))
        except NoScriptError:  # a server that has restarted, or another node of a cluster
            reply = await client.execute_command(*call.command(ticket, in_full=True))
        return own(reply, ticket)
    except Exception as error:
        # Of whatever kind: a cluster client that closes its connections fails in ways of its own.
        raise unavailable(error) from error
