"""A test's client that refreshes by itself."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

import httpx
import httpx2
import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient

from fastapi_session import (
    ConfigurationError,
    CreateSession,
    Session,
    Sessions,
    create_session,
    install,
    session_router,
    verify_session,
)
from fastapi_session.client.dpop import DpopKey
from fastapi_session.testing import HandClock, auto_refresh, sign_in, sign_in_async
from fastapi_session.web.transport import Method
from tests.engines import engine
from tests.testing.shop import ORIGIN, Roles, app

METHODS = pytest.mark.parametrize("method", ["cookie", "header"])


@METHODS
def test_it_refreshes_when_its_access_token_has_ended(method: Method, sessions: Sessions, clock: HandClock) -> None:
    """A session goes on, as often as its access token ends; the response tells of the refusal and of the refresh."""
    client = auto_refresh(TestClient(app, base_url=ORIGIN), sessions, method=method)
    sign_in(client, sessions, "root")
    seen = []
    for _ in range(3):
        response = client.post("/buy")
        seen.append((response.json(), [each.status_code for each in response.history]))
        clock.advance(timedelta(hours=2))

    assert [("root", []), ("root", [401, 200]), ("root", [401, 200])] == seen


@METHODS
def test_it_keeps_what_a_route_gives(method: Method, sessions: Sessions, clock: HandClock) -> None:
    """It signs in by the application's own route, and is refused when the session itself has ended."""
    client = auto_refresh(TestClient(app, base_url=ORIGIN), sessions, method=method)
    client.post("/login?user_id=root")
    clock.advance(timedelta(hours=2))
    assert "root" == client.post("/buy").json()
    clock.advance(timedelta(days=101))

    assert {"message": "unauthorised"} == client.post("/buy").json()


@METHODS
def test_the_next_user_takes_the_place_of_the_one_before(method: Method, sessions: Sessions, clock: HandClock) -> None:
    """Whoever signs in last is who refreshes."""
    client = auto_refresh(TestClient(app, base_url=ORIGIN), sessions, method=method)
    sign_in(client, sessions, "root")
    sign_in(client, sessions, "alice", claims={Roles: []})
    clock.advance(timedelta(hours=2))

    assert "alice" == client.get("/me").json()


@pytest.mark.parametrize("library", [httpx, httpx2])
@METHODS
async def test_async_clients(library: Any, method: Method, sessions: Sessions, clock: HandClock) -> None:
    """The async clients of both libraries do the same."""
    async with library.AsyncClient(transport=library.ASGITransport(app), base_url=ORIGIN) as client:
        auto_refresh(client, sessions, method=method)
        await sign_in_async(client, sessions, "root")
        clock.advance(timedelta(hours=2))
        assert "root" == (await client.post("/buy")).json()


def test_a_client_that_would_drop_its_cookies(sessions: Sessions) -> None:
    """By http it would drop cookies that are Secure: the error names the address that it has to have."""
    with pytest.raises(ConfigurationError, match=f'are Secure, .* give it base_url="{ORIGIN}"'):
        auto_refresh(TestClient(app), sessions, method="cookie")


def test_one_method_a_client(sessions: Sessions) -> None:
    """Who refreshes by cookies cannot be signed in by headers."""
    client = auto_refresh(TestClient(app, base_url=ORIGIN), sessions, method="cookie")

    with pytest.raises(ConfigurationError, match="leave method out"):
        sign_in(client, sessions, "root", method="header")


@pytest.mark.parametrize("by", ["sign_in", "route"])
def test_it_proves_a_key(by: str, clock: HandClock) -> None:
    """With a key the session is bound to it, at the time of the engine: its client goes on for hours, and nobody else does."""
    sessions, app = engine(clock, api_domain=ORIGIN, dpop="required", dpop_nonces=True), FastAPI()
    install(app, sessions)
    app.include_router(session_router())
    app.post("/login")(log_in)
    app.get("/me")(me)
    client = auto_refresh(TestClient(app, base_url=ORIGIN), sessions, dpop=DpopKey())
    sign_in(client, sessions, "root") if by == "sign_in" else client.post("/login")
    for _ in range(3):
        assert "root" == client.get("/me").json()
        clock.advance(timedelta(hours=2))
    auth: Any = client.auth
    bearer = {"Authorization": f"Bearer {auth.tokens.access_token}"}

    assert 401 == TestClient(app, base_url=ORIGIN).get("/me", headers=bearer).status_code


async def log_in(create: Annotated[CreateSession, Depends(create_session())]) -> None:
    await create("root")


async def me(session: Annotated[Session, Depends(verify_session())]) -> str:
    return session.user_id
