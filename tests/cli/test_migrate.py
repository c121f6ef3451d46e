"""`fastapi-session migrate`: the store is made ready, has no tables, or is one that the command cannot know."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from fastapi_session import SessionConfig, Sessions, SqliteStore
from tests.cli.conftest import CommandLine
from tests.cli.deployments import configured, handles_of, signed_in
from tests.stores.redis_servers import free_port

DATABASE = "migrated_by_the_command"


@pytest.fixture(autouse=True)
def deployment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configured(monkeypatch, tmp_path)


@pytest.fixture
def bare_url(postgres_url: str) -> str:
    """A database without tables."""

    async def make() -> None:
        engine = create_async_engine(make_url(postgres_url), isolation_level="AUTOCOMMIT")
        async with engine.connect() as connection:
            await connection.execute(text(f"DROP DATABASE IF EXISTS {DATABASE}"))
            await connection.execute(text(f"CREATE DATABASE {DATABASE}"))
        await engine.dispose()

    asyncio.run(make())
    return make_url(postgres_url).set(database=DATABASE).render_as_string(hide_password=False)


def test_a_database(bare_url: str, command_line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tables are made in the database that the environment or a variable names, and stay as they are if it is repeated."""
    monkeypatch.setenv("FASTAPI_SESSION_STORE", bare_url)
    monkeypatch.setenv("MY_DATABASE", bare_url)
    assert 1 == command_line("sessions", "list", "--user", "alice").code

    for arguments in ([], ["env:MY_DATABASE"]):
        done = command_line("migrate", *arguments)
        assert (0, "") == (done.code, done.err)
        assert done.out.endswith(": the tables are up to date\n")
    assert signed_in("alice") == handles_of("alice")


def test_a_file(command_line: CommandLine, tmp_path: Path) -> None:
    """A SQLite file is made ready, and no secret beside it."""
    said = json.loads(command_line("migrate", "--json").out)

    assert {"version": 1, "store": "sqlite:///sessions.db", "has_tables": True} == said
    assert (tmp_path / "sessions.db").exists()
    assert not (tmp_path / "sessions.db.secret").exists()


def test_no_tables(command_line: CommandLine) -> None:
    """A server without tables is not even asked, and its password is not printed."""
    done = command_line("migrate", "redis://app:lovelace@127.0.0.1:1/0")

    assert (0, "redis://app:***@127.0.0.1:1/0: it has no tables\n", "") == (done.code, done.out, done.err)


@pytest.mark.parametrize("driver", ["postgresql+asyncpg", "postgresql+psycopg", "mysql+asyncmy"])
def test_a_server_that_is_not_there(driver: str, command_line: CommandLine) -> None:
    """What the database refuses is said in a line, without the password."""
    done = command_line("migrate", f"{driver}://app:lovelace@localhost:{free_port()}/app")

    assert (1, "", 1) == (done.code, done.out, len(done.err.splitlines()))
    assert done.err.startswith("error: the database failed: ")
    assert "lovelace" not in done.err


def test_a_store_of_the_application(command_line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that the application makes itself has no URL: it is said what to do."""
    module = ModuleType("an_application_with_a_store")
    vars(module)["sessions"] = lambda: Sessions(SessionConfig(store=SqliteStore("own.db")))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    done = command_line("migrate", "--app", f"{module.__name__}:sessions()")

    assert 1 == done.code
    assert done.err.startswith("error: store: the application makes its SqliteStore itself; give the URL")
