"""A clock driven by hand, and a store of each embedded kind that goes by it; of every kind where a module asks for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from fastapi_session.stores.base import Store
from fastapi_session.testing import HandClock
from tests.conftest import Place, place_of
from tests.engines import TroubledStore


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture(params=["memory", "sqlite"])
def place(request: pytest.FixtureRequest) -> Place:
    """Where the store is. A module that asks every kind has a fixture of this name of its own."""
    return place_of(request.param, request)


@pytest.fixture
async def store(place: Place, clock: HandClock) -> AsyncIterator[Store]:
    store = place.store(clock)
    await store.open()
    yield store
    await rest()
    await store.close()


async def rest() -> None:
    """Let what engines began in the background come to its end, and break off what has none."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    endless = (await asyncio.wait(others, timeout=0.1))[1] if others else set()
    for task in endless:
        task.cancel()
    await asyncio.gather(*endless, return_exceptions=True)


@pytest.fixture
def troubled(clock: HandClock) -> TroubledStore:
    return TroubledStore(clock)
