"""Sessions of a test's own in the shop, by a clock of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fastapi_session import Sessions
from fastapi_session.testing import HandClock, fresh_sessions
from tests.testing import shop


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def sessions(clock: HandClock) -> Iterator[Sessions]:
    with fresh_sessions(shop.app, clock=clock) as sessions:
        yield sessions
