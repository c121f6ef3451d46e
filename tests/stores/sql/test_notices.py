"""The revocation feed of `SqlStore`: a notice shares the fate of what it tells of, whosever transaction that is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from fastapi_session.errors import StoreUnavailable
from fastapi_session.model import Notice
from fastapi_session.stores.base import Store
from fastapi_session.stores.sql import METADATA, SqlStore
from fastapi_session.stores.sql.tables import NOTICE
from fastapi_session.testing import HandClock
from fastapi_session.testing.records import digest, duration, new_session, new_signing_key
from tests.stores.sql.conftest import PATIENCE

EXTERNAL = digest("external")
OLD, NEW = new_session("old", now=0, external_session=EXTERNAL), new_session("new", now=0)

NOTED: dict[str, Callable[[Store], Coroutine[Any, Any, object]]] = {
    "insert": lambda store: store.insert(NEW, replacing=[OLD.session_id]),
    "delete": lambda store: store.delete(OLD.session_id),
    "a conditional delete": lambda store: store.delete(OLD.session_id, expected=OLD.lineage),
    "delete_sessions_of": lambda store: store.delete_sessions_of("user", limit=100),
    "delete_external": lambda store: store.delete_external(EXTERNAL, limit=100),
    "update": lambda store: store.update(
        OLD.session_id, version=0, access_token_payload={}, session_data={}, label=None, marks_stale=True
    ),
    "delete_key": lambda store: store.delete_key("k1"),
}
"""Whatever appends a notice, to a store of the session `OLD` and the key `k1`."""


@pytest.fixture
async def store(url: str, engine: AsyncEngine, clock: HandClock) -> AsyncIterator[SqlStore]:
    store = SqlStore(url, clock=clock, timeout=PATIENCE)
    await store.open()
    yield store
    await store.close()


@pytest.mark.parametrize("verb", NOTED)
async def test_nothing_happens_that_cannot_be_noted(store: SqlStore, engine: AsyncEngine, verb: str) -> None:
    """If the notice cannot be written, neither is what it would tell of."""
    key = new_signing_key("k1", now=0)
    await store.insert(OLD)
    await store.insert_key(key)
    async with engine.begin() as connection:
        await connection.run_sync(NOTICE.drop)

    with pytest.raises(StoreUnavailable):
        await NOTED[verb](store)
    assert [OLD, None] == [(await store.get(each.session_id)).record for each in (OLD, NEW)]
    assert [key] == list(await store.signing_keys())


async def test_a_session_that_many_delete_is_noted_once(store: SqlStore, clock: HandClock) -> None:
    """Of many that delete one session at once one does, and there is one notice of it."""
    await store.insert(OLD)
    deleted = await asyncio.gather(*(store.delete(OLD.session_id) for _ in range(16)))

    assert 1 == sum(deleted)
    assert (Notice(OLD.session_id, "session_revoked", clock()),) == (await store.notices(after=0)).notices


async def test_notices_are_dated_by_the_database(url: str, engine: AsyncEngine) -> None:
    """Without a clock the database's own dates the notices, and is answered with them."""
    store = SqlStore(url)
    await store.insert(OLD)
    before = time.time_ns() // 1_000_000
    await store.delete(OLD.session_id)
    reading = await store.notices(after=before - 2)

    assert [OLD.session_id] == [notice.subject for notice in reading.notices]
    assert before - 1 <= reading.notices[0].at <= reading.now <= time.time_ns() // 1_000_000 + 1


async def test_workers_clear_notices_away_side_by_side(store: SqlStore, clock: HandClock) -> None:
    """Of many that clear away at once none waits or fails, and each notice is counted once."""
    for n in range(20):
        await store.insert(new_session(f"{n}", now=clock()))
    await store.delete_sessions_of("user", limit=100)
    counts = await asyncio.gather(*(store.delete_notices(until=clock(), limit=5) for _ in range(4)))

    assert 20 == sum(counts) + await store.delete_notices(until=clock(), limit=20)


@pytest.mark.parametrize("driver", ["postgresql+asyncpg"])
async def test_rights_on_the_tables_are_enough(store: SqlStore, engine: AsyncEngine) -> None:
    """An application that may read and write the tables, which another role has made, needs no further right to revoke."""
    await store.insert(OLD)
    async with engine.connect() as connection:
        await connection.execute(text("CREATE ROLE application"))
        for table in METADATA.tables:
            await connection.execute(text(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO application"))
        await connection.execute(text("SET LOCAL ROLE application"))
        joined = store.within(connection)

        assert await joined.delete(OLD.session_id)
        assert 1 == len((await joined.notices(after=0)).notices)
        await connection.rollback()


class TestJoining:
    async def test_a_rolled_back_transaction_tells_nobody(self, store: SqlStore, engine: AsyncEngine) -> None:
        """A session that was revoked in the user's transaction is back when that is rolled back, and was never noted."""
        await store.insert(OLD)
        async with engine.connect() as connection:
            assert await store.within(connection).delete(OLD.session_id)
            await connection.rollback()

        assert OLD == (await store.get(OLD.session_id)).record
        assert () == (await store.notices(after=0)).notices

    async def test_a_committed_transaction_tells_everybody(
        self, store: SqlStore, engine: AsyncEngine, clock: HandClock
    ) -> None:
        """A revocation in the user's transaction is heard of when the user commits, with the moment when it was asked for."""
        await store.insert(OLD)
        began = clock()
        async with engine.begin() as connection:
            joined: Store = store.within(connection)
            await joined.delete(OLD.session_id)
            assert 1 == len((await joined.notices(after=0)).notices)
            clock.advance(duration(90_000))
            reading = await store.notices(after=0)

        assert ((), began + 90_000) == (reading.notices, reading.now)
        assert (Notice(OLD.session_id, "session_revoked", began),) == (await store.notices(after=began - 1)).notices
        assert () == (await store.notices(after=reading.now)).notices
