"""How much a run does, and an open store of each kind; the stores themselves are `place` and `any_place`, one folder above.

`pytest tests/reliability --full` does all that is promised, and tells its figures in the end; otherwise a small part is done.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fastapi_session.sessions import Sessions
from fastapi_session.stores.base import Store
from fastapi_session.testing import HandClock
from tests.conftest import Figures, Place, is_full
from tests.engines import engine

FULL_TIMEOUT = 3600
"""How many seconds a test of a full run may take."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if is_full(config):
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.timeout(FULL_TIMEOUT), append=False)


@pytest.fixture
def figures(request: pytest.FixtureRequest, figures: Figures) -> Figures:
    """What a test has seen, told at the end of a full run."""

    def take_down(**seen: object) -> None:
        if is_full(request.config):
            figures(**seen)

    return take_down


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def store(any_place: Place, clock: HandClock) -> AsyncIterator[Store]:
    """An open, empty store of each kind that goes by the clock driven by hand."""
    store = any_place.store(clock)
    await store.open()
    yield store
    await store.close()


@pytest.fixture
async def sessions(store: Store, clock: HandClock) -> AsyncIterator[Sessions]:
    """An engine over each kind of store."""
    sessions = engine(clock, store=store)
    await sessions.open()
    yield sessions
    await sessions.close()
