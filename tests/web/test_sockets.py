"""WebSockets are opened by a session, from pages of one's own, and closed when it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated

import pytest
from fastapi import Depends, FastAPI, WebSocket
from starlette.testclient import WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from fastapi_session import (
    ClaimFailure,
    DuplicateSessionCookiesError,
    InvalidClaimsError,
    Session,
    Sessions,
    StoreUnavailable,
    TokenTheftError,
    TryRefreshTokenError,
    UnauthorisedError,
    verify_session,
)
from fastapi_session.testing import HandClock
from tests.engines import engine
from tests.moments import HOUR
from tests.web.deployment import CROSS_SITE, Deployment, application, echo
from tests.web.wire import CLEARED, KEPT, TRY_REFRESH_TOKEN, UNAUTHORISED, change


@pytest.fixture
def sessions(clock: HandClock) -> Sessions:
    return engine(clock, **CROSS_SITE)


@pytest.fixture
def app(sessions: Sessions) -> FastAPI:
    app = application(sessions)
    app.websocket("/socket")(echo)
    app.websocket("/checked")(_checked)
    return app


async def _checked(
    websocket: WebSocket, _session: Annotated[Session, Depends(verify_session(check_database=True))]
) -> None:
    await websocket.accept()


@pytest.mark.parametrize("method", ["cookie", "header"])
def test_a_session(method: str, deployment: Deployment) -> None:
    """A socket is opened by the session of its handshake, and serves for as long as the session lives."""
    with deployment.client.websocket_connect("/socket", headers=deployment.login(method).to_call()) as socket:
        greeting = socket.receive_text()
        socket.send_text("hello")

        assert ("ada", "hello") == (greeting, socket.receive_text())


def test_a_token_among_the_subprotocols(deployment: Deployment) -> None:
    """A browser brings its token as an offered subprotocol, and is answered by the other offer, never by the token."""
    offers = ["session", f"session.bearer.{deployment.login('header').access}"]
    with deployment.client.websocket_connect("/socket", subprotocols=offers) as socket:
        assert "session" == str(socket.accepted_subprotocol)
        assert "ada" == socket.receive_text()


def test_a_refusal(deployment: Deployment) -> None:
    """A socket without a session is refused by the response that a request would have, before it is opened."""
    expired = deployment.login()
    deployment.clock.advance(HOUR)
    for headers, message in (({}, UNAUTHORISED), (expired.to_call(), TRY_REFRESH_TOKEN)):
        with (
            pytest.raises(WebSocketDenialResponse) as refused,
            deployment.client.websocket_connect("/socket", headers=headers),
        ):
            pass

        assert (401, message, KEPT) == (refused.value.status_code, refused.value.json(), change(refused.value))


def test_a_refusal_that_clears(deployment: Deployment) -> None:
    """A refusal that clears the client's tokens does so for a socket as well."""
    held = deployment.login()
    deployment.ask(deployment.sessions.revoke_all, "ada")
    with (
        pytest.raises(WebSocketDenialResponse) as refused,
        deployment.client.websocket_connect("/checked", headers=held.to_call()),
    ):
        pass

    assert (401, CLEARED) == (refused.value.status_code, change(refused.value))


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        (UnauthorisedError, 3000, "unauthorised"),
        (TryRefreshTokenError, 3000, "try refresh token"),
        (lambda: TokenTheftError("REUSED", user_id="ada", handle="h"), 3000, "token theft detected"),
        (lambda: InvalidClaimsError([ClaimFailure("role")]), 3000, "invalid claim"),
        (lambda: StoreUnavailable("connection refused"), 1013, "the session store is unavailable"),
        (lambda: DuplicateSessionCookiesError("set older_cookie_domain"), 1011, ""),
    ],
    ids=["unauthorised", "try refresh token", "theft", "invalid claims", "store", "duplicates"],
)
def test_an_error_after_the_acceptance(
    error: Callable[[], Exception], code: int, reason: str, app: FastAPI, deployment: Deployment
) -> None:
    """An open socket is closed with what the error means: a store that is down tells nobody that he is not signed in."""

    @app.websocket("/broken")
    async def broken(websocket: WebSocket) -> None:
        await websocket.accept()
        raise error()

    with deployment.client.websocket_connect("/broken") as socket, pytest.raises(WebSocketDisconnect) as closed:
        socket.receive_text()

    assert (code, reason) == (closed.value.code, closed.value.reason)


def test_a_store_that_is_down_before_the_acceptance(app: FastAPI, deployment: Deployment) -> None:
    """A socket that was not accepted yet is refused as a request is: 503, and come again."""

    @app.websocket("/broken")
    async def broken(_websocket: WebSocket) -> None:
        raise StoreUnavailable("connection refused")

    with pytest.raises(WebSocketDenialResponse) as refused, deployment.client.websocket_connect("/broken"):
        pass

    assert (503, "1", KEPT) == (refused.value.status_code, refused.value.headers["retry-after"], change(refused.value))


def test_a_session_that_is_revoked(deployment: Deployment) -> None:
    """When its session is revoked, an open socket is closed with the reason."""
    with deployment.client.websocket_connect("/socket", headers=deployment.login().to_call()) as socket:
        socket.receive_text()
        deployment.ask(deployment.sessions.revoke_all, "ada")
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_text()

    assert (3000, "unauthorised") == (closed.value.code, closed.value.reason)


def test_an_access_token_that_ends(deployment: Deployment) -> None:
    """When its access token ends, an open socket is closed, and the client told to refresh."""
    held = deployment.login()
    deployment.clock.advance(HOUR - timedelta(milliseconds=50))
    with deployment.client.websocket_connect("/socket", headers=held.to_call()) as socket:
        socket.receive_text()
        deployment.clock.advance(timedelta(milliseconds=50))
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_text()

    assert (3000, "try refresh token") == (closed.value.code, closed.value.reason)


def test_other_sockets_go_on(deployment: Deployment) -> None:
    """The end of one session closes no socket of another."""
    deployment.login(user_id="ada")
    with deployment.client.websocket_connect("/socket", headers=deployment.login(user_id="bob").to_call()) as socket:
        socket.receive_text()
        deployment.ask(deployment.sessions.revoke_all, "ada")
        socket.send_text("still here")

        assert "still here" == socket.receive_text()


def test_nothing_is_left_behind(deployment: Deployment) -> None:
    """A socket that was closed by its client leaves no task waiting for the end of its session."""
    held = deployment.login()
    before = deployment.ask(_tasks)
    for _ in range(5):
        with deployment.client.websocket_connect("/socket", headers=held.to_call()) as socket:
            socket.receive_text()

    assert before == deployment.ask(_tasks)


async def _tasks() -> int:
    await asyncio.sleep(0.05)
    return len(asyncio.all_tasks())
