"""A clock driven by hand, and a store of each embedded kind that goes by it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fastapi_session.stores.base import Store
from fastapi_session.stores.by_url import store_by_url
from fastapi_session.testing import HandClock
from tests.engine.engines import TroubledStore


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, clock: HandClock, tmp_path: Path) -> AsyncIterator[Store]:
    urls = {"memory": "memory:", "sqlite": f"sqlite:///{tmp_path}/sessions.db"}
    store = store_by_url(urls[request.param], clock=clock)
    await store.open()
    yield store
    await store.close()


@pytest.fixture
def troubled(clock: HandClock) -> TroubledStore:
    return TroubledStore(clock)
