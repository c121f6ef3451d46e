"""What SQLite and Redis are asked for a refresh: one statement, one script, whether the session is bound or not.

What a database server is asked is counted in `sql/test_round_trips.py`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from redis.asyncio import Redis

from fastapi_session.model import SessionRecord
from fastapi_session.stores.base import Store
from fastapi_session.stores.redis import RedisStore
from fastapi_session.stores.sqlite import SqliteStore
from fastapi_session.testing import HandClock
from fastapi_session.testing.records import bound_key, new_session, next_rotation

BOUND = [None, bound_key("own")]


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


async def kept(store: Store, clock: HandClock, *, key: str | None) -> SessionRecord:
    """Return a session with this *key* that *store* keeps, and has handed on once already: all is known that a refresh needs."""
    record = new_session("a", now=clock(), bound_key=key)
    await store.insert(record)
    rotated = await store.rotate(next_rotation(record, debounce=0))
    assert rotated is not None
    return rotated


@pytest.mark.parametrize("key", BOUND, ids=["not bound", "bound"])
async def test_sqlite_is_asked_once(key: str | None, tmp_path: Path, clock: HandClock) -> None:
    """A refresh is one UPDATE in a transaction of its own, be the key proved or not, and so is the binding."""
    store, statements = SqliteStore(tmp_path / "sessions.db", clock=clock), list[str]()
    record = await kept(store, clock, key=key)
    await store._thread.write_row(lambda db: db.set_trace_callback(statements.append))
    one = ["BEGIN", "UPDATE", "COMMIT"]

    async def asked(operation: Awaitable[object]) -> list[str]:
        statements.clear()
        await operation
        return [statement.split()[0] for statement in statements]

    assert one == await asked(store.rotate(next_rotation(record, debounce=0, proved=bound_key("another"))))
    assert one == await asked(store.rotate(next_rotation(record, debounce=0)))
    assert one == await asked(store.bind(record.session_id, bound_key("own")))
    await store.close()


@pytest.fixture
async def redis(valkey_url: str) -> AsyncIterator[Redis]:
    client = Redis.from_url(valkey_url)
    await client.flushall()
    yield client
    await client.aclose()


@pytest.fixture
def scripts_run(redis: Redis) -> Callable[[], Awaitable[int]]:
    """How many scripts the server has run for us."""

    async def run() -> int:
        commands = await redis.info("commandstats")
        return sum(commands.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in ("eval", "evalsha"))

    return run


@pytest.mark.parametrize("key", BOUND, ids=["not bound", "bound"])
async def test_redis_is_asked_once(
    key: str | None, valkey_url: str, scripts_run: Callable[[], Awaitable[int]], clock: HandClock
) -> None:
    """A refresh is one script, be the key proved or not, and so is the binding."""
    store = RedisStore(valkey_url, clock=clock)
    record = await kept(store, clock, key=key)
    await store.bind("0" * 32, bound_key("own"))

    for operation in (
        store.rotate(next_rotation(record, debounce=0, proved=bound_key("another"))),
        store.rotate(next_rotation(record, debounce=0)),
        store.bind(record.session_id, bound_key("own")),
    ):
        before = await scripts_run()
        await operation
        assert 1 == await scripts_run() - before
    await store.close()
