"""Middlewares that may end what browsers have bound."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from fastapi_session import install
from fastapi_session.doctor.application.installed import Installed
from fastapi_session.doctor.application.neighbours import neighbour_findings
from fastapi_session.testing import HandClock
from tests.doctor.deployments import Found, listed
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


def found(middleware: Any, clock: HandClock, **options: Any) -> Found:
    app = FastAPI()
    install(app, sessions := engine(clock, **{**BOUND, **options}))
    app.add_middleware(middleware)
    return listed(neighbour_findings(Installed(sessions.config, app)))


@pytest.mark.parametrize(
    ("package", "name", "id_"),
    [("slowapi", "SlowAPIMiddleware", "FS061"), ("starlette_csrf", "CSRFMiddleware", "FS062")],
)
def test_what_may_end_a_binding(package: str, name: str, id_: str, clock: HandClock) -> None:
    """The middleware is named, and the paths that it has to let pass."""
    seen = f"{name} stands before /auth/session/device and /auth/session/refresh"

    assert [(id_, seen)] == found(of(package, name), clock)


def test_anything_else(clock: HandClock) -> None:
    """Other middlewares are not found."""
    assert [] == found(Passing, clock)


def test_where_nothing_is_bound(clock: HandClock) -> None:
    """Neither is any if no session is to be bound."""
    assert [] == found(of("slowapi", "SlowAPIMiddleware"), clock, device_binding="off")
