"""The pytest plugin: fixtures for the tests of an application.

| fixture | what it is |
|---|---|
| `hand_clock` | a `HandClock`, for `Sessions(config, clock=hand_clock)` |
| `sign_in` | the function `sign_in(client, sessions, user_id, ...)` |
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fastapi_session.engine.minting import IssuedSession
from fastapi_session.testing import signing_in
from fastapi_session.testing.hand_clock import HandClock


@pytest.fixture
def hand_clock() -> HandClock:
    """Answer a clock that stands still until it is moved."""
    return HandClock()


@pytest.fixture
def sign_in() -> Callable[..., IssuedSession]:
    """Answer what signs a client in."""
    return signing_in.sign_in
