"""Calls to a Redis server end in their own answer or in `StoreUnavailable`, whatever happens to either side."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Connection, ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError  # noqa: A004 - redis-py's own

from fastapi_session.clock import system_clock
from fastapi_session.errors import ConfigurationError, StoreUnavailable
from fastapi_session.insertion import KEPT, Insertion
from fastapi_session.stores.batching import MAX_IN_FLIGHT
from fastapi_session.stores.opening import WRONG_USER
from fastapi_session.stores.redis import RedisStore
from fastapi_session.testing.records import digest, new_session, new_signing_key, next_rotation
from tests.stores.redis_servers import Server, patient, running

PATIENCE = 30
"""Seconds that what will be true may take on a busy machine."""
IMPATIENT = "?socket_timeout=0.2&socket_connect_timeout=0.2"


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


def busy_connections(store: RedisStore) -> int:
    """How many connections of the store have not come back to their pool."""
    [client] = store._calls._clients.values()
    assert isinstance(client, Redis)
    return len(client.connection_pool._in_use_connections)


async def until_idle(store: RedisStore) -> None:
    """Wait for what is under way."""
    assert store._calls._batcher is not None
    await store._calls._batcher.idle()


async def connections(admin: Redis) -> int:
    return len(await admin.client_list())


async def failure(operation: Awaitable[Any]) -> str:
    """The message of the StoreUnavailable in which *operation* ends."""
    with pytest.raises(StoreUnavailable) as caught:
        await operation
    return str(caught.value)


async def storm(operations: Iterable[Awaitable[Any]], *, seed: int) -> list[Any]:
    """Begin all *operations* at once and cancel two of three at random moments; answer what came of each."""
    moments = random.Random(seed)
    tasks = [asyncio.ensure_future(operation) for operation in operations]
    for task in tasks:
        if moments.random() < 2 / 3:
            asyncio.get_running_loop().call_later(moments.random() / 50, task.cancel)
    return await asyncio.gather(*tasks, return_exceptions=True)


class TestCancelling:
    async def test_nobody_is_given_the_answer_of_another(self, store: RedisStore, admin: Redis) -> None:
        """Of thousands of reads most are cancelled, some in the middle of a reply; all others get their own session."""
        records = [new_session(f"{n}", now=system_clock(), user_id=f"user {n}") for n in range(200)]
        await asyncio.gather(*(store.insert(record) for record in records))
        answered = 0
        for seed in range(10):
            answers = await storm([store.get(record.session_id) for record in records], seed=seed)
            for record, answer in zip(records, answers, strict=True):
                assert isinstance(answer, asyncio.CancelledError) or answer.record == record
                answered += not isinstance(answer, asyncio.CancelledError)
        await store.close()

        assert 500 < answered < 2000
        assert 1 == await connections(admin)

    async def test_the_pool_is_whole_afterwards(self, store: RedisStore, admin: Redis) -> None:
        """After storms of cancelled writes every connection is back in its pool, and there are no more than allowed."""
        records = [new_session(f"{n}", now=system_clock()) for n in range(200)]
        for seed in range(4):
            some = records[50 * seed : 50 * (seed + 1)]
            await storm([store.insert(record) for record in some], seed=seed)
            await storm([store.rotate(next_rotation(record, debounce=0)) for record in some], seed=seed)
        await until_idle(store)

        assert 0 == busy_connections(store)
        assert 1 < await connections(admin) <= MAX_IN_FLIGHT + 1

    async def test_a_write_that_has_begun_is_finished(self, store: RedisStore) -> None:
        """A caller that goes away takes nothing back: what it asked for happens. In the turn in which it asks it has not begun."""
        records = [new_session(each, now=system_clock()) for each in ("a", "b")]
        for turns, record in zip((1, 2), records, strict=True):
            task = asyncio.create_task(store.insert(record))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()
        await store.close()

        assert [None, records[1]] == [(await store.get(record.session_id)).record for record in records]

    async def test_a_caller_leaves_at_once(self, server: Server, admin: Redis) -> None:
        """While the server does not answer, a caller that is cancelled does not wait for it."""
        store = RedisStore(server.url + IMPATIENT)
        await store.open()
        with server.frozen():
            task = asyncio.create_task(store.get("0" * 32))
            await asyncio.sleep(0.01)
            task.cancel()
            done, _ = await asyncio.wait([task], timeout=0.1)
        await store.close()

        assert {task} == done


class TestUnavailable:
    async def test_every_operation_tells(self, tmp_path: Path) -> None:
        """Whatever is asked of a server that is gone is unavailable, and the message names nothing that was sent."""
        with running(tmp_path) as server:
            store = RedisStore(patient(server.url))
            record = new_session("a", now=1)
            await store.open()
            server.kill()
            operations = [
                store.open(),
                store.insert(record),
                store.rotate(next_rotation(record)),
                store.get(record.session_id),
                store.replace(record.session_id, expected=record.lineage, lineage=record.lineage),
                store.delete(record.session_id),
                store.acknowledge(record.session_id, current=record.lineage.current, issue_id=b"used"),
                store.update(record.session_id, version=0, access_token_payload={}, session_data={}, label=None),
                store.sessions_of("user"),
                store.delete_sessions_of("user", limit=100),
                store.delete_expired(limit=1),
                store.delete_external(digest("external"), limit=1),
                store.once(digest("once"), until=1),
                store.is_remembered(digest("once")),
                store.insert_key(new_signing_key("k", now=1)),
                store.signing_keys(),
                store.replace_key(new_signing_key("k", now=1), expected_secret_kid=1),
                store.delete_key("k"),
                store.notices(after=0),
                store.delete_notices(until=1, limit=1),
            ]
            messages = {await failure(operation) for operation in operations}
            await store.close()

        assert {"Redis failed: ConnectionError"} == {message.partition(",")[0] for message in messages}

    async def test_nothing_that_was_answered_is_lost_in_a_crash(self, tmp_path: Path) -> None:
        """A server that is killed under load and started again has everything it answered, and the store goes on."""
        with running(tmp_path) as server:
            store = RedisStore(patient(server.url))
            records = [new_session(f"{n}", now=system_clock()) for n in range(2_000)]
            inserts = [asyncio.create_task(store.insert(record)) for record in records]
            for answered_insert in islice(asyncio.as_completed(inserts), 100):
                await answered_insert
            server.kill()
            outcomes = await asyncio.gather(*inserts, return_exceptions=True)
            await asyncio.to_thread(server.restart)
            answered = [record for record, outcome in zip(records, outcomes, strict=True) if outcome == KEPT]
            kept = await asyncio.gather(*(store.get(record.session_id) for record in answered))
            await store.close()

        assert {Insertion, StoreUnavailable} == {type(outcome) for outcome in outcomes}
        assert answered == [reading.record for reading in kept]

    async def test_idle_connections_are_opened_anew(self, tmp_path: Path) -> None:
        """A server that was restarted while nobody asked anything is asked again as if nothing had happened."""
        with running(tmp_path) as server:
            store = RedisStore(patient(server.url))
            await asyncio.gather(*(store.get("0" * 32) for _ in range(100)))
            server.stop()
            await asyncio.to_thread(server.restart)
            readings = await asyncio.gather(*(store.get("0" * 32) for _ in range(100)))
            await store.close()

        assert {None} == {reading.record for reading in readings}

    async def test_a_server_that_hangs(self, server: Server, admin: Redis) -> None:
        """A server that stops answering is unavailable after the timeout, and its late replies reach nobody."""
        store = RedisStore(server.url + IMPATIENT)
        records = [new_session(f"{n}", now=system_clock()) for n in range(8)]
        for record in records:
            await store.insert(record)
        with server.frozen():
            messages = await asyncio.gather(*(failure(store.get(record.session_id)) for record in records))
        kept = [(await store.get(record.session_id)).record for record in reversed(records)]
        await store.close()

        assert {"Redis failed"} == {message.partition(":")[0] for message in messages}
        assert records[::-1] == kept

    async def test_a_memory_that_is_full(self, store: RedisStore, admin: Redis) -> None:
        """A server that may not evict refuses a write as a whole, and goes on reading."""
        record, other = new_session("a", now=system_clock()), new_session("b", now=system_clock())
        await store.insert(record)
        await admin.config_set("maxmemory", 1)
        message = await failure(store.insert(other))
        kept = (await store.get(record.session_id)).record
        await admin.config_set("maxmemory", 0)

        assert "Redis failed: OutOfMemoryError" == message
        assert (record, None) == (kept, (await store.get(other.session_id)).record)

    async def test_a_wrong_password(self, server: Server) -> None:
        """A server that does not let us in is a mistake of the configuration, and the message keeps the password."""
        store = RedisStore(f"redis://user:secret-password@{server.address}")
        with pytest.raises(ConfigurationError) as failed:
            await store.open()
        await store.close()

        assert f"store: {WRONG_USER} ({server.address})" == str(failed.value)

    async def test_the_reply_of_another_request(self, server: Server, admin: Redis) -> None:
        """If a driver mixes up two replies, neither caller gets the reply of the other."""

        class CrossedRedis(Redis):
            async def execute_command(self, *args: Any, **options: Any) -> Any:
                return [b"another ticket", [None], b"0"]

        client = CrossedRedis.from_url(server.url)
        message = await failure(RedisStore(client).get("0" * 32))
        await client.aclose()

        assert "Redis failed: the reply belongs to another request" == message


class ForgetfulConnection(Connection):
    """Loses one reply, once the server has done what it was asked."""

    loses = False

    async def read_response(self, *arguments: Any, **options: Any) -> Any:
        reply = await super().read_response(*arguments, **options)
        if ForgetfulConnection.loses and isinstance(reply, list):  # as scripts reply
            ForgetfulConnection.loses = False
            raise ConnectionError("the reply is lost")
        return reply


class TestRepeated:
    async def test_what_must_not_happen_twice(self, server: Server, admin: Redis) -> None:
        """A client that sends a command again, since its reply was lost, is told the same: it was the first. Another one is not."""
        pool = ConnectionPool.from_url(
            server.url,
            connection_class=ForgetfulConnection,
            retry=Retry(NoBackoff(), 3),
            retry_on_error=[ConnectionError],
        )
        async with Redis.from_pool(pool) as client:
            store = RedisStore(client)
            await store.open()
            ForgetfulConnection.loses = True
            told = [await store.once(digest("once"), until=system_clock() + 60_000) for _ in range(2)]
            assert not ForgetfulConnection.loses

        assert [True, False] == told


class TestConnections:
    async def test_many_callers_share_few_connections(self, store: RedisStore, admin: Redis) -> None:
        """However many ask at once, they wait for each other instead of opening a connection each."""
        readings = await asyncio.gather(*(store.get("0" * 32) for _ in range(1_000)))

        assert {None} == {reading.record for reading in readings}
        assert await connections(admin) <= MAX_IN_FLIGHT + 1

    async def test_closing_leaves_no_connection(self, store: RedisStore, admin: Redis) -> None:
        """Closing waits for what was asked, answers it, and closes every connection."""
        reads = [asyncio.create_task(store.get("0" * 32)) for _ in range(100)]
        await asyncio.sleep(0)
        await store.close()

        assert 100 == len(await asyncio.gather(*reads))
        async with asyncio.timeout(PATIENCE):  # the server hears of it later than who closed
            while await connections(admin) > 1:  # noqa: ASYNC110 - the server tells nobody
                await asyncio.sleep(0.01)

    def test_event_loops_in_turn(self, server: Server) -> None:
        """One store serves one event loop after the other, where each closes it."""
        store = RedisStore(patient(server.url))
        record = new_session("in turn", now=system_clock())

        async def use(generation: int) -> int:
            if generation == 0:
                await store.insert(record)
            lineage = replace(record.lineage, generation=generation, current=digest(f"S{generation}"))
            rotated = await store.rotate(next_rotation(replace(record, lineage=lineage), debounce=0))
            await store.close()
            assert rotated is not None
            return rotated.lineage.generation

        assert [1, 2, 3] == [asyncio.run(use(generation)) for generation in range(3)]

    def test_event_loops_side_by_side(self, server: Server) -> None:
        """Threads with event loops of their own share one store: exactly one of them hands a session on."""
        store = RedisStore(patient(server.url))
        record = new_session("side by side", now=system_clock())

        async def insert() -> None:
            await store.insert(record)
            await store.close()

        async def rotate() -> bool:
            rotated = await asyncio.gather(*(store.rotate(next_rotation(record, debounce=0)) for _ in range(8)))
            await store.close()
            return any(rotated)

        asyncio.run(insert())
        with ThreadPoolExecutor(4) as threads:
            answers = list(threads.map(lambda _: asyncio.run(rotate()), range(4)))

        assert 1 == sum(answers)
