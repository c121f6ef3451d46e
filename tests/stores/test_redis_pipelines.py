"""What goes to a Redis server together: each caller is told what is its own, whatever becomes of the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from redis.asyncio import Connection, Redis

from fastapi_session.clock import system_clock
from fastapi_session.errors import StoreUnavailable
from fastapi_session.insertion import KEPT
from fastapi_session.model import SessionRecord
from fastapi_session.stores.redis import RedisStore, scripts
from fastapi_session.stores.redis.connections import LONGEST, connect, pool_of
from fastapi_session.stores.redis.feed_scripts import NOTICES
from fastapi_session.stores.redis.limit_script import INSERT_LIMITED
from fastapi_session.stores.redis.once_scripts import IS_REMEMBERED
from fastapi_session.stores.redis.pipelines import FEW_CHARACTERS, FEW_KEYS, Call
from fastapi_session.stores.redis.script import Script, telling
from fastapi_session.testing.records import digest, new_session, next_rotation
from tests.stores.redis_servers import Server, patient, running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture
async def admin(server: Server) -> AsyncIterator[Redis]:
    """A connection of its own, to see what the server sees. What is kept is forgotten."""
    client = Redis.from_url(server.url, decode_responses=True)
    await client.flushall()
    yield client
    await client.aclose()


@pytest.fixture
async def store(server: Server, admin: Redis) -> AsyncIterator[RedisStore]:
    store = RedisStore(patient(server.url))
    yield store
    await store.close()


@pytest.fixture
async def kept(store: RedisStore) -> Sequence[SessionRecord]:
    """Sessions that are kept."""
    records = [new_session(f"{n}", now=system_clock()) for n in range(8)]
    assert [KEPT] * 8 == await asyncio.gather(*map(store.insert, records))
    return records


async def read(store: RedisStore, records: Sequence[SessionRecord]) -> list[Any]:
    """What is told of *records* in one turn: each of them, or the message of a failure."""
    told = await asyncio.gather(*(store.get(each.session_id) for each in records), return_exceptions=True)
    return [str(each) if isinstance(each, StoreUnavailable) else each.record for each in told]  # type: ignore[union-attr]


class TestTogether:
    async def test_one_turn_is_one_pipeline(
        self, store: RedisStore, admin: Redis, kept: Sequence[SessionRecord]
    ) -> None:
        """What is asked in one turn needs one connection, and each is told what is its own."""
        await admin.client_kill_filter(skipme=True, _type="normal")

        assert kept == await read(store, kept)
        assert 2 == len(await admin.client_list())

    async def test_an_error_of_ones_own(self, store: RedisStore, admin: Redis, kept: Sequence[SessionRecord]) -> None:
        """What the server refuses one of them fails for that one alone."""
        [key] = await admin.keys(f"*{kept[3].session_id}")
        await admin.delete(key)
        await admin.set(key, "in its place")

        assert [*kept[:3], "Redis failed: ResponseError", *kept[4:]] == await read(store, kept)

    async def test_scripts_that_were_forgotten(
        self, store: RedisStore, admin: Redis, kept: Sequence[SessionRecord]
    ) -> None:
        """A server whose script cache was emptied is told the scripts, and each of them is run once."""
        await admin.script_flush()
        rotated = await asyncio.gather(*(store.rotate(next_rotation(each, debounce=0)) for each in kept))
        await admin.script_flush()

        assert rotated == await read(store, kept)
        assert {1} == {each.lineage.generation for each in rotated if each is not None}

    async def test_other_letters(self, server: Server, admin: Redis) -> None:
        """Keys need not be ASCII."""
        store, records = RedisStore(patient(server.url), prefix="säo"), [new_session(each, now=1) for each in "ab"]
        await asyncio.gather(*map(store.insert, records))
        told = await read(store, records)
        await store.close()

        assert records == told


class FaultyConnection(Connection):
    """Swaps the first two replies of scripts, or loses the second, or takes 0.2 seconds for each, if it is told to."""

    fault = ""
    came = 0

    async def read_response(self, *arguments: Any, **options: Any) -> Any:
        fault, self.came = self.fault, self.came + bool(self.fault)
        if fault == "swaps" and self.came == 1:
            self.second = await super().read_response(*arguments, **options)
            return await super().read_response(*arguments, **options)
        if fault == "swaps" and self.came == 2:
            return self.second
        if fault == "loses" and self.came == 2:
            raise ConnectionResetError
        if fault == "dawdles":
            await asyncio.sleep(0.2)
        return await super().read_response(*arguments, **options)


class TestFaults:
    @pytest.fixture
    async def connection(self, store: RedisStore, kept: Sequence[SessionRecord]) -> FaultyConnection:
        """The only connection of the store, which works until it is told otherwise."""
        pool = pool_of(store._calls._client())
        await pool.disconnect()
        pool.reset()  # type: ignore[no-untyped-call]  # as redis-py has it
        pool.connection_class = FaultyConnection
        await read(store, kept[:2])
        [connection] = pool._available_connections
        assert isinstance(connection, FaultyConnection)
        return connection

    async def test_replies_that_are_mixed_up(
        self, store: RedisStore, kept: Sequence[SessionRecord], connection: FaultyConnection
    ) -> None:
        """Nobody is told what belongs to another; others are told what is theirs, and the connection is closed."""
        connection.fault = "swaps"
        mixed_up = "Redis failed: the reply belongs to another request"

        assert [mixed_up, mixed_up, *kept[2:]] == await read(store, kept)
        assert not connection.is_connected
        connection.fault = ""
        assert kept == await read(store, kept)

    async def test_a_reply_that_is_lost(
        self, store: RedisStore, kept: Sequence[SessionRecord], connection: FaultyConnection
    ) -> None:
        """Who was told before has it; all after it are told that nothing is known."""
        connection.fault = "loses"

        assert [kept[0], *["Redis failed: ConnectionResetError"] * 7] == await read(store, kept)
        assert not connection.is_connected

    async def test_replies_that_come_slowly(
        self, store: RedisStore, kept: Sequence[SessionRecord], connection: FaultyConnection
    ) -> None:
        """All replies together have to come within the patience for one request."""
        [client] = store._calls._clients.values()
        pool_of(client).patience = timedelta(seconds=0.3)
        connection.fault = "dawdles"  # each of them in time

        assert ["Redis failed: TimeoutError"] * 6 == (await read(store, kept))[2:]
        assert not connection.is_connected
        assert [] == [*pool_of(client)._in_use_connections]

    @pytest.mark.parametrize(("fault", "place"), [("swaps", 2), ("loses", 0)])
    async def test_scripts_that_were_forgotten(
        self, store: RedisStore, admin: Redis, connection: FaultyConnection, fault: str, place: int
    ) -> None:
        """Where nobody knows whose an error is, nothing is asked again: it may have been done."""
        known, unknown = digest("known"), new_session("unknown", now=system_clock())
        await admin.script_flush()
        await store.is_remembered(known)
        connection.fault = fault
        asked = [store.is_remembered(known), store.is_remembered(known)]
        asked.insert(place, store.insert(unknown))  # type: ignore[arg-type]  # it returns something else
        told = await asyncio.gather(*asked, return_exceptions=True)
        connection.fault = ""

        assert isinstance(told[place], StoreUnavailable)
        assert None is (await store.get(unknown.session_id)).record

    async def test_a_server_that_is_killed(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        """Whoever is under way when the server dies is told that it is away, and soon."""
        with running(tmp_path_factory.mktemp("killed")) as server:
            store = RedisStore(patient(server.url))
            await store.get("0" * 32)
            with server.frozen():
                asked = [asyncio.ensure_future(store.get("0" * 32)) for _ in range(64)]
                await asyncio.sleep(0.01)
                server.kill()
            told = await asyncio.gather(*asked, return_exceptions=True)
            server.restart()
            again = await read(store, [new_session("a", now=1)])
            await store.close()

        assert {StoreUnavailable} == {type(each) for each in told}
        assert [None] == again


FEW = ["key"] * FEW_KEYS


@pytest.mark.parametrize(
    ("is_short", "script", "keys", "arguments"),
    [
        (True, scripts.INSERT, FEW, ["x" * FEW_CHARACTERS]),
        (True, telling(scripts.INSERT), FEW, []),
        (True, scripts.ROTATE, FEW, []),
        (True, scripts.READ, FEW, []),
        (True, IS_REMEMBERED, FEW, []),
        (False, scripts.READ, [*FEW, "another"], []),
        (False, scripts.INSERT, FEW, ["x" * FEW_CHARACTERS, "x"]),
        (False, scripts.NAMES_OF_USER, FEW, []),
        (False, scripts.DELETE_EXPIRED, FEW, []),
        (False, INSERT_LIMITED, FEW, []),
        (False, NOTICES, FEW, []),
    ],
)
def test_what_is_short(is_short: bool, script: Script, keys: Sequence[str], arguments: Sequence[str]) -> None:
    """What may take long, or has much to carry, goes alone: others would wait for it."""
    assert is_short == Call(script, keys, arguments).is_short


@pytest.mark.parametrize(
    ("seconds", "query"),
    [(20.0, ""), (16.0, "?timeout=1"), (8.0, "?timeout=1&socket_timeout=1"), (LONGEST, "?socket_timeout=inf")],
)
def test_patience(seconds: float, query: str) -> None:
    """Who waits does so as long as all waits of a request together, as the URL has them."""
    patience = pool_of(connect(f"redis://127.0.0.1{query}")).patience

    assert seconds == patience.total_seconds()
