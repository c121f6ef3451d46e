"""Applications to send requests to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from fastapi_session.testing import HandClock
from tests.web.deployment import Deployment, application, deployed, engine

Deploy = Callable[..., Deployment]


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def deploy(clock: HandClock) -> Iterator[Deploy]:
    """Deploy the application of every endpoint with the options given."""
    with ExitStack() as served:

        def serve(**options: Any) -> Deployment:
            sessions = engine(clock, **options)
            return served.enter_context(deployed(application(sessions), sessions, clock, sessions.config.api_domain))

        yield serve


@pytest.fixture
def deployment(deploy: Deploy) -> Deployment:
    """The application of every endpoint with the options that are default."""
    return deploy()
