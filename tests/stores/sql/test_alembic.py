"""Our tables beside an Alembic of the user's own, which leaves them alone or makes them, and finds nothing to do again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, inspect, make_url
from sqlalchemy.pool import NullPool

from fastapi_session.stores.sql import METADATA, SqlStore, migrate

MODELS = """
from sqlalchemy import Column, Integer, MetaData, Table
from fastapi_session.stores.sql import METADATA, include_object

users = MetaData()
Table("alembic_test_user", users, Column("id", Integer, primary_key=True))
"""
OWN = f"{MODELS}\ntarget_metadata = users"
BOTH = f"{MODELS}\ntarget_metadata = [users, METADATA]"
AND_INCLUDE = "target_metadata=target_metadata, include_object=include_object"
USERS_TABLES = ["alembic_test_user", "alembic_version"]


@pytest.fixture(params=["postgresql+psycopg", "sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where the database is, by a driver of SQLAlchemy's synchronous engines."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'sessions.db'}"
    server: str = request.getfixturevalue("postgres_url")
    return make_url(server).set(drivername=request.param).render_as_string(hide_password=False)


@pytest.fixture
def tables(url: str) -> Iterator[None]:
    """A database without any table, before and after."""
    drop(url)
    yield
    drop(url)


def drop(url: str) -> None:
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        METADATA.drop_all(connection)
        for table in USERS_TABLES:
            connection.exec_driver_sql(f"DROP TABLE IF EXISTS {table}")


def asynchronous(url: str) -> str:
    return url.replace("sqlite:", "sqlite+aiosqlite:")


async def open_and_close(url: str) -> None:
    store = SqlStore(asynchronous(url))
    await store.open()
    await store.close()


class Project:
    """What `alembic init` makes of a folder, with the *target* and the *options* that the user writes into its `env.py`."""

    def __init__(
        self, folder: Path, url: str, *, target: str, options: str = "target_metadata=target_metadata"
    ) -> None:
        self._config = Config(stdout=StringIO())
        self._config.set_main_option("script_location", str(folder / "alembic"))
        self._config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
        self._config.set_main_option("path_separator", "os")
        self._config.config_file_name = str(folder / "alembic.ini")
        command.init(self._config, str(folder / "alembic"))
        self._config.config_file_name = None
        env = folder / "alembic" / "env.py"
        text = env.read_text("utf-8").replace("target_metadata = None", target)
        env.write_text(text.replace("target_metadata=target_metadata", options), "utf-8")

    def migrate(self) -> str:
        """Generate a migration and run it. Return its text."""
        script = command.revision(self._config, "generated", autogenerate=True)
        command.upgrade(self._config, "head")
        return Path(script.path).read_text("utf-8")  # type: ignore[union-attr]

    def check(self) -> None:
        """Raise if there is anything left to generate."""
        command.check(self._config)


def names(url: str) -> list[str]:
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        return sorted(inspect(connection).get_table_names())


ALL_TABLES = sorted([*METADATA.tables, *USERS_TABLES])


@pytest.mark.usefixtures("tables")
def test_alembic_leaves_our_tables_alone(url: str, tmp_path: Path) -> None:
    """With `include_object` and tables of `migrate`, the user's migrations hold the user's tables alone."""
    asyncio.run(migrate(asynchronous(url)))
    project = Project(tmp_path, url, target=OWN, options=AND_INCLUDE)
    script = project.migrate()
    project.check()

    assert "fastapi_session" not in script
    assert ALL_TABLES == names(url)


@pytest.mark.usefixtures("tables")
def test_alembic_is_given_our_tables_after_migrate(url: str, tmp_path: Path) -> None:
    """With our `METADATA` beside the user's and tables of `migrate`, there is nothing of ours to do."""
    asyncio.run(migrate(asynchronous(url)))
    project = Project(tmp_path, url, target=BOTH)
    script = project.migrate()
    project.check()
    asyncio.run(migrate(asynchronous(url)))

    assert "'fastapi_session" not in script
    assert ALL_TABLES == names(url)


@pytest.mark.usefixtures("tables")
def test_alembic_makes_our_tables(url: str, tmp_path: Path) -> None:
    """On a fresh database, Alembic makes our tables; `migrate` adopts them, and neither has anything left to do."""
    project = Project(tmp_path, url, target=BOTH)
    script = project.migrate()
    project.check()
    asyncio.run(open_and_close(url))
    asyncio.run(migrate(asynchronous(url)))
    project.check()

    assert "fastapi_session." not in script
    assert ALL_TABLES == names(url)
