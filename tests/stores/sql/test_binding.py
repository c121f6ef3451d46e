"""A session is bound by the database's clock, in the user's transaction, and by one of many: whoever rotates meanwhile waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from fastapi_session.clock import system_clock
from fastapi_session.model import SessionRecord
from fastapi_session.stores.sql import SqlStore
from fastapi_session.testing.records import bound_key, digest, new_session, next_rotation
from tests.stores.sql.conftest import PATIENCE, SERVERS

OWN = bound_key("own")
servers_alone = pytest.mark.parametrize("driver", SERVERS, indirect=True)


@pytest.fixture
async def store(url: str, engine: AsyncEngine) -> AsyncIterator[SqlStore]:
    """A store that goes by the clock of its database."""
    store = SqlStore(url, timeout=PATIENCE)
    await store.open()
    yield store
    await store.close()


@pytest.fixture
async def pool(url: str, engine: AsyncEngine) -> AsyncIterator[AsyncEngine]:
    """The user's own engine."""
    pool = create_async_engine(url)
    yield pool
    await pool.dispose()


@pytest.fixture
async def record(store: SqlStore) -> SessionRecord:
    record = new_session("a", now=system_clock())
    await store.insert(record)
    return record


async def key_of(store: SqlStore, record: SessionRecord) -> str | None:
    kept = (await store.get(record.session_id)).record
    assert kept is not None
    return kept.bound_key


async def test_the_clock_of_the_database_decides(store: SqlStore, record: SessionRecord) -> None:
    """A session that has expired by the database's clock is not bound any more."""
    expired = new_session("expired", now=0, lineage={"idle_expires_at": system_clock() - 1})
    await store.insert(expired)

    assert [True, False] == [await store.bind(each.session_id, OWN) for each in (record, expired)]


@pytest.mark.parametrize("commits", [True, False], ids=["committed", "rolled back"])
async def test_in_the_users_transaction(
    commits: bool, store: SqlStore, pool: AsyncEngine, record: SessionRecord
) -> None:
    """What is bound in a transaction of the user's is bound as soon as that commits, and if it is undone, it was not."""
    async with pool.connect() as connection:
        joined = store.within(connection)
        assert [True, False] == [await joined.bind(record.session_id, key) for key in (OWN, bound_key("other"))]
        await (connection.commit() if commits else connection.rollback())

    assert (OWN if commits else None) == await key_of(store, record)


@servers_alone
@pytest.mark.parametrize("commits", [True, False], ids=["committed", "rolled back"])
async def test_a_rotation_waits_for_a_binding(
    commits: bool, store: SqlStore, pool: AsyncEngine, record: SessionRecord
) -> None:
    """A refresh that comes without the key while a session is being bound goes by what becomes of that, in a batch of others too."""
    others = [new_session(f"{n}", now=system_clock()) for n in range(4)]
    await asyncio.gather(*map(store.insert, others))
    without = [next_rotation(each, debounce=0) for each in (record, *others)]
    async with pool.connect() as connection:
        assert await store.within(connection).bind(record.session_id, OWN)
        waiting, *going_on = [asyncio.create_task(store.rotate(each)) for each in without]
        assert None not in await asyncio.gather(*going_on)
        assert not waiting.done()
        await (connection.commit() if commits else connection.rollback())
        rotated = await waiting

    assert commits is (rotated is None)
    with_key = replace(without[0], proved=OWN, successor=digest("with the key"))
    assert commits is (await store.rotate(with_key) is not None)


@servers_alone
async def test_one_of_many_binds(url: str, store: SqlStore, record: SessionRecord) -> None:
    """Of many who bind a session through two pools one is told that it did, and its key is kept."""
    other = SqlStore(url, timeout=PATIENCE)
    keys = [bound_key(f"{n}") for n in range(32)]
    bound = await asyncio.gather(*((store, other)[n % 2].bind(record.session_id, key) for n, key in enumerate(keys)))
    await other.close()

    assert 1 == sum(bound)
    assert keys[bound.index(True)] == await key_of(store, record)
