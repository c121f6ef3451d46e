"""Errors, and the handlers that answer them."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from fastapi.testclient import TestClient
from httpx2 import Response

from fastapi_session import (
    ClaimFailure,
    ClearDuplicateSessionCookiesError,
    InvalidClaimsError,
    SessionError,
    TokenTheftError,
    TryRefreshTokenError,
    UnauthorisedError,
    install,
)
from tests.engines import config
from tests.moments import HOUR
from tests.supertokens.rows import CALL, Serve, Site, Verified, cookies_of, row
from tests.wire import ACCESS_COOKIE, REFRESH_COOKIE, REFRESH_PATH


def answered(serve: Serve, error: SessionError) -> tuple[int, Any, bool]:
    """Status, body and whether the tokens were cleared where a route raises *error*, and the application answers it."""

    def prepare(app: FastAPI) -> None:
        @app.exception_handler(type(error))
        async def handle(request: Request, error: SessionError) -> JSONResponse:
            return JSONResponse({"own": error.code}, 418)

    site = serve(prepare=prepare)
    response = raised(site, error)
    return response.status_code, response.json(), ACCESS_COOKIE in cookies_of(response)


def raised(site: Site, error: SessionError) -> Response:
    """The answer of a route that raises *error*."""

    @site.app.post("/raise")
    async def route(session: Verified) -> None:
        raise error

    site.sign_in()
    return site.client.post("/raise")


@row("InputErrorHandlers(on_unauthorised=...)")
def on_unauthorised(serve: Serve) -> None:
    assert (418, {"own": "UNAUTHORISED"}, False) == answered(serve, UnauthorisedError("it is late"))


@row("InputErrorHandlers(on_try_refresh_token=...)")
def on_try_refresh_token(serve: Serve) -> None:
    assert (418, {"own": "TRY_REFRESH_TOKEN"}, False) == answered(serve, TryRefreshTokenError("it is late"))


@row("InputErrorHandlers(on_token_theft_detected=...)")
def on_token_theft_detected(serve: Serve) -> None:
    def prepare(app: FastAPI) -> None:
        @app.exception_handler(TokenTheftError)
        async def handle(request: Request, error: TokenTheftError) -> JSONResponse:
            return JSONResponse({"whose": error.user_id, "handle": error.handle}, 418)

    site = serve(prepare=prepare)
    site.sign_in()
    (found,) = site.ask(lambda: site.sessions.of_user("ada"))
    stolen = dict(site.client.cookies)
    for _ in range(2):
        site.clock.advance(HOUR)
        site.client.post(REFRESH_PATH)
    cookie = {"cookie": "; ".join(f"{name}={value}" for name, value in stolen.items())}
    with TestClient(site.app, headers=CALL | cookie) as thief:
        response = thief.post(REFRESH_PATH)

    assert (418, {"whose": "ada", "handle": found.handle}) == (response.status_code, response.json())
    assert {ACCESS_COOKIE, REFRESH_COOKIE} == cookies_of(response).keys()
    assert [] == site.ask(lambda: site.sessions.of_user("ada"))


@row("InputErrorHandlers(on_invalid_claim=...)")
def on_invalid_claim(serve: Serve) -> None:
    error = InvalidClaimsError([ClaimFailure("role")])
    assert (418, {"own": "INVALID_CLAIMS"}, False) == answered(serve, error)


@row("InputErrorHandlers(on_clear_duplicate_session_cookies=...)")
def on_clear_duplicate_session_cookies(serve: Serve) -> None:
    error = ClearDuplicateSessionCookiesError("refresh again")
    assert (418, {"own": "CLEAR_DUPLICATE_SESSION_COOKIES"}, False) == answered(serve, error)


@row("SuperTokensSessionError")
def session_error(serve: Serve) -> None:
    app = FastAPI()
    install(app, config())
    assert SessionError in app.exception_handlers


@row("raise_unauthorised_exception(message, clear_tokens)")
def unauthorised(serve: Serve) -> None:
    kept, cleared = UnauthorisedError("no"), UnauthorisedError("no", clears_tokens=True)
    answers = [raised(serve(), error) for error in (kept, cleared)]

    assert [401, 401] == [answer.status_code for answer in answers]
    assert [{"message": "unauthorised"}] * 2 == [answer.json() for answer in answers]
    assert [False, True] == [ACCESS_COOKIE in cookies_of(answer) for answer in answers]


@row("raise_try_refresh_token_exception(message)")
def try_refresh_token(serve: Serve) -> None:
    assert {"message": "try refresh token"} == raised(serve(), TryRefreshTokenError("no")).json()


@row("raise_token_theft_exception(...)")
def token_theft(serve: Serve) -> None:
    error = TokenTheftError("copied", user_id="ada", handle="its handle")
    response = raised(serve(), error)

    assert (401, {"message": "token theft detected"}) == (response.status_code, response.json())
    assert ACCESS_COOKIE in cookies_of(response)


@row("raise_invalid_claims_exception(message, failures)")
def invalid_claims(serve: Serve) -> None:
    error = InvalidClaimsError([ClaimFailure("role", {"message": "no"}), ClaimFailure("plan")])
    response = raised(serve(), error)

    assert (403, "invalid claim") == (response.status_code, response.json()["message"])
    assert ["role", "plan"] == [failure.id for failure in error.failures]


@row("ClaimValidationError(id_, reason)")
def claim_failure(serve: Serve) -> None:
    response = raised(serve(), InvalidClaimsError([ClaimFailure("role", "no"), ClaimFailure("plan")]))
    assert [{"id": "role", "reason": "no"}, {"id": "plan"}] == response.json()["claimValidationErrors"]


@row("raise_clear_duplicate_session_cookies_exception(...)")
def clear_duplicate_cookies(serve: Serve) -> None:
    assert 200 == raised(serve(), ClearDuplicateSessionCookiesError("refresh again")).status_code
