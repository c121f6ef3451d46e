"""`SqlStore` keeps the contract on every database, through every driver."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from fastapi_session.stores.sql import SqlStore
from fastapi_session.testing import (
    EventContract,
    HandClock,
    LimitContract,
    MovableContract,
    PagingContract,
    StoreContract,
)
from tests.stores.sql.conftest import PATIENCE, make_empty_tables


class TestSqlStore(StoreContract, LimitContract, EventContract, MovableContract, PagingContract):
    """The whole contract, over the pool of a store that was given a URL."""

    @pytest.fixture
    async def store(self, url: str, clock: HandClock) -> AsyncIterator[SqlStore]:
        store = SqlStore(url, clock=clock, timeout=PATIENCE)
        store._engine.open()
        await store._pooled.run(make_empty_tables)
        yield store
        await store.close()
