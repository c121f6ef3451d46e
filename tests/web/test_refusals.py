"""Why somebody was refused can be read in the log, at a level that strangers cannot fill."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI, Request

from fastapi_session import UnauthorisedError, get_session_from_request
from tests.web.deployment import HOUR, Deployment
from tests.web.wire import ACCESS, REFRESH, Held


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
    at.get("/me", {"cookie": f"{ACCESS}={held.access[:-20]}AAAAAAAA{held.access[-12:]}"})


def expired(at: Deployment, held: Held) -> None:
    at.clock.advance(2 * HOUR)
    at.get("/me", held.to_call())


def revoked(at: Deployment, held: Held) -> None:
    at.post("/auth/signout", held.to_call())
    at.get("/me", held.to_call())


def checked(at: Deployment, held: Held) -> None:
    at.post("/auth/signout", held.to_call())
    at.get("/checked", held.to_call())


def claims(at: Deployment, held: Held) -> None:
    at.get("/admin", held.to_call())


def no_refresh(at: Deployment, _held: Held) -> None:
    at.post("/auth/session/refresh")


def bad_refresh(at: Deployment, _held: Held) -> None:
    at.post("/auth/session/refresh", {"cookie": f"{REFRESH}=junk"})


def gone(at: Deployment, held: Held) -> None:
    at.post("/auth/signout", held.to_call())
    at.refresh(held)


def stolen(at: Deployment, held: Held) -> None:
    at.refreshed(at.refreshed(held))
    at.refresh(held)


def duplicates(at: Deployment, _held: Held) -> None:
    at.post("/auth/session/refresh", {"cookie": f"{REFRESH}=1; {REFRESH}=2"})


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
