"""Middlewares that may end what browsers have bound: each is warned of at the start."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send

from fastapi_session import install
from fastapi_session.testing import HandClock
from tests.engines import engine
from tests.web.binding.browsers import BOUND


class Passing:
    """A middleware that does nothing."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


def of(package: str, name: str) -> Any:
    """The same, as a class of another package."""
    return type(name, (Passing,), {"__module__": f"{package}.middleware"})


def warned(middleware: Any, caplog: pytest.LogCaptureFixture, clock: HandClock, **options: Any) -> list[str]:
    app = FastAPI()
    install(app, engine(clock, **{**BOUND, **options}))
    app.add_middleware(middleware)
    with TestClient(app):
        return [message for message in caplog.messages if message.startswith("device_binding: browsers")]


@pytest.mark.parametrize(
    ("package", "name", "why"),
    [("slowapi", "SlowAPIMiddleware", "the 429 of"), ("starlette_csrf", "CSRFMiddleware", "no token for")],
)
def test_what_may_end_a_binding(
    package: str, name: str, why: str, caplog: pytest.LogCaptureFixture, clock: HandClock
) -> None:
    """The warning names the middleware and the paths that it has to let pass."""
    [message] = warned(of(package, name), caplog, clock)

    assert f"{why} {name}" in message
    assert "let it pass /auth/session/device, /auth/session/refresh and what is below them" in message


def test_anything_else(caplog: pytest.LogCaptureFixture, clock: HandClock) -> None:
    """Other middlewares are not warned of."""
    assert [] == warned(Passing, caplog, clock)


def test_where_nothing_is_bound(caplog: pytest.LogCaptureFixture, clock: HandClock) -> None:
    """Neither is any if no session is to be bound."""
    assert [] == warned(of("slowapi", "SlowAPIMiddleware"), caplog, clock, device_binding="off")
