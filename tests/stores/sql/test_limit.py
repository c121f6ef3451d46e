"""A limit in transactions of the user's: the lock lasts as long as they do, and whoever dies in between leaves nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from multiprocessing.connection import Connection as Pipe
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from fastapi_session.errors import StoreUnavailable
from fastapi_session.insertion import KEPT, REFUSED, Insertion, Limit
from fastapi_session.stores.sql import SqlStore
from fastapi_session.testing import HandClock
from fastapi_session.testing.records import new_session
from tests.reliability.processes import PROCESSES
from tests.stores.sql.conftest import PATIENCE, SERVERS

ONE = Limit(1)


@pytest.fixture(params=SERVERS)
def driver(request: pytest.FixtureRequest) -> str:
    """Servers alone: in SQLite whoever writes is alone anyway."""
    name: str = request.param
    return name


@pytest.fixture
async def store(engine: AsyncEngine, clock: HandClock) -> AsyncIterator[SqlStore]:
    store = SqlStore(engine, clock=clock, timeout=PATIENCE)
    yield store
    await store.close()


async def is_waiting(task: asyncio.Task[Any]) -> bool:
    """Say whether *task* is not done yet, after a while in which it would be."""
    done, _ = await asyncio.wait([task], timeout=0.3)
    return not done


async def inserted(
    store: SqlStore, connection: AsyncConnection, name: str, limit: Limit, clock: HandClock
) -> Insertion:
    return await store.within(connection).insert(new_session(name, now=clock()), limit=limit)


@pytest.mark.parametrize("ends", ["commit", "rollback"])
async def test_two_transactions_wait_for_each_other(
    ends: str, store: SqlStore, engine: AsyncEngine, clock: HandClock
) -> None:
    """The second sign-in of a user waits until the first has committed, and then sees its session, if it is there."""
    async with engine.connect() as first, engine.connect() as second:
        assert KEPT == await inserted(store, first, "a", ONE, clock)
        waiting = asyncio.create_task(inserted(store, second, "b", ONE, clock))
        assert await is_waiting(waiting)
        await getattr(first, ends)()
        other = new_session("a", now=clock())

        assert (Insertion("kept", (other,)) if ends == "commit" else KEPT) == await waiting
        await second.commit()
    assert [new_session("b", now=clock())] == list(await store.sessions_of("user"))


async def test_only_the_same_user_waits(store: SqlStore, engine: AsyncEngine, clock: HandClock) -> None:
    """Other users, and the same one in another tenant, sign in meanwhile; so does who has no limit."""
    committed = engine.execution_options(isolation_level="READ COMMITTED")
    async with committed.connect() as open_for_long:
        await inserted(store, open_for_long, "a", ONE, clock)
        other, elsewhere = new_session("b", now=clock(), user_id="other"), new_session("c", now=clock(), tenant_id="t1")

        assert [KEPT] * 3 == [
            await store.insert(other, limit=ONE),
            await store.insert(elsewhere, limit=ONE),
            await store.insert(new_session("d", now=clock())),
        ]


async def test_a_transaction_that_reads_the_past(
    store: SqlStore, engine: AsyncEngine, clock: HandClock, driver: str
) -> None:
    """Under REPEATABLE READ a sign-in never counts what was there when its transaction began, but what is there now, or fails."""
    repeatable = engine.execution_options(isolation_level="REPEATABLE READ")
    async with engine.connect() as first, repeatable.connect() as second:
        await store.within(second).sessions_of("user")  # from here on it reads the past
        await inserted(store, first, "a", ONE, clock)
        waiting = asyncio.create_task(inserted(store, second, "b", Limit(1, refuses=True), clock))
        assert await is_waiting(waiting)
        await first.commit()
        [outcome] = await asyncio.gather(waiting, return_exceptions=True)
        await second.rollback()

    # MySQL reads what is locked as it is now.
    assert (Insertion if driver.startswith("mysql") else StoreUnavailable) is type(outcome)
    assert not isinstance(outcome, Insertion) or outcome == REFUSED
    assert 1 == len(await store.sessions_of("user"))


def sign_in_and_stay(url: str, told: Pipe) -> None:
    """Begin a session in a transaction that is never committed."""

    async def begin() -> None:
        engine, clock = create_async_engine(url), HandClock()
        async with engine.connect() as connection:
            await inserted(SqlStore(engine, clock=clock), connection, "killed", ONE, clock)
            told.send("locked")
            await asyncio.sleep(600)

    with suppress(KeyboardInterrupt):
        asyncio.run(begin())


async def test_a_process_that_is_killed(store: SqlStore, url: str, clock: HandClock) -> None:
    """Who is killed between the lock and the commit has ended nobody and begun nothing, and blocks no other sign-in."""
    await store.insert(new_session("before", now=clock()))
    here, there = PROCESSES.Pipe()
    process = PROCESSES.Process(target=sign_in_and_stay, args=(url, there), daemon=True)
    process.start()
    assert "locked" == await asyncio.to_thread(here.recv)
    process.kill()
    await asyncio.to_thread(process.join)
    before = await store.sessions_of("user")
    after = await store.insert(new_session("after", now=clock()), limit=ONE)

    assert [new_session("before", now=clock())] == list(before)
    assert Insertion("kept", (new_session("before", now=clock()),)) == after
