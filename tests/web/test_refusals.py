"""Why somebody was refused can be read in the log, at a level that strangers cannot fill."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import PlainTextResponse, Response
from starlette.applications import Starlette
from starlette.exceptions import HTTPException as StarletteHTTPException

from fastapi_session import SessionError, Sessions, UnauthorisedError, get_session_from_request
from fastapi_session.testing import HandClock
from tests.moments import HOUR
from tests.web.deployment import Deployment, deployed
from tests.web.wire import UNAUTHORISED, Held
from tests.wire import ACCESS_COOKIE, REFRESH_COOKIE, REFRESH_PATH, SIGN_OUT_PATH


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """What was logged of refusals. Nothing of it is above DEBUG."""
    caplog.set_level(logging.DEBUG, "fastapi_session")

    def found() -> list[str]:
        refused = [record for record in caplog.records if record.getMessage().startswith("refused")]
        assert {logging.DEBUG} >= {record.levelno for record in refused}
        return [record.getMessage() for record in refused]

    return found


def nothing(at: Deployment, _held: Held) -> None:
    at.get("/me")


def forged(at: Deployment, held: Held) -> None:
    at.get("/me", {"cookie": f"{ACCESS_COOKIE}={held.access[:-20]}AAAAAAAA{held.access[-12:]}"})


def expired(at: Deployment, held: Held) -> None:
    at.clock.advance(2 * HOUR)
    at.get("/me", held.to_call())


def revoked(at: Deployment, held: Held) -> None:
    at.post(SIGN_OUT_PATH, held.to_call())
    at.get("/me", held.to_call())


def checked(at: Deployment, held: Held) -> None:
    at.post(SIGN_OUT_PATH, held.to_call())
    at.get("/checked", held.to_call())


def claims(at: Deployment, held: Held) -> None:
    at.get("/admin", held.to_call())


def no_refresh(at: Deployment, _held: Held) -> None:
    at.post(REFRESH_PATH)


def bad_refresh(at: Deployment, _held: Held) -> None:
    at.post(REFRESH_PATH, {"cookie": f"{REFRESH_COOKIE}=junk"})


def gone(at: Deployment, held: Held) -> None:
    at.post(SIGN_OUT_PATH, held.to_call())
    at.refresh(held)


def stolen(at: Deployment, held: Held) -> None:
    at.refreshed(at.refreshed(held))
    at.refresh(held)


def duplicates(at: Deployment, _held: Held) -> None:
    at.post(REFRESH_PATH, {"cookie": f"{REFRESH_COOKIE}=1; {REFRESH_COOKIE}=2"})


@pytest.mark.parametrize(
    ("ask", "expected"),
    [
        (nothing, "refused, unauthorised: no access token of ours came with the request (session not known)"),
        (forged, "refused, try refresh token: access token: signed by no key that is known (session not known)"),
        (expired, "refused, try refresh token: access token: expired (session {handle})"),
        (revoked, "refused, unauthorised: session: it has ended (session {handle})"),
        (checked, "refused, unauthorised: session: it has ended (session {handle})"),
        (claims, "refused, invalid claim: st-role, st-mfa (session not known)"),
        (no_refresh, "refused, unauthorised: no refresh token came with the request (session not known)"),
        (bad_refresh, "refused, unauthorised: refresh token: BAD_TOKEN (session not known)"),
        (gone, "refused, unauthorised: refresh token: GONE (session {handle})"),
        (stolen, "refused, token theft detected: STALE_LINEAGE (session {handle})"),
        (duplicates, "refused: The request contains multiple session cookies."),
    ],
)
def test_the_reason(ask: Callable[[Deployment, Held], None], expected: str, deployment: Deployment, told: Any) -> None:
    """Each refusal is one line: what the client was told, why, and which session it was if a token proved that."""
    held = deployment.login()
    handle = deployment.ask(deployment.sessions.of_user, "ada")[0].handle
    ask(deployment, held)

    (line,) = told()
    assert line.startswith(expected.format(handle=handle))


def test_who_goes_on_all_the_same(app: FastAPI, deployment: Deployment, told: Any) -> None:
    """A refusal that the application answers in its own way is logged too, once."""

    @app.get("/mine")
    async def mine(request: Request) -> str:
        try:
            await get_session_from_request(request)
        except UnauthorisedError as error:
            return error.reason
        return ""

    reason = deployment.get("/mine").json()

    assert [f"refused, unauthorised: {reason} (session not known)"] == told()


def test_one_error_for_all(app: FastAPI, deployment: Deployment, told: Any) -> None:
    """An error that the application keeps, and raises for every request, is logged for every request."""
    closed = UnauthorisedError("closed on Sundays", handle="h")

    @app.get("/sunday")
    async def sunday() -> None:
        raise closed

    deployment.get("/sunday")
    deployment.get("/sunday")

    assert ["refused, unauthorised: closed on Sundays (session h)"] * 2 == told()


def caught(app: Starlette) -> list[SessionError]:
    """The errors that a route of *app* at /caught is given, which it raises on; whether each was an HTTPException then."""
    errors: list[SessionError] = []

    async def endpoint(request: Request) -> Response:
        try:
            session = await get_session_from_request(request)
        except SessionError as error:
            error.add_note(str(isinstance(error, HTTPException)))
            errors.append(error)
            raise
        return PlainTextResponse(session.user_id)

    app.add_route("/caught", endpoint)
    return errors


def test_an_http_exception_too(app: FastAPI, deployment: Deployment) -> None:
    """What is raised at a client is an HTTPException with its status, and reads as the error that it is."""
    errors = caught(app)
    response = deployment.get("/caught")

    (error,) = errors
    assert isinstance(error, UnauthorisedError)
    assert isinstance(error, HTTPException)
    assert (401, "unauthorised") == (error.status_code, error.detail)
    assert (401, UNAUTHORISED) == (response.status_code, response.json())
    assert str(UnauthorisedError(error.reason)) == str(error)
    assert repr(UnauthorisedError(error.reason)) == repr(error)


async def teapot(_request: Request, _error: Exception) -> Response:
    return PlainTextResponse("teapot", 418)


def test_a_handler_of_all_http_exceptions(app: FastAPI, sessions: Sessions, clock: HandClock) -> None:
    """A handler of the application for its own HTTPExceptions answers none of ours."""
    app.add_exception_handler(StarletteHTTPException, teapot)
    app.add_exception_handler(HTTPException, teapot)
    errors = caught(app)
    with deployed(app, sessions, clock) as deployment:
        refused, unknown = deployment.get("/caught"), deployment.get("/nowhere")

    assert (401, UNAUTHORISED, 418) == (refused.status_code, refused.json(), unknown.status_code)
    assert [["True"]] == [error.__notes__ for error in errors]


def test_a_handler_of_a_status(app: FastAPI, sessions: Sessions, clock: HandClock) -> None:
    """Nor does one that it has for a status: the error stays what it is then."""
    app.add_exception_handler(401, teapot)
    errors = caught(app)
    with deployed(app, sessions, clock) as deployment:
        refused = deployment.get("/caught")

    assert (401, UNAUTHORISED) == (refused.status_code, refused.json())
    assert [["False"]] == [error.__notes__ for error in errors]


@pytest.mark.parametrize("kind", [Starlette, FastAPI])
def test_a_mounted_application_without_handlers(kind: Any, app: FastAPI, deployment: Deployment) -> None:
    """Nor that of a mounted application, which has one for HTTPExceptions whether it wants to or not."""
    inner = kind()
    errors = caught(inner)
    app.mount("/inner", inner)

    assert (401, UNAUTHORISED) == ((refused := deployment.get("/inner/caught")).status_code, refused.json())
    assert [["False"]] == [error.__notes__ for error in errors]


def test_errors_of_one_s_own(app: FastAPI, deployment: Deployment) -> None:
    """A class of the application's own is treated as the class of ours that it extends."""

    class Banned(UnauthorisedError):
        pass

    async def verify(*_arguments: object, **_options: object) -> None:
        raise Banned("banned")

    held = deployment.login()
    deployment.sessions.verify = verify  # type: ignore[method-assign, assignment]
    errors = caught(app)

    assert (401, UNAUTHORISED) == ((refused := deployment.get("/caught", held.to_call())).status_code, refused.json())
    assert [(True, True)] == [(isinstance(error, Banned), isinstance(error, HTTPException)) for error in errors]
