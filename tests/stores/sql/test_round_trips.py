"""How often each verb of `SqlStore` asks its server something, once a connection has seen the statement before."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from fastapi_session.stores.sql import SqlStore
from fastapi_session.testing import HandClock
from fastapi_session.testing.records import bound_key, new_session, next_rotation
from tests.reliability.proxy import Connect, Ends, proxied
from tests.reliability.store_proxy import by_port, way_to
from tests.stores.sql.conftest import PATIENCE, SERVERS


class Asked:
    """The way to a server, on which it is counted how often the server is sent something."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._times = 0

    async def __call__(self) -> Ends:
        reader, writer = await self._connect()
        send = writer.write

        def counted(data: bytes) -> None:
            self._times += 1
            send(data)

        writer.write = counted  # type: ignore[assignment,method-assign]  # of this one object
        return reader, writer

    def times(self) -> int:
        """Return how often, and begin anew."""
        times, self._times = self._times, 0
        return times


@pytest.fixture(params=SERVERS)
def driver(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def asked(url: str) -> Asked:
    return Asked(way_to(url))


@pytest.fixture
async def store(url: str, engine: AsyncEngine, asked: Asked, clock: HandClock) -> AsyncIterator[SqlStore]:
    async with proxied(asked) as network:
        store = SqlStore(by_port(url, network.port), clock=clock, timeout=PATIENCE)
        await store.open()
        yield store
        await store.close()


async def test_what_each_verb_costs(store: SqlStore, asked: Asked, driver: str, clock: HandClock) -> None:
    """PostgreSQL is asked once for a statement alone. MySQL commits each, and reads the row that a refresh has written.

    A refresh costs the same whether the session is bound or not, and be the key proved or not.

    A session that ends and its notice are two statements of one transaction, which PostgreSQL has to be asked to begin.
    """
    costs = []
    for name in ("new to the connection", "known"):
        record = new_session(name, now=clock())
        asked.times()
        await store.insert(record)
        costs.append(asked.times())
        await store.rotate(next_rotation(record, debounce=0))
        costs.append(asked.times())
        await store.get(record.session_id)
        costs.append(asked.times())
        await store.bind(record.session_id, bound_key("own"))
        costs.append(asked.times())
        bound = (await store.get(record.session_id)).record
        assert bound is not None
        asked.times()
        assert await store.rotate(next_rotation(bound, debounce=0, proved=None)) is None
        costs.append(asked.times())
        assert await store.rotate(next_rotation(bound, debounce=0)) is not None
        costs.append(asked.times())
        await store.delete(record.session_id)
        costs.append(asked.times())

    mysql, postgresql = [2, 3, 2, 2, 2, 3, 3], [1, 1, 1, 1, 1, 1, 4]
    assert (mysql if driver.startswith("mysql") else postgresql) == costs[7:]
