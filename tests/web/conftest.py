"""Applications to send requests to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from fastapi import FastAPI

from fastapi_session import Sessions
from fastapi_session.testing import HandClock
from tests.engines import engine
from tests.web.deployment import Deployment, application, deployed

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
def sessions(clock: HandClock) -> Sessions:
    """The engine of `app`, with the options that are default; a module that wants others has a fixture of its own."""
    return engine(clock)


@pytest.fixture
def app(sessions: Sessions) -> FastAPI:
    """The application of every endpoint."""
    return application(sessions)


@pytest.fixture
def deployment(app: FastAPI, sessions: Sessions, clock: HandClock) -> Iterator[Deployment]:
    """That application, served."""
    with deployed(app, sessions, clock, sessions.config.api_domain) as deployment:
        yield deployment
