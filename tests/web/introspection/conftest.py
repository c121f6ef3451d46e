"""An application that a service asks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fastapi_session import Sessions
from fastapi_session.testing import HandClock
from tests.web.introspection.service import Service, asked


@pytest.fixture
def service(sessions: Sessions, clock: HandClock) -> Iterator[Service]:
    """The service `reports` of the application of every endpoint."""
    with asked(sessions, clock) as service:
        yield service
