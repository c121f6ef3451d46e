"""Answering differently loses neither what was ended nor what is cleared."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import pytest
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse, Response

from fastapi_session import (
    ClearDuplicateSessionCookiesError,
    DuplicateSessionCookiesError,
    InvalidClaimsError,
    SessionError,
    StoreUnavailable,
    TokenTheftError,
    TryRefreshTokenError,
    UnauthorisedError,
    install,
)
from fastapi_session.insertion import Insertion
from fastapi_session.stores.memory import MemoryStore
from fastapi_session.testing import HandClock
from tests.engines import engine
from tests.web.deployment import Deployment, Verified, application, deployed
from tests.web.wire import CLEARED, KEPT, change
from tests.wire import ACCESS_COOKIE, REFRESH_COOKIE, REFRESH_PATH

Handler = Callable[[Request, Exception], Awaitable[Response]]


async def teapot(_request: Request, error: Exception) -> Response:
    """Return every error in the same unusual way."""
    return PlainTextResponse(type(error).__name__, 418)


class BrokenStore(MemoryStore):
    """A store of the public contract that is down."""

    async def insert(self, *_: object, **__: object) -> Insertion:
        raise StoreUnavailable("connection refused")


def reuse(deployment: Deployment) -> Response:
    first = deployment.login()
    deployment.refreshed(deployment.refreshed(first))
    return deployment.refresh(first)  # type: ignore[return-value]


@pytest.mark.parametrize("order", ["before", "after"])
@pytest.mark.parametrize("error_class", [TokenTheftError, SessionError])
def test_a_handler_of_one_s_own(error_class: type[Exception], order: str, clock: HandClock) -> None:
    """A handler registered before or after `install` answers; the session is revoked and the tokens are cleared all the same."""
    sessions = engine(clock)
    app = FastAPI()
    if order == "before":
        app.add_exception_handler(error_class, teapot)
        _complete(app, sessions)
    else:
        _complete(app, sessions)
        app.add_exception_handler(error_class, teapot)
    with deployed(app, sessions, clock) as deployment:
        response = reuse(deployment)

        assert (418, "TokenTheftError") == (response.status_code, response.text)  # type: ignore[attr-defined]
        assert CLEARED == change(response)  # type: ignore[arg-type]
        assert [] == deployment.users()


@pytest.mark.parametrize(
    ("own", "revokes", "tokens"), [(False, False, CLEARED), (True, False, KEPT), (True, True, CLEARED)]
)
def test_what_a_route_raises_itself(own: bool, revokes: bool, tokens: dict[str, str], clock: HandClock) -> None:
    """Its tokens are cleared by the handler of the library, and by `revoke` whoever answers."""
    sessions = engine(clock)
    app = application(sessions)
    if own:
        app.add_exception_handler(SessionError, teapot)

    @app.get("/vault")
    async def vault(session: Verified) -> None:
        if revokes:
            await session.revoke()
        raise UnauthorisedError("mallory again", clears_tokens=True)

    with deployed(app, sessions, clock) as deployment:
        response = deployment.get("/vault", deployment.login("cookie").to_call())

    assert (418 if own else 401, tokens) == (response.status_code, change(response))


@pytest.mark.parametrize(
    ("error_class", "ask", "tokens"),
    [
        (UnauthorisedError, lambda at: at.get("/me"), KEPT),
        (TryRefreshTokenError, lambda at: at.get("/me", {"cookie": "sIdRefreshToken=1"}), KEPT),
        (InvalidClaimsError, lambda at: at.get("/admin", at.login().to_call()), KEPT),
        (TokenTheftError, reuse, CLEARED),
        (
            ClearDuplicateSessionCookiesError,
            lambda at: at.post(REFRESH_PATH, {"cookie": f"{ACCESS_COOKIE}=1; {ACCESS_COOKIE}=2"}),
            {ACCESS_COOKIE: "cleared"},
        ),
        (StoreUnavailable, lambda at: at.post("/login?user_id=ada"), KEPT),
    ],
)
def test_each_error_by_itself(
    error_class: type[Exception], ask: Callable[[Deployment], Response], tokens: dict[str, str], clock: HandClock
) -> None:
    """Each outcome has a class by which it can be answered differently, and what it does to the tokens stays."""
    store = BrokenStore(clock=clock) if error_class is StoreUnavailable else "memory:"
    sessions = engine(clock, store=store, older_cookie_domain="testserver")
    app = application(sessions)
    app.add_exception_handler(error_class, teapot)
    with deployed(app, sessions, clock) as deployment:
        response = ask(deployment)

    assert (418, error_class.__name__) == (response.status_code, response.text)  # type: ignore[attr-defined]
    assert tokens == change(response)  # type: ignore[arg-type]


def test_duplicates_answered_differently(clock: HandClock) -> None:
    """The one configuration error that a request can cause has a class of its own too."""
    sessions = engine(clock)
    app = application(sessions)
    app.add_exception_handler(DuplicateSessionCookiesError, teapot)
    with deployed(app, sessions, clock) as deployment:
        response = deployment.post(REFRESH_PATH, {"cookie": f"{REFRESH_COOKIE}=1; {REFRESH_COOKIE}=2"})

    assert (418, "DuplicateSessionCookiesError", KEPT) == (response.status_code, response.text, change(response))


def test_an_outage_is_logged(clock: HandClock, caplog: pytest.LogCaptureFixture) -> None:
    """A store that is down is an error in the log, with what the driver said."""
    sessions = engine(clock, store=BrokenStore(clock=clock))
    with deployed(application(sessions), sessions, clock) as deployment, caplog.at_level(logging.ERROR):
        response = deployment.post("/login?user_id=ada")

    assert 503 == response.status_code
    assert "connection refused" not in response.text
    assert ["the session store is unavailable: connection refused"] == caplog.messages


def test_a_refusal_is_no_error_in_the_log(deployment: Deployment, caplog: pytest.LogCaptureFixture) -> None:
    """What strangers can cause at will does not fill the log with warnings."""
    for headers in ({}, {"cookie": f"{ACCESS_COOKIE}=junk"}, {"authorization": "Bearer junk"}):
        deployment.get("/me", headers)
        deployment.post(REFRESH_PATH, headers)

    assert [] == [record for record in caplog.records if record.levelno >= logging.WARNING]


def _complete(app: FastAPI, sessions: object) -> None:
    whole = application(sessions)  # type: ignore[arg-type]
    install(app, sessions)  # type: ignore[arg-type]
    app.router.routes.extend(whole.router.routes)
