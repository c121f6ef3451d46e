"""`SqlStore` keeps the contract on every database, through every driver."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from fastapi_session.stores.sql import SqlStore
from fastapi_session.testing import HandClock, StoreContract


class TestOwnEngine(StoreContract):
    """The whole contract, over the pool of a store that was given a URL."""

    @pytest.fixture
    async def store(self, url: str, engine: AsyncEngine, clock: HandClock) -> AsyncIterator[SqlStore]:
        store = SqlStore(url, clock=clock)
        await store.open()
        yield store
        await store.close()
