"""What is found of databases, each on a server, or in tables, that are set up so."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from fastapi_session.errors import ConfigurationError
from fastapi_session.stores.sql import METADATA, SqlStore, migrate
from fastapi_session.stores.sql.migration import alembic_config
from tests.doctor.store.deployments import found, ids, started
from tests.engines import config
from tests.stores.sql.conftest import PATIENCE
from tests.stores.sql.servers import Server, mariadb, pgbouncer, pgbouncer_program, postgres
from tests.stores.sql.servers import started as server_started

HEAD = "0007"
"""The newest migration."""


@pytest.fixture(params=["postgresql", "mariadb"])
def url(request: pytest.FixtureRequest) -> str:
    """An empty database of each kind, with our tables."""
    made: str = request.getfixturevalue(f"{request.param}_store_url")
    return made


@asynccontextmanager
async def after(url: str, *statements: str, undo: str | None = None) -> AsyncIterator[None]:
    """The database at *url* after *statements*. In the end *undo* is done, or all of our tables are made anew."""
    engine = create_async_engine(url, poolclass=NullPool)
    try:
        await do(engine, *statements)
        yield
    finally:
        if undo is not None:
            await do(engine, undo)
        else:
            async with engine.begin() as connection:
                await connection.run_sync(METADATA.drop_all)
                await connection.run_sync(METADATA.create_all)
        await engine.dispose()


async def do(engine: AsyncEngine, *statements: str) -> None:
    async with engine.begin() as connection:
        for statement in statements:
            await connection.execute(text(statement))


@asynccontextmanager
async def an_engine(url: str, **options: object) -> AsyncIterator[AsyncEngine]:
    """An engine of the user's own."""
    engine = create_async_engine(url, **options)
    try:
        yield engine
    finally:
        await engine.dispose()


async def test_tables_that_are_not_migrated(url: str) -> None:
    """FS141 names what is missing, and nothing else of the store is looked at: it would not open."""
    drop = "ALTER TABLE fastapi_session DROP COLUMN bound_key"
    async with after(url, drop, "DROP TABLE fastapi_session_user"):
        told = "lacking are fastapi_session_user, fastapi_session.bound_key"
        assert [("FS141", told)] == await found(config(store=url))

    async with after(url, drop):
        told = f"lacking are fastapi_session.bound_key, migration {HEAD}"
        assert [("FS141", told)] == await found(config(store=url))


async def test_a_database_without_any_table(url: str) -> None:
    """FS141 names some tables and how many more there are."""
    async with after(url, *(f"DROP TABLE {name}" for name in METADATA.tables)):
        [(id_, told)] = await found(config(store=url))

    assert "FS141" == id_
    assert told.startswith("lacking are fastapi_session, ")
    assert told.endswith(" more")


async def test_tables_that_were_migrated_in_part(url: str) -> None:
    """FS141 names the migrations that have not run, in their order, after what is missing."""
    async with after(url, *(f"DROP TABLE {name}" for name in METADATA.tables)):
        async with an_engine(url, poolclass=NullPool) as engine, engine.begin() as connection:
            await connection.run_sync(lambda db: command.upgrade(alembic_config(db), "0005"))
        facts = await SqlStore(url).facts()
        [(id_, told)] = await found(config(store=url))

    assert ("FS141", ("0006", HEAD)) == (id_, facts.pending)
    assert told.startswith("lacking are fastapi_session_event, ")


async def test_tables_of_a_newer_version(url: str) -> None:
    """FS142 names the migration, and all else is looked at."""
    async with after(url, "INSERT INTO fastapi_session_version VALUES ('9999')"):
        assert ["FS142", "FS111"] == ids(await found(config(store=url)))


async def test_tables_that_were_migrated(url: str) -> None:
    """What `migrate` made is as it should be."""
    async with after(url, *(f"DROP TABLE {name}" for name in METADATA.tables)):
        await migrate(url)
        await started(config(store=url))
        assert [] == await found(config(store=url))


async def test_a_standby() -> None:
    """FS143 for a server of PostgreSQL that follows another one."""
    with server_started(postgres) as server:
        engine = create_async_engine(server.url, poolclass=NullPool)
        async with engine.begin() as connection:
            await connection.run_sync(METADATA.create_all)
        await started(config(store=server.url))
        server.kill()
        (server.folder / "data" / "standby.signal").touch()
        server.start()

        [(id_, told)] = await found(config(store=server.url))

    assert ("FS143", True) == (id_, told.startswith("PostgreSQL "))


async def test_a_database_that_is_read_only(mariadb_store_url: str) -> None:
    """FS143 for a server of MariaDB that is set so, as replicas are."""
    await started(config(store=mariadb_store_url))
    async with after(mariadb_store_url, "SET GLOBAL read_only = 1", undo="SET GLOBAL read_only = 0"):
        [(id_, told)] = await found(config(store=mariadb_store_url))

    assert ("FS143", True) == (id_, told.startswith("MariaDB 10."))


async def test_gaps(url: str) -> None:
    """FS144 for an engine of one's own with the default of MariaDB, if there is a limit; PostgreSQL has another default."""
    expected = [] if url.startswith("postgresql") else ["FS144"]
    await started(config(store=url))
    async with an_engine(url) as engine, an_engine(url, isolation_level="READ COMMITTED") as committed:
        assert expected == ids(await found(config(store=SqlStore(engine), session_limit=3)))
        assert [] == await found(config(store=SqlStore(engine)))
        assert [] == await found(config(store=SqlStore(committed), session_limit=3))
    assert [] == await found(config(store=url, session_limit=3))


async def test_indexes(url: str) -> None:
    """FS145 names each that is missing, and one that has another name is none of them."""
    on = "" if url.startswith("postgresql") else " ON fastapi_session"
    await started(config(store=url))
    async with after(
        url,
        f"DROP INDEX fastapi_session_deadline{on}",
        f"DROP INDEX fastapi_session_user_page{on}",
        "CREATE INDEX of_my_own ON fastapi_session (user_id, session_id, tenant_id, kind)",
    ):
        assert [("FS145", "fastapi_session_deadline")] == await found(config(store=url))


async def test_what_may_be_there_once(url: str) -> None:
    """FS145 names what is to be unique, and an index that lets in the same twice is none of it."""
    table, name = "fastapi_session_signing_key", "fastapi_session_signing_key_place"
    dropped = f"ALTER TABLE {table} DROP {'CONSTRAINT' if url.startswith('postgresql') else 'INDEX'} {name}"
    await started(config(store=url))
    async with after(url, dropped, f"CREATE INDEX of_my_own ON {table} (family, sequence)"):
        assert [("FS145", name)] == await found(config(store=url))


async def test_tables_that_a_crash_empties(url: str) -> None:
    """FS146 names them, and on MariaDB their engine."""
    is_postgres = url.startswith("postgresql")
    await started(config(store=url))
    async with after(url, f"ALTER TABLE fastapi_session_notice {'SET UNLOGGED' if is_postgres else 'ENGINE=MyISAM'}"):
        told = f"fastapi_session_notice{'' if is_postgres else ' (MyISAM)'}"
        assert [("FS146", told)] == await found(config(store=url))


async def test_a_server_with_few_connections(url: str) -> None:
    """FS147 if the pool of a process is larger than what the server gives its user."""
    await started(config(store=url))
    if url.startswith("postgresql"):
        name, make = "few", ["CREATE ROLE few LOGIN CONNECTION LIMIT 3", "GRANT pg_read_all_data TO few"]
    else:
        name = "few@localhost"
        make = [f"CREATE USER {name} WITH MAX_USER_CONNECTIONS 3", f"GRANT SELECT ON test.* TO {name}"]
    own = make_url(url).set(username="few").render_as_string(hide_password=False)
    async with after(url, *make, undo=f"DROP {'ROLE' if name == 'few' else 'USER'} {name}"):
        [(id_, told)] = await found(config(store=own))

    assert ("FS147", True, True) == (id_, told.startswith("the pool has up to 10, "), told.endswith(" accepts 3"))


async def test_a_pool_of_one(url: str) -> None:
    """FS148 for one connection; two are enough, and a pool without a bound too."""
    await started(config(store=url))
    async with an_engine(url, pool_size=1, max_overflow=0) as one, an_engine(url, pool_size=1, max_overflow=1) as two:
        assert ["FS148"] == ids(await found(config(store=SqlStore(one))))
        assert [] == await found(config(store=SqlStore(two)))
    async with an_engine(url, max_overflow=-1) as boundless, an_engine(url, poolclass=NullPool) as none:
        assert [] == await found(config(store=SqlStore(boundless)))
        assert [] == await found(config(store=SqlStore(none)))


async def test_an_old_server() -> None:
    """FS149, by the version that the server says."""
    with server_started(old_mariadb) as server:
        url = server.url.replace("/test?", "/mysql?")
        engine = create_async_engine(url, poolclass=NullPool)
        async with engine.begin() as connection:
            await connection.run_sync(METADATA.create_all)
        await started(config(store=url))

        assert [("FS149", "MariaDB 10.5.9")] == await found(config(store=url))


def old_mariadb(folder: Path) -> Server:
    server = mariadb(folder)
    server._command.append("--version=10.5.9-MariaDB")
    return server


@pytest.fixture(params=["transaction", "session"])
def pooler(request: pytest.FixtureRequest, postgresql_store_url: str) -> Iterator[Server]:
    if pgbouncer_program() is None:
        pytest.skip("PgBouncer is not installed")
    with server_started(partial(pgbouncer, before=postgresql_store_url, mode=request.param)) as server:
        yield server


async def test_a_pooler(pooler: Server) -> None:
    """Behind a pooler nothing is found, and how many connections the server accepts does not matter."""
    store = SqlStore(pooler.url, timeout=PATIENCE)
    await started(config(store=store))
    assert [] == await found(config(store=store))
    assert (await store.facts()).room is None


async def test_a_pooler_that_mixes_up_statements(pooler: Server) -> None:
    """Settings that do not go with a pooler keep the store from opening, and are told as that."""
    with pytest.raises(ConfigurationError, match="statement_cache_size"):
        await found(config(store=f"{pooler.url}&statement_cache_size=100"))


async def test_sqlite_by_sqlalchemy(tmp_path: Path) -> None:
    """An engine of one's own that leads to SQLite is looked at as far as SQLAlchemy knows it."""
    async with an_engine(f"sqlite+aiosqlite:///{tmp_path}/sessions.db") as engine:
        async with engine.begin() as connection:
            await connection.run_sync(METADATA.create_all)
        await started(config(store=SqlStore(engine)))
        assert [] == await found(config(store=SqlStore(engine)))

        await do(engine, "DROP INDEX fastapi_session_notice_at")
        assert [("FS145", "fastapi_session_notice_at")] == await found(config(store=SqlStore(engine)))
