"""The network that fails when it is told to does what it is told, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

import pytest

from tests.reliability.proxy import Draw, Ends, Fate, Proxy, always, proxied, to_address, unharmed

SENT = bytes(range(256)) * 1_000


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


@asynccontextmanager
async def echoing(draw: Draw = unharmed) -> AsyncIterator[tuple[Proxy, Ends]]:
    """A server that sends back what it receives, the proxy before it, and a connection through it."""
    server = await asyncio.start_server(echo, "127.0.0.1")
    async with proxied(to_address(*server.sockets[0].getsockname()), draw=draw) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        try:
            yield proxy, (reader, writer)
        finally:
            writer.close()
    server.close()


async def test_bytes_pass_as_they_are() -> None:
    """Split into small pieces that arrive late, all bytes arrive, in order, and the proxy forgets the connection."""
    async with echoing(always(Fate(delay=0.0001, piece=4_099))) as (proxy, (reader, writer)):
        writer.write(SENT)

        assert SENT == await reader.readexactly(len(SENT))
        assert (1, 1, 0) == (proxy.accepted, proxy.open_connections, proxy.cut)
    assert 0 == proxy.open_connections


async def test_delay() -> None:
    """Each piece waits."""
    async with echoing(always(Fate(delay=0.05))) as (_, (reader, writer)):
        began = monotonic()
        for _ in range(5):
            writer.write(b"x")
            await reader.readexactly(1)

        assert 0.05 < monotonic() - began


@pytest.mark.parametrize("cut_after", [0, 1, 10, 15])
async def test_a_cut_in_good_order(cut_after: int) -> None:
    """What passes in both directions together before the cut is exactly what was allowed."""
    async with echoing(always(Fate(cut_after=cut_after))) as (proxy, (reader, writer)):
        writer.write(b"0123456789")

        assert b"0123456789"[: max(0, cut_after - 10)] == await reader.read(100)
        await proxy.idle()
        assert (1, 0) == (proxy.cut, proxy.open_connections)


async def test_a_cut_by_a_reset() -> None:
    """A reset is an error for the one who reads."""
    async with echoing(always(Fate(cut_after=4, ending="reset"))) as (_, (reader, writer)):
        writer.write(b"0123456789")

        with pytest.raises(ConnectionResetError):
            await reader.read(100)


async def test_a_cut_into_silence() -> None:
    """A connection that was swallowed stays open, and nothing comes."""
    async with echoing(always(Fate(cut_after=4, ending="silence"))) as (proxy, (reader, writer)):
        writer.write(b"0123456789")

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(100), 0.05)
        assert 1 == proxy.open_connections


async def test_silence_for_a_while() -> None:
    """What was sent while nothing passed arrives afterwards."""
    async with echoing() as (proxy, (reader, writer)):
        proxy.silence()
        writer.write(b"late")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(100), 0.05)
        proxy.resume()

        assert b"late" == await reader.read(100)


async def test_a_reset_of_all() -> None:
    """Every open connection ends at once, and the next one is served again."""
    async with echoing() as (proxy, (reader, writer)):
        writer.write(b"x")
        await reader.readexactly(1)
        proxy.reset()
        with pytest.raises(ConnectionResetError):
            await reader.read(100)
        again, back = await asyncio.open_connection("127.0.0.1", proxy.port)
        back.write(b"y")

        assert b"y" == await again.readexactly(1)
        back.close()


async def test_a_server_that_is_not_there() -> None:
    """Where nobody listens behind the proxy, the connection is reset."""
    nobody = await asyncio.start_server(echo, "127.0.0.1")
    address = nobody.sockets[0].getsockname()
    nobody.close()
    await nobody.wait_closed()
    async with proxied(to_address(*address)) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        with pytest.raises(ConnectionResetError):
            await reader.read(100)

        assert 0 == proxy.open_connections
        writer.close()
