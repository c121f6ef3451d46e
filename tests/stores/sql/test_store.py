"""`SqlStore` goes by the database's clock, leaves the user's engine and transactions to the user, and misses no index."""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import Connection, event, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from fastapi_session.errors import ConfigurationError, StoreUnavailable
from fastapi_session.stores import rows
from fastapi_session.stores.base import SessionStore, Store
from fastapi_session.stores.rows import SESSION_COLUMNS, session_row
from fastapi_session.stores.sql import METADATA, SqlStore, tables
from fastapi_session.stores.sql import statements as sql
from fastapi_session.stores.sql.statements import TimedStatements
from fastapi_session.testing import HandClock
from fastapi_session.testing.records import IDLE_TIMEOUT, digest, new_session, new_signing_key, next_rotation
from tests.stores.sql.conftest import PATIENCE, SERVERS


@pytest.fixture
async def store(url: str, engine: AsyncEngine) -> AsyncIterator[SqlStore]:
    """A store that goes by the clock of its database."""
    store = SqlStore(url, timeout=PATIENCE)
    await store.open()
    yield store
    await store.close()


@pytest.fixture
async def pool(url: str, engine: AsyncEngine) -> AsyncIterator[AsyncEngine]:
    """The user's own engine, with a pool."""
    pool = create_async_engine(url, pool_size=3, max_overflow=0)
    yield pool
    await pool.dispose()


def milliseconds() -> int:
    return time.time_ns() // 1_000_000


def connections(engine: AsyncEngine) -> Any:
    """The pool, typed as what tells how many connections it has."""
    return engine.pool


class TestClock:
    async def test_reading_tells_the_time_of_the_database(self, store: SqlStore) -> None:
        """Without a clock the database's own is answered, to the millisecond."""
        before = milliseconds()
        now = (await store.get("0" * 32)).now

        assert before - 1 <= now <= milliseconds() + 1

    async def test_rotating_is_timed_by_the_database(self, store: SqlStore) -> None:
        """Debounce and deadlines are judged, and the new ones written, by the database's clock."""
        record = new_session("a", now=milliseconds())
        await store.insert(record)
        before = milliseconds()

        assert await store.rotate(next_rotation(record)) is None
        rotated = await store.rotate(next_rotation(record, debounce=0))
        assert rotated is not None
        lineage = rotated.lineage
        assert before - 1 <= lineage.window_at <= milliseconds() + 1
        assert abs(lineage.window_at + IDLE_TIMEOUT - lineage.idle_expires_at) <= 1

    async def test_expiry_is_judged_by_the_database(self, store: SqlStore) -> None:
        """A session whose deadline the database's clock has passed is not answered, and is cleared away."""
        now = milliseconds()
        living = new_session("living", now=now)
        expired = new_session("expired", now=now, lineage={"idle_expires_at": now - 1})
        await store.insert(living)
        await store.insert(expired)

        assert await store.rotate(next_rotation(expired, debounce=0)) is None
        assert [living] == list(await store.sessions_of("user"))
        assert [1, 0] == [await store.delete_expired(limit=10) for _ in range(2)]

    @pytest.mark.parametrize("driver", ["mysql+asyncmy"])
    async def test_the_time_zone_of_a_connection_does_not_matter(self, url: str, engine: AsyncEngine) -> None:
        """A connection that lives by another local time tells the same time."""
        elsewhere = create_async_engine(url, connect_args={"init_command": "SET time_zone = '+05:30'"})
        before = milliseconds()
        now = (await SqlStore(elsewhere).get("0" * 32)).now
        await elsewhere.dispose()

        assert before - 1 <= now <= milliseconds() + 1


class TestRaces:
    async def test_two_stores_write_one_successor(self, url: str, engine: AsyncEngine) -> None:
        """Of 32 tasks that present one token through two pools exactly one is answered: with the record that is kept."""
        stores = [SqlStore(url, timeout=PATIENCE), SqlStore(url, timeout=PATIENCE)]
        for store in stores:
            await store.open()
        record = new_session("a", now=milliseconds())
        await stores[0].insert(record)
        answers = await asyncio.gather(
            *(stores[n % 2].rotate(next_rotation(record, successor=digest(f"task {n}"), debounce=0)) for n in range(32))
        )
        kept = (await stores[0].get(record.session_id)).record
        for store in stores:
            await store.close()

        assert [kept] == [answer for answer in answers if answer is not None]

    async def test_workers_clear_away_side_by_side(self, store: SqlStore) -> None:
        """Of many that clear away at once none waits or fails, and each expired session is counted once."""
        now = milliseconds()
        for n in range(20):
            await store.insert(new_session(f"{n}", now=now, lineage={"idle_expires_at": now - 1}))
        counts = await asyncio.gather(*(store.delete_expired(limit=5) for _ in range(4)))

        assert 20 == sum(counts) + await store.delete_expired(limit=20)

    async def test_sign_ins_of_one_session_take_turns(self, store: SqlStore) -> None:
        """Of many that take the place of one session all succeed, and the old one is gone."""
        old = new_session("old", now=milliseconds())
        await store.insert(old)
        news = [new_session(f"{n}", now=milliseconds()) for n in range(16)]
        await asyncio.gather(*(store.insert(new, replacing=[old.session_id]) for new in news))

        kept = {record.session_id for record in await store.sessions_of("user")}
        assert {new.session_id for new in news} == kept


class TestWithoutReturning:
    """MySQL returns nothing from a write: what it takes for that works on any server."""

    @pytest.fixture(params=SERVERS)
    def driver(self, request: pytest.FixtureRequest) -> str:
        name: str = request.param
        return name

    @pytest.fixture
    async def silent(self, pool: AsyncEngine, clock: HandClock) -> SqlStore:
        store = SqlStore(pool, clock=clock, timeout=PATIENCE)
        await store.open()
        pool.dialect.update_returning = pool.dialect.delete_returning = False
        return store

    async def test_rotating(self, silent: SqlStore, clock: HandClock) -> None:
        """Of many that present one token one is answered: with the record that is kept."""
        record = new_session("a", now=clock())
        await silent.insert(record)
        answers = await asyncio.gather(
            *(silent.rotate(next_rotation(record, successor=digest(f"{n}"), debounce=0)) for n in range(8))
        )

        kept = (await silent.get(record.session_id)).record
        assert [kept] == [answer for answer in answers if answer is not None]

    async def test_deleting_all_of_a_user(self, silent: SqlStore, clock: HandClock) -> None:
        """The user's sessions are deleted, answered and noted, in one tenant or in all, and nobody else's."""
        public = new_session("a", now=clock())
        other = new_session("b", now=clock(), tenant_id="t1")
        someone = new_session("c", now=clock(), user_id="someone")
        for record in (public, other, someone):
            await silent.insert(record)

        assert [other] == list(await silent.delete_sessions_of("user", tenant_id="t1", limit=100))
        assert [public] == list(await silent.delete_sessions_of("user", limit=100))
        assert [] == list(await silent.delete_sessions_of("user", limit=100))
        assert [someone] == list(await silent.sessions_of("someone"))
        noted = (await silent.notices(after=0)).notices
        assert [other.session_id, public.session_id] == [notice.subject for notice in noted]


class TestGivenEngine:
    async def test_it_is_not_disposed(self, pool: AsyncEngine) -> None:
        """A store that is closed leaves the user's engine with its connections, and may be used again."""
        store = SqlStore(pool)
        await store.open()
        await store.close()
        kept = connections(pool).checkedin()

        assert 1 == kept
        assert [] == list(await store.signing_keys())
        assert 1 == connections(pool).checkedin()

    async def test_its_connections_come_back_as_they_were(self, pool: AsyncEngine) -> None:
        """After the store has used a connection, the user's transactions can be rolled back on it as before."""
        store = SqlStore(pool)
        await store.insert_key(new_signing_key("k1", now=0))
        async with pool.connect() as connection:
            await connection.execute(text("DELETE FROM fastapi_session_signing_key"))
            await connection.rollback()

        assert 1 == len(await store.signing_keys())

    async def test_an_own_engine_is_disposed(self, store: SqlStore) -> None:
        """A store that was given a URL closes its connections with itself."""
        own = store._engine.ways().together
        used = connections(own).checkedin()
        old = own.pool
        await store.close()

        assert (1, 0) == (used, old.checkedin())  # type: ignore[attr-defined]  # typed as any pool


class TestJoining:
    async def test_a_rolled_back_transaction_leaves_nothing(self, pool: AsyncEngine, clock: HandClock) -> None:
        """A session that was inserted in the user's transaction is gone with it, and one that was deleted is back."""
        store = SqlStore(pool, clock=clock, timeout=PATIENCE)
        old, new = (new_session(name, now=clock()) for name in ("old", "new"))
        await store.insert(old)
        async with pool.connect() as connection:
            joined: SessionStore = store.within(connection)
            await joined.insert(new, replacing=[old.session_id])
            assert [new] == list(await joined.sessions_of("user"))
            await connection.rollback()

        assert [old] == list(await store.sessions_of("user"))

    async def test_a_committed_transaction_is_kept(self, pool: AsyncEngine, clock: HandClock) -> None:
        """Every verb works inside the user's transaction, and what it did is there when the user has committed."""
        store = SqlStore(pool, clock=clock, timeout=PATIENCE)
        record, other = (new_session(name, now=clock()) for name in ("record", "other"))
        async with pool.begin() as connection:
            joined: Store = store.within(connection)
            await joined.open()
            await joined.insert(record)
            await joined.insert(other)
            rotated = await joined.rotate(next_rotation(record, debounce=0))
            assert await joined.delete(other.session_id)
            assert [] == list(await joined.signing_keys())
            await joined.close()

        assert rotated is not None
        assert [rotated] == list(await store.sessions_of("user"))

    async def test_a_session_of_the_orm(self, pool: AsyncEngine, clock: HandClock) -> None:
        """The connection of an ORM session is joined in the same way."""
        store = SqlStore(pool, clock=clock, timeout=PATIENCE)
        record = new_session("a", now=clock())
        async with AsyncSession(pool) as orm, orm.begin():
            await store.within(await orm.connection()).insert(record)

        assert record == (await store.get(record.session_id)).record

    async def test_a_failure_in_the_users_transaction(self, pool: AsyncEngine, clock: HandClock) -> None:
        """What fails is unavailable, and the transaction can still be rolled back."""
        store = SqlStore(pool, clock=clock, timeout=PATIENCE)
        record = new_session("a", now=clock())
        await store.insert(record)
        async with pool.connect() as connection:
            with pytest.raises(StoreUnavailable):
                await store.within(connection).insert(record)
            await connection.rollback()

        assert record == (await store.get(record.session_id)).record


class TestConfiguration:
    @pytest.mark.parametrize(
        ("url", "message"),
        [
            ("sqlite:///file", "such as sqlite\\+aiosqlite:///file"),
            ("postgresql+nothing://host/database", r"pip install 'fastapi-session-auth\[postgres\]'"),
            ("mysql+asyncmy://host:port/database", r"pip install 'fastapi-session-auth\[mysql\]'"),
            ("oracle+oracledb_async://host/database", "not oracle$"),
            ("nonsense", "not nonsense$"),
        ],
    )
    def test_a_url_that_leads_nowhere(self, url: str, message: str) -> None:
        """What is wrong with a URL is told with the fix."""
        with pytest.raises(ConfigurationError, match=message):
            SqlStore(url)

    @pytest.mark.parametrize("driver", ["mysql+asyncmy"])
    async def test_a_database_that_takes_small_statements(self, url: str, engine: AsyncEngine) -> None:
        """If a session could be too large for a statement, an error says so when the store opens, with the setting."""
        change = "SET GLOBAL max_allowed_packet = {}"
        async with engine.begin() as connection:
            before = (await connection.exec_driver_sql("SELECT @@max_allowed_packet")).scalar_one()
            await connection.exec_driver_sql(change.format(1_048_576))
        try:
            with pytest.raises(ConfigurationError, match=r"statements of 1048576 bytes, .* set its max_allowed_packet"):
                await SqlStore(engine).open()
        finally:
            async with engine.begin() as connection:
                await connection.exec_driver_sql(change.format(before))
        await SqlStore(engine).open()

    async def test_tables_that_are_missing(self, bare_engine: AsyncEngine) -> None:
        """An empty database is told when the store opens, with the command that makes the tables."""
        with pytest.raises(
            ConfigurationError,
            match=rf"lacks {', '.join(tables.TABLES.tables)}: run fastapi-session migrate, or python -m .* migrate",
        ):
            await SqlStore(bare_engine).open()

    async def test_a_column_that_is_missing(self, bare_engine: AsyncEngine) -> None:
        """Tables of an older version are told by what they lack."""
        async with bare_engine.begin() as connection:
            await connection.run_sync(METADATA.create_all)
            await connection.execute(text("ALTER TABLE fastapi_session DROP COLUMN user_agent"))

        with pytest.raises(ConfigurationError, match=r"lacks fastapi_session\.user_agent: "):
            await SqlStore(bare_engine).open()

    async def test_tables_for_development(self, bare_engine: AsyncEngine) -> None:
        """`create_all` makes the tables, and leaves those that are there."""
        store = SqlStore(bare_engine)
        await store.create_all()
        await store.create_all()
        await store.open()

        assert [] == list(await store.signing_keys())

    def test_columns_are_those_of_a_row(self) -> None:
        """The tables have exactly the columns of a row, in whatever order, and those may be NULL that may be nothing."""
        ours = {tables.SESSION: rows.SESSION, tables.SIGNING_KEY: rows.KEY, tables.NOTICE: rows.NOTICE}
        of_the_database = {"deadline", "notice_id"}
        for table, columns in ours.items():
            found = {each.name: each.nullable for each in table.columns if each.name not in of_the_database}
            assert {name: column.optional for name, column in columns.items()} == found


async def test_a_failure_tells_no_payload(bare_engine: AsyncEngine) -> None:
    """Neither the message of a failure nor its traceback quotes what was to be kept."""
    with pytest.raises(StoreUnavailable) as caught:
        await SqlStore(bare_engine).insert(new_session("a", now=0, session_data={"word": digest("word").hex()}))

    assert digest("word").hex() not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("driver", ["postgresql+psycopg"])
@pytest.mark.parametrize(
    "name",
    [
        "get",
        "rotate",
        "sessions_of",
        "lock_expired",
        "delete_expired",
        "LOCK_SESSIONS_OF",
        "DELETE_UNMOVED",
        "NOTICES",
        "LOCK_NOTICES",
        "DELETE_NOTICES",
    ],
)
async def test_no_statement_reads_the_whole_table(engine: AsyncEngine, name: str) -> None:
    """Whatever is asked for is found through an index."""

    @event.listens_for(engine.sync_engine, "before_cursor_execute", retval=True)
    def explain(_: Connection, __: Any, statement: str, parameters: Any, *___: Any) -> tuple[str, Any]:
        return f"EXPLAIN {statement}", parameters

    record = new_session("a", now=0)
    parameters = {
        **{f"given_{name}": value for name, value in zip(SESSION_COLUMNS, session_row(record), strict=True)},
        **sql.rotation_parameters(next_rotation(record)),
        "limit": 1,
        "session_ids": [record.session_id],
        "keep": "",
        "after_session_id": "",
        "from_at": 0,
        "after_id": 0,
        "until": 0,
        "notice_ids": [1],
    }
    statement = getattr(sql if name.isupper() else TimedStatements(now_given=False), name)
    async with engine.connect() as connection:
        await (await connection.get_raw_connection()).driver_connection.execute("SET enable_seqscan = off")  # type: ignore[union-attr]  # it has one while it is lent
        plan = [row[0] for row in (await connection.execute(statement, parameters)).cursor.fetchall()]

    assert any("Index" in step for step in plan)
    assert [] == [step for step in plan if "Seq Scan" in step]
