"""A network that fails when it is told to: a TCP proxy that delays, splits, cuts, resets and swallows what passes.

It knows nothing of the protocols that pass. Each connection has its own `Fate`, drawn when it is accepted.
"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

Ending = Literal["close", "reset", "silence"]
"""How a connection is cut: in good order, by a reset, or by passing on nothing more while it stays open."""

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[[], Awaitable[Ends]]

LARGEST_PIECE = 65_536
NO_LINGER = struct.pack("ii", 1, 0)
"""The value of SO_LINGER with which closing a socket sends a reset."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What happens to one connection.

    Every *piece* of at most so many bytes waits up to *delay* seconds before it is passed on. After *cut_after* bytes,
    of both directions together, it ends as *ending* says.
    """

    delay: float = 0.0
    piece: int = LARGEST_PIECE
    cut_after: int | None = None
    ending: Ending = "close"


Draw = Callable[[random.Random], Fate]


def unharmed(_luck: random.Random) -> Fate:
    """Let every connection be."""
    return Fate()


def always(fate: Fate) -> Draw:
    """Return what draws *fate* for every connection."""
    return lambda _luck: fate


def to_address(host: str, port: int) -> Connect:
    """Return the way to a server that listens on a port."""
    return partial(asyncio.open_connection, host, port)


def to_socket(path: Path) -> Connect:
    """Return the way to a server that listens on a Unix socket."""
    return partial(asyncio.open_unix_connection, path)


class Proxy:
    """Listens on *port* and passes everything on to where *connect* leads. Both *connect* and *draw* may be replaced.

    *draw* answers the fate of a new connection, *luck* is where it and the delays take their randomness from.
    """

    def __init__(self, connect: Connect, *, draw: Draw = unharmed, seed: int = 0) -> None:
        self.connect = connect
        self.draw = draw
        self.port = 0
        self.accepted = 0
        self.cut = 0
        self._luck = random.Random(seed)
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._links: set[Link] = set()
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def open_connections(self) -> int:
        """How many connections pass through at this moment."""
        return len(self._links)

    def silence(self) -> None:
        """Pass nothing on any more, and let every connection stay open: a cable that was pulled."""
        self._flowing.clear()

    def resume(self) -> None:
        """Pass on again what has waited, and what comes."""
        self._flowing.set()

    def reset(self) -> None:
        """End every connection by a reset."""
        for link in list(self._links):
            link.end("reset")

    async def idle(self) -> None:
        """Wait until no connection is left."""
        await self._idle.wait()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until it ends."""
        self.accepted += 1
        link = Link(self.draw(self._luck), luck=self._luck, flowing=self._flowing)
        self._links.add(link)
        self._idle.clear()
        try:
            await link.join((reader, writer), self.connect)
        finally:
            self.cut += link.is_cut
            self._links.discard(link)
            if not self._links:
                self._idle.set()


class Link:
    """One connection: two ends, and what its *fate* lets pass between them."""

    def __init__(self, fate: Fate, *, luck: random.Random, flowing: asyncio.Event) -> None:
        self._fate = fate
        self._luck = luck
        self._flowing = flowing
        self._passed = 0
        self._writers: list[asyncio.StreamWriter] = []
        self._over = asyncio.Event()
        self.is_cut = False

    async def join(self, client: Ends, connect: Connect) -> None:
        """Pass bytes in both directions until either end closes or fate cuts in."""
        self._writers.append(client[1])
        try:
            server = await connect()
        except OSError:
            self.end("reset")
            return
        self._writers.append(server[1])
        passing = [
            asyncio.create_task(self._pass(source, target))
            for source, target in ((client[0], server[1]), (server[0], client[1]))
        ]
        over = asyncio.create_task(self._over.wait())
        await asyncio.wait([*passing, over], return_when=asyncio.FIRST_COMPLETED)
        for task in (*passing, over):
            task.cancel()
        await asyncio.gather(*passing, over, return_exceptions=True)
        self.end("close")

    def end(self, ending: Ending) -> None:
        """Close both ends, by a reset if *ending* says so."""
        for writer in self._writers:
            if ending == "reset":
                with suppress(OSError):
                    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
                writer.transport.abort()
            else:
                writer.close()
        self._over.set()

    async def _pass(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await self._read(source):
            await asyncio.sleep(self._luck.uniform(0, self._fate.delay))
            await self._flowing.wait()
            allowed = self._allowed(len(data))
            self._passed += allowed
            target.write(data[:allowed])
            with suppress(OSError):
                await target.drain()
            if allowed < len(data):
                await self._cut()
                return

    async def _read(self, source: asyncio.StreamReader) -> bytes:
        try:
            return await source.read(self._fate.piece)
        except OSError:
            return b""

    def _allowed(self, length: int) -> int:
        limit = self._fate.cut_after
        return length if limit is None else min(length, limit - self._passed)

    async def _cut(self) -> None:
        self.is_cut = True
        if self._fate.ending == "silence":
            await self._over.wait()
        self.end(self._fate.ending)


@asynccontextmanager
async def proxied(connect: Connect, *, draw: Draw = unharmed, seed: int = 0) -> AsyncIterator[Proxy]:
    """A proxy on a port of its own, for as long as the context lasts."""
    proxy = Proxy(connect, draw=draw, seed=seed)
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", backlog=1024)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        proxy.reset()
        await proxy.idle()
