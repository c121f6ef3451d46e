"""A clock that a test moves."""

from __future__ import annotations

import pytest

from fastapi_session.testing import HandClock


@pytest.fixture
def clock() -> HandClock:
    return HandClock()
