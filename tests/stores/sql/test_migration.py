"""Migrations make the tables that the statements are written for, once, whoever else is at it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, MetaData, Table, inspect, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from fastapi_session.errors import ConfigurationError
from fastapi_session.store_url import StoreUrl
from fastapi_session.stores.sql import METADATA, SqlStore, migrate, migration
from fastapi_session.stores.sql.__main__ import main
from fastapi_session.stores.sql.tables import TABLES, VERSION_TABLE
from fastapi_session.testing.records import new_session
from tests.reliability.processes import PROCESSES
from tests.stores.old_tables import (
    FIRST,
    KEY,
    KEY_RECORD,
    WITH_CAPABILITIES,
    WITH_ISSUE_IDS,
    WITH_LIFETIME,
    OldSession,
    insertion,
    tables,
)
from tests.stores.redis_servers import free_port

SCRIPTS = ScriptDirectory(Path(migration.__file__).with_name("migrations"))
HEAD = SCRIPTS.get_current_head()
MODULE = [sys.executable, "-m", "fastapi_session.stores.sql"]


def shape(connection: Connection) -> Any:
    """What the database itself says of our tables, in whatever order their columns are."""
    inspector = inspect(connection)
    has_options = connection.dialect.name in {"mysql", "mariadb"}  # of others SQLAlchemy 2.0 does not ask
    return {
        table: (
            {column["name"]: described(column) for column in inspector.get_columns(table)},
            inspector.get_pk_constraint(table)["constrained_columns"],
            sorted(inspector.get_indexes(table), key=lambda index: index["name"] or ""),
            inspector.get_unique_constraints(table),
            inspector.get_table_options(table) if has_options else {},
        )
        for table in METADATA.tables
    }


def described(column: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what tells *column* from others. Of a computed one on SQLite, SQLAlchemy reads on to the last parenthesis of the line."""
    computed = column.get("computed")
    text = {} if computed is None else {"computed": computed["sqltext"].partition(") STORED")[0]}
    return {**column, "type": str(column["type"]), **text}


def differences(connection: Connection) -> Any:
    """What Alembic would change in the database to make it what the tables say."""
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE, "compare_type": True})
    return compare_metadata(context, METADATA)


def version(connection: Connection) -> str:
    number: str = connection.execute(select(Table(VERSION_TABLE, MetaData(), autoload_with=connection))).scalar_one()
    return number


async def test_migrations_make_what_create_all_makes(bare_engine: AsyncEngine) -> None:
    """Tables, columns, types, indexes and options are the same, as the database itself describes them."""
    await SqlStore(bare_engine).create_all()
    async with bare_engine.begin() as connection:
        expected = await connection.run_sync(shape)
        await connection.run_sync(METADATA.drop_all)
    await migrate(bare_engine)

    async with bare_engine.connect() as connection:
        assert expected == await connection.run_sync(shape)


async def test_a_migrated_database_lacks_nothing(bare_engine: AsyncEngine) -> None:
    """For Alembic there is nothing left to do, and our version stands in a table of its own."""
    await migrate(bare_engine)
    async with bare_engine.connect() as connection:
        left = [each for each in await connection.run_sync(differences) if each[0] != "remove_table"]

        assert [] == left
        assert HEAD == await connection.run_sync(version)


def make_old(connection: Connection, version: str, session: OldSession, *, is_noted: bool) -> None:
    """Make the tables of *version* by its own statements, with *session* and a key in them."""
    for statement in tables(f"sql_{connection.dialect.name}", version=version):
        connection.execute(text(statement))
    connection.execute(text(insertion("fastapi_session", session.row)), session.row)
    connection.execute(text(insertion("fastapi_session_signing_key", KEY)), KEY)
    if is_noted:
        connection.execute(text(f"CREATE TABLE {VERSION_TABLE} (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
        connection.execute(text(f"INSERT INTO {VERSION_TABLE} VALUES ('{version}')"))


@pytest.mark.parametrize("is_noted", [True, False], ids=["by migrate", "by another"])
@pytest.mark.parametrize(
    ("made", "session"),
    [("0001", FIRST), ("0003", WITH_ISSUE_IDS), ("0005", WITH_LIFETIME), ("0006", WITH_CAPABILITIES)],
    ids=["0001", "0003", "0005", "0006"],
)
async def test_tables_of_an_older_version(
    made: str, session: OldSession, is_noted: bool, bare_engine: AsyncEngine
) -> None:
    """Whoever made them, they are brought up to date as they are, and the store has every session and key that was in them."""
    async with bare_engine.begin() as connection:
        await connection.run_sync(make_old, made, session, is_noted=is_noted)
    await migrate(bare_engine)
    store, record = SqlStore(bare_engine), session.record
    await store.open()

    assert record == (await store.get(record.session_id)).record
    assert [KEY_RECORD] == list(await store.signing_keys())
    assert await store.delete(record.session_id, expected=record.lineage)
    assert [record.session_id] == [notice.subject for notice in (await store.notices(after=0)).notices]
    async with bare_engine.connect() as connection:
        assert HEAD == await connection.run_sync(version)


async def test_migrating_again_changes_nothing(bare_engine: AsyncEngine) -> None:
    """Sessions stay where they are when a database that is up to date is migrated."""
    store = SqlStore(bare_engine)
    await migrate(bare_engine)
    record = new_session("a", now=0)
    await store.insert(record)
    await migrate(bare_engine)

    assert record == (await store.get(record.session_id)).record


async def test_migrating_after_create_all(bare_engine: AsyncEngine) -> None:
    """A development database, made by `create_all`, is noted as up to date."""
    await SqlStore(bare_engine).create_all()
    await migrate(bare_engine)
    async with bare_engine.connect() as connection:
        assert HEAD == await connection.run_sync(version)


async def test_tables_that_were_dropped_are_made_again(bare_engine: AsyncEngine) -> None:
    """What is there counts, not what was noted once."""
    await migrate(bare_engine)
    async with bare_engine.begin() as connection:
        await connection.run_sync(TABLES.drop_all)
    await migrate(bare_engine)

    await SqlStore(bare_engine).open()


async def test_tables_of_a_newer_version_stay_noted(bare_engine: AsyncEngine) -> None:
    """A revision that this version does not know is not written over."""
    await migrate(bare_engine)
    async with bare_engine.begin() as connection:
        await connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(CommandError, match="9999"):
        await migrate(bare_engine)
    async with bare_engine.connect() as connection:
        assert "9999" == await connection.run_sync(version)


async def test_half_of_a_revision(bare_engine: AsyncEngine) -> None:
    """If a part of what belongs together is missing, the error names it, and nothing is changed."""
    await migrate(bare_engine)
    async with bare_engine.begin() as connection:
        await connection.execute(text("ALTER TABLE fastapi_session DROP COLUMN crossed"))
    with pytest.raises(ConfigurationError, match=r"lacks fastapi_session\.crossed: complete them"):
        await migrate(bare_engine)


def test_every_revision_says_what_it_brings() -> None:
    """All tables are brought by revisions, which say so by name."""
    brought = [each.module.BRINGS for each in SCRIPTS.walk_revisions()]

    assert set(TABLES.tables) == {name for names in brought for name in names if "." not in name}


def migrate_first(url: str) -> None:
    """Be a worker that migrates before it serves."""
    sys.argv = ["migrate", "migrate", url]
    main()


@pytest.mark.parametrize("driver", ["postgresql+asyncpg", "mysql+asyncmy"])
async def test_workers_that_migrate_at_once(url: str, bare_engine: AsyncEngine) -> None:
    """Of processes that start together one migrates, the others wait for it, and none fails."""
    workers = [PROCESSES.Process(target=migrate_first, args=(url,), daemon=True) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        await asyncio.to_thread(worker.join)

    assert [0, 0, 0] == [worker.exitcode for worker in workers]
    await SqlStore(bare_engine).open()


@pytest.mark.parametrize("driver", ["sqlite+aiosqlite"])
async def test_the_command_is_a_module(url: str, bare_engine: AsyncEngine) -> None:
    """`python -m fastapi_session.stores.sql migrate` migrates the database that the environment names."""
    await asyncio.to_thread(
        subprocess.run, [*MODULE, "migrate"], env={**os.environ, "FASTAPI_SESSION_STORE": url}, check=True
    )

    await SqlStore(bare_engine).open()


def test_the_command_takes_a_url(
    url: str, bare_engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command migrates the database whose URL it is given, and says so in one line, without the password."""
    monkeypatch.setattr(sys, "argv", ["migrate", "migrate", url])
    main()

    assert f"{StoreUrl(url).printed}: the tables are up to date\n" == capsys.readouterr().out
    asyncio.run(SqlStore(bare_engine).open())


@pytest.mark.parametrize("driver", ["postgresql+asyncpg", "postgresql+psycopg", "mysql+asyncmy"])
def test_the_command_tells_of_a_server_that_is_not_there(driver: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line tells what is wrong, without the password."""
    monkeypatch.setattr(sys, "argv", ["migrate", "migrate", f"{driver}://app:open-sesame@localhost:{free_port()}/app"])
    with pytest.raises(SystemExit) as raised:
        main()

    told = str(raised.value.code)
    assert told.startswith("the database failed: ")
    assert 1 == len(told.splitlines())
    assert "open-sesame" not in told


def test_the_command_tells_of_a_wrong_url(monkeypatch: pytest.MonkeyPatch) -> None:
    """An option that the driver does not know is told in one line too."""
    monkeypatch.setattr(sys, "argv", ["migrate", "migrate", "postgresql+asyncpg://app@localhost/app?sslmod=require"])
    with pytest.raises(SystemExit, match="sslmod"):
        main()


def test_the_command_needs_a_url(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a URL the command says where it looks for one."""
    monkeypatch.delenv("FASTAPI_SESSION_STORE", raising=False)
    monkeypatch.setattr(sys, "argv", ["migrate", "migrate"])
    with pytest.raises(SystemExit):
        main()

    assert "give the URL of the database, or set FASTAPI_SESSION_STORE" in capsys.readouterr().err
