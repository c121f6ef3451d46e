"""Behind PgBouncer, whatever its mode, no statement is another client's: it works, or it is refused when it is opened."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from fastapi_session.errors import ConfigurationError
from fastapi_session.stores.sql import SqlStore, migrate
from fastapi_session.testing import HandClock
from fastapi_session.testing.records import new_session, next_rotation
from tests.conftest import empty_tables
from tests.stores.sql.conftest import drop
from tests.stores.sql.servers import Server, pgbouncer, pgbouncer_program, started

UNNAMED: dict[str, dict[str, object]] = {
    "postgresql+psycopg": {"prepare_threshold": None},
    "postgresql+asyncpg": {"statement_cache_size": 0},
}
"""What the message says an engine is to be made with."""

NAMED = {"postgresql+psycopg": "prepare_threshold=0", "postgresql+asyncpg": "statement_cache_size=100"}
"""The option in a URL that has statements prepared under names."""

NAMES = text("SELECT count(*) FROM pg_prepared_statements WHERE name ~ '^(_pg3|__asyncpg)_'")


@pytest.fixture(scope="module", params=["transaction", "session"])
def pooler(request: pytest.FixtureRequest, postgres_url: str) -> Iterator[Server]:
    """A PgBouncer before the server of the run, and that server's own."""
    if pgbouncer_program() is None:
        pytest.skip("PgBouncer is not installed")
    with started(partial(pgbouncer, before=postgres_url, mode=request.param)) as server:
        yield server


@pytest.fixture(params=UNNAMED)
def driver(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
async def url(driver: str, pooler: Server, postgres_url: str) -> str:
    """Where the empty tables are, behind the pooler."""
    await empty_tables(postgres_url)
    return by(driver, pooler.url)


def by(driver: str, url: str) -> str:
    return make_url(url).set(drivername=driver).render_as_string(hide_password=False)


async def names(store: SqlStore) -> int:
    """Return how many statements the server keeps for a connection of *store* that has asked often."""
    for _ in range(12):
        await store.signing_keys()
    count: int = await store._pooled.run(lambda connection: connection.execute(NAMES).scalar_one())
    return count


async def test_stores_side_by_side(url: str, clock: HandClock) -> None:
    """Several stores on the few connections of one pooler each get their own answers, and a late one opens beside them."""
    stores = [SqlStore(url, clock=clock) for _ in range(3)]
    for store in stores:
        await store.open()

    async def live(number: int) -> bool:
        store, record = stores[number % 3], new_session(f"{number}", now=clock(), user_id=f"{number}")
        await store.insert(record)
        for _ in range(6):
            assert record == (await store.get(record.session_id)).record
            rotated = await store.rotate(next_rotation(record, debounce=0))
            assert rotated is not None
            assert [rotated] == list(await store.sessions_of(record.user_id))
            assert [] == list(await store.signing_keys())
            record = rotated
        return await store.delete(record.session_id)

    assert [True] * 12 == await asyncio.gather(*(live(number) for number in range(12)))
    late = SqlStore(url, clock=clock)
    await late.open()
    assert 12 == len((await late.notices(after=0)).notices)
    for store in (*stores, late):
        await store.close()


async def test_the_tables_are_made(driver: str, pooler: Server, postgres_url: str) -> None:
    """Several that migrate at once behind the pooler make the tables once, and a store opens on them."""
    bare = create_async_engine(postgres_url)
    await drop(bare)
    url = by(driver, pooler.url)
    await asyncio.gather(*(migrate(url) for _ in range(3)))
    store = SqlStore(url)
    await store.open()

    await store.close()
    await drop(bare)
    await bare.dispose()


async def test_nothing_is_kept_under_a_name(url: str) -> None:
    """However often a statement is run, the server keeps none that another client could meet."""
    store = SqlStore(url)
    await store.open()

    assert 0 == await names(store)
    await store.close()


async def test_names_without_a_pooler(driver: str, postgres_url: str) -> None:
    """Without a pooler, the option of a URL to prepare statements under names is heeded; unless it is given, none are."""
    await empty_tables(postgres_url)
    url = by(driver, postgres_url)
    stores = [SqlStore(url), SqlStore(f"{url}&{NAMED[driver]}")]
    for store in stores:
        await store.open()

    assert [0, True] == [await names(stores[0]), await names(stores[1]) > 0]
    for store in stores:
        await store.close()


async def test_a_url_that_names_statements_is_refused(url: str, driver: str) -> None:
    """The same option behind a pooler is refused when the store is opened, and again when it is used without."""
    refused = SqlStore(f"{url}&{NAMED[driver]}")

    for use in (refused.open, refused.signing_keys):
        with pytest.raises(ConfigurationError, match=NAMED[driver].partition("=")[0]):
            await use()
    await refused.close()


async def test_an_engine_that_names_statements_is_refused(url: str, driver: str) -> None:
    """The user's own engine, made without a thought of the pooler, is refused with what is to be done: for each connection."""
    engine = create_async_engine(url)
    refused = SqlStore(engine)

    for _ in range(2):
        with pytest.raises(ConfigurationError, match=NAMED[driver].partition("=")[0]):
            await refused.open()
    async with engine.connect() as connection:
        with pytest.raises(ConfigurationError, match="trusts_pooler=True"):
            await SqlStore(url).within(connection).sessions_of("user")
    await engine.dispose()


@pytest.mark.parametrize("pooler", ["session"], indirect=True)
async def test_a_pooler_that_is_trusted(url: str) -> None:
    """Whoever says that the pooler keeps statements apart is believed."""
    engine = create_async_engine(url)
    store = SqlStore(engine, trusts_pooler=True)
    await store.open()

    assert await names(store) >= 0
    await engine.dispose()


async def test_an_engine_that_names_nothing(url: str, driver: str, clock: HandClock) -> None:
    """The user's own engine, made as the message says, is used; several share the pooler with it."""
    engines = [create_async_engine(url, connect_args=UNNAMED[driver]) for _ in range(2)]
    stores = [SqlStore(engine, clock=clock) for engine in engines]

    async def live(number: int) -> None:
        record = new_session(f"{number}", now=clock())
        await stores[number % 2].insert(record)
        for _ in range(8):
            assert record == (await stores[number % 2].get(record.session_id)).record

    for store in stores:
        await store.open()
    await asyncio.gather(*(live(number) for number in range(8)))
    await forget(*engines)


async def forget(*engines: AsyncEngine) -> None:
    for engine in engines:
        await engine.dispose()
