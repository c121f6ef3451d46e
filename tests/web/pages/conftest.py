"""Sites to visit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from fastapi_session.testing import HandClock
from tests.web.pages.site import Visitor, sessions_of, site, visited

Visit = Callable[..., Visitor]


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def visit(clock: HandClock) -> Iterator[Visit]:
    """Visit a site with the options given, signed in."""
    with ExitStack() as served:

        def serve(**options: Any) -> Visitor:
            sessions = sessions_of(clock, **options)
            visitor = served.enter_context(visited(site(sessions), sessions, clock))
            visitor.sign_in()
            return visitor

        yield serve


@pytest.fixture
def visitor(visit: Visit) -> Visitor:
    return visit()
