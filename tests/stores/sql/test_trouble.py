"""Servers die, callers vanish, transactions collide: `SqlStore` says so, keeps its pool whole, and goes on."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util import await_only

from fastapi_session.errors import StoreUnavailable
from fastapi_session.model import SessionRecord
from fastapi_session.stores.rows import SESSION_COLUMNS, session_row
from fastapi_session.stores.sql import SqlStore
from fastapi_session.stores.sql.statements import DELETE, INSERT, columns
from fastapi_session.testing import HandClock
from fastapi_session.testing.records import new_session, next_rotation
from tests.reliability.proxy import proxied
from tests.reliability.store_proxy import by_port, way_to
from tests.stores.redis_servers import free_port
from tests.stores.sql.conftest import PATIENCE, SERVERS
from tests.stores.sql.servers import Server

LOCK = text("SELECT session_id FROM fastapi_session FOR UPDATE")
LOCK_ONE = text("SELECT session_id FROM fastapi_session WHERE session_id = :session_id FOR UPDATE")
BLOCKED = text("SELECT count(*) FROM pg_locks WHERE NOT granted")

COLLISIONS = {
    "postgresql": "DO $$ BEGIN RAISE SQLSTATE '40P01'; END $$",
    "mysql": "SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213",
}
"""What a transaction is told that ran into another."""


@pytest.fixture(params=SERVERS)
def driver(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
async def store(url: str, engine: AsyncEngine, clock: HandClock) -> AsyncIterator[SqlStore]:
    store = SqlStore(url, clock=clock, timeout=timedelta(seconds=2))
    await store.open()
    yield store
    await store.close()


async def recovers(store: SqlStore) -> bool:
    """Say whether *store* answers again, as soon as the connections that died are known to be dead."""
    for _ in range(100):
        try:
            await store.signing_keys()
        except StoreUnavailable:
            await asyncio.sleep(0.05)
        else:
            return True
    return False


def idle_connections(store: SqlStore) -> tuple[int, int]:
    """How many connections are in use, and whether all others can be used: more than the pool may have, if not."""
    pool = store._engine.ways().together.pool
    return pool.checkedout(), pool.overflow()  # type: ignore[attr-defined]


class TestServer:
    async def test_a_server_that_is_not_there(self) -> None:
        """What is told is not a number of the operating system."""
        store = SqlStore(f"postgresql+asyncpg://app@localhost:{free_port()}/app")
        with pytest.raises(StoreUnavailable, match="postgresql failed: ConnectionRefusedError, at localhost:"):
            await store.open()
        await store.close()

    async def test_a_server_that_dies_and_comes_back(self, mortal: Server) -> None:
        """A dead server is unavailable, promptly and without an end, and what it has kept is there when it is back."""
        store = SqlStore(mortal.url)
        await store.create_all()
        await store.open()
        records = [new_session(f"{n}", now=0) for n in range(8)]
        await asyncio.gather(*(store.insert(record) for record in records))
        mortal.kill()
        for _ in range(3):
            with pytest.raises(StoreUnavailable):
                await store.get(records[0].session_id)
        with pytest.raises(StoreUnavailable):
            await SqlStore(mortal.url).open()
        mortal.start()

        assert await recovers(store)
        assert records == [(await store.get(record.session_id)).record for record in records]
        await store.close()


class TestWaiting:
    async def test_an_operation_that_takes_too_long(self, url: str, engine: AsyncEngine, clock: HandClock) -> None:
        """A row that is locked for longer than the timeout is unavailable, and the store is not the worse for it."""
        store = SqlStore(url, clock=clock, timeout=timedelta(seconds=1))
        await store.open()
        record = new_session("a", now=clock())
        await store.insert(record)
        async with engine.begin() as other:
            await other.execute(LOCK)
            with pytest.raises(StoreUnavailable, match=r"failed: TimeoutError$"):
                await store.rotate(next_rotation(record, debounce=0))

        assert record == (await store.get(record.session_id)).record
        assert await store.rotate(next_rotation(record, debounce=0)) is not None
        await store.close()

    async def test_a_transaction_that_takes_too_long(self, url: str, engine: AsyncEngine, clock: HandClock) -> None:
        """What it had written is undone, and no connection comes back in the midst of it."""
        store = SqlStore(url, clock=clock, timeout=timedelta(seconds=1))
        await store.open()
        old, new = (new_session(name, now=clock()) for name in ("old", "new"))
        await store.insert(old)
        async with engine.begin() as other:
            await other.execute(LOCK)
            with pytest.raises(StoreUnavailable, match=r"failed: TimeoutError$"):
                await store.insert(new, replacing=[old.session_id])
        await store.insert(new)

        kept = [(await SqlStore(engine, clock=clock).get(record.session_id)).record for record in (old, new)]
        assert [old, new] == kept
        await store.close()

    async def test_a_storm_of_cancellations(self, url: str, engine: AsyncEngine, clock: HandClock) -> None:
        """Of hundreds of callers most vanish at some moment: all others are answered, and no connection stays behind."""
        store = SqlStore(url, clock=clock, timeout=PATIENCE)
        await store.open()
        records = [new_session(f"{n}", now=clock(), user_id=f"{n}") for n in range(100)]
        await asyncio.gather(*(store.insert(record) for record in records))
        tasks = [asyncio.create_task(store.rotate(next_rotation(record, debounce=0))) for record in records]
        for n, task in enumerate(tasks):
            if n % 4:
                await asyncio.sleep(0.0003 * (n % 5))
                task.cancel()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        await store._idle_batches()
        await store._pooled.idle()

        rotated = [answer for answer in answers[::4] if isinstance(answer, SessionRecord)]
        assert [record.user_id for record in records[::4]] == [record.user_id for record in rotated]
        in_use, beyond = idle_connections(store)
        assert (0, True) == (in_use, beyond <= 0)
        assert records[1].session_id == (await store.sessions_of("1"))[0].session_id
        await store.close()

    async def test_callers_that_vanish_while_they_wait(
        self, store: SqlStore, engine: AsyncEngine, clock: HandClock
    ) -> None:
        """Callers that are cancelled while a row is locked leave a whole pool behind, and what they asked is done."""
        record = new_session("a", now=clock())
        await store.insert(record)
        async with engine.begin() as other:
            await other.execute(LOCK)
            tasks = [asyncio.create_task(store.delete(record.session_id)) for _ in range(30)]
            await asyncio.sleep(0.1)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await store._pooled.idle()

        assert (0, 0) == idle_connections(store)
        assert (await store.get(record.session_id)).record is None


class TestCollisions:
    @pytest.mark.parametrize(("collisions", "attempts"), [(0, 1), (2, 3), (4, 5)])
    async def test_a_collision_is_tried_again(self, store: SqlStore, collisions: int, attempts: int) -> None:
        """A transaction that runs into others a few times is tried again until it succeeds."""
        seen: list[Connection] = []

        def work(connection: Connection) -> int:
            seen.append(connection)
            if len(seen) <= collisions:
                connection.exec_driver_sql(COLLISIONS[connection.dialect.name])
            return len(seen)

        assert attempts == await store._pooled.run(work)

    async def test_collisions_without_an_end(self, store: SqlStore) -> None:
        """A transaction that always runs into others is unavailable in the end."""

        def work(connection: Connection) -> None:
            connection.exec_driver_sql(COLLISIONS[connection.dialect.name])

        with pytest.raises(StoreUnavailable, match=r"failed: (40P01|1213)$"):
            await store._pooled.run(work)

    async def test_other_failures_are_not_tried_again(self, store: SqlStore) -> None:
        """A statement that fails by itself is not tried again."""
        seen: list[Connection] = []

        def work(connection: Connection) -> None:
            seen.append(connection)
            connection.exec_driver_sql("SELECT nothing")

        with pytest.raises(StoreUnavailable, match=r"failed: (42703|1054)$"):
            await store._pooled.run(work)
        assert 1 == len(seen)

    async def test_a_failure_leaves_nothing_behind(
        self, store: SqlStore, engine: AsyncEngine, clock: HandClock
    ) -> None:
        """What a transaction had written before it failed is undone, and its connection serves the next one."""
        record = new_session("a", now=clock())

        def work(connection: Connection) -> None:
            connection.execute(INSERT, columns(SESSION_COLUMNS, session_row(record)))
            raise LookupError

        with pytest.raises(StoreUnavailable):
            await store._pooled.run(work)
        await store.insert(record)

        assert record == (await SqlStore(engine, clock=clock).get(record.session_id)).record

    @pytest.mark.parametrize("driver", ["sqlite+aiosqlite"])
    async def test_a_commit_that_fails(self, url: str, engine: AsyncEngine, clock: HandClock) -> None:
        """A transaction that SQLite does not commit while another one reads is not left open on its connection."""
        store = SqlStore(f"{url}?timeout=0.01", clock=clock)
        await store.open()
        record = new_session("a", now=clock())
        async with engine.connect() as reader:
            await reader.exec_driver_sql("BEGIN")
            await reader.exec_driver_sql("SELECT count(*) FROM fastapi_session")
            with pytest.raises(StoreUnavailable, match=r"failed: SQLITE_BUSY$"):
                await store.insert(record)
        await store.insert(record)

        assert record == (await SqlStore(engine, clock=clock).get(record.session_id)).record
        await store.close()

    @pytest.mark.parametrize("driver", ["postgresql+asyncpg"])
    async def test_a_real_deadlock(self, url: str, engine: AsyncEngine, clock: HandClock) -> None:
        """A transaction of the store's that loses a deadlock is done in the end: once."""
        store = SqlStore(url, clock=clock, timeout=timedelta(seconds=60))
        first, second = (new_session(name, now=clock()) for name in "ab")
        await store.insert(first)
        await store.insert(second)
        attempts: list[int] = []
        locked = asyncio.Event()

        def work(connection: Connection) -> None:
            attempts.append(connection.execute(LOCK_ONE, {"session_id": first.session_id}).rowcount)
            locked.set()
            if len(attempts) == 1:
                await_only(blocked(engine))  # this one begins to wait last, and finds the deadlock
            connection.execute(DELETE, {"given_session_id": second.session_id})

        async with engine.begin() as other:
            await other.execute(text("SET LOCAL deadlock_timeout = '1h'"))
            await other.execute(LOCK_ONE, {"session_id": second.session_id})
            deletion = asyncio.create_task(store._pooled.run(work))
            await locked.wait()
            await other.execute(LOCK_ONE, {"session_id": first.session_id})
        await deletion

        assert [1, 1] == attempts
        assert [first] == list(await store.sessions_of("user"))
        await store.close()


async def blocked(engine: AsyncEngine) -> None:
    """Wait until somebody waits for a lock in the PostgreSQL of *engine*."""
    async with engine.connect() as connection:
        while not (await connection.execute(BLOCKED)).scalar_one():
            await connection.rollback()  # what is told of others is the same all through a transaction
            await asyncio.sleep(0.01)


class TestEventLoops:
    def test_event_loops_in_turn(self, url: str, engine: AsyncEngine, clock: HandClock) -> None:
        """One store serves one event loop after the other, whichever of them opened it."""
        store = SqlStore(url, clock=clock, timeout=PATIENCE)
        record = new_session("a", now=clock())

        async def open_and_close() -> None:
            await store.open()
            await store.get(record.session_id)
            await store.close()

        asyncio.run(store.insert(record))
        asyncio.run(open_and_close())
        assert record == asyncio.run(store.get(record.session_id)).record
        asyncio.run(open_and_close())
        asyncio.run(store.close())

    async def test_event_loops_at_once(self, store: SqlStore, clock: HandClock) -> None:
        """Beside the event loop that opened the store, those of other threads are answered what they asked for."""
        answered: list[str] = []

        async def ask(name: str) -> None:
            record = new_session(name, now=clock(), user_id=name)
            await store.insert(record)
            rotated = await store.rotate(next_rotation(record, debounce=0))
            answered.append(rotated.user_id if rotated else "")

        def run(name: str) -> None:
            asyncio.run(ask(name))

        names = [f"{n}" for n in range(4)]
        loops = [threading.Thread(target=run, args=(name,)) for name in names]
        for loop in loops:
            loop.start()
        await ask("here")
        for loop in loops:
            await asyncio.to_thread(loop.join)

        assert [*names, "here"] == sorted(answered)


async def test_closing_does_not_wait_for_a_silent_server(url: str, engine: AsyncEngine) -> None:
    """A store whose network swallows everything closes after its timeout, so that the application can end."""
    async with proxied(way_to(url)) as network:
        store = SqlStore(by_port(url, network.port), timeout=timedelta(seconds=0.5))
        await store.open()
        network.silence()
        async with asyncio.timeout(10):
            await store.close()
        network.resume()
