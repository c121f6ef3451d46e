"""The test kit: a client that is signed in by one line, on a real session."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Annotated, Any

import httpx
import httpx2
import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient

from fastapi_session import (
    Circumstances,
    ConfigurationError,
    ExternalSession,
    Lifetime,
    PrimitiveClaim,
    Session,
    SessionConfig,
    Sessions,
    devices_router,
    install,
    session_router,
    verify_session,
)
from fastapi_session.testing import HandClock, sign_in, sign_in_async
from fastapi_session.testing.client import Client
from fastapi_session.web.transport import Method
from tests.wire import REFRESH_PATH, SIGN_OUT_PATH


@pytest.fixture
def sessions(clock: HandClock) -> Sessions:
    return Sessions(SessionConfig(api_domain="http://testserver", store="memory:"), clock=clock)


@pytest.fixture
def app(sessions: Sessions) -> FastAPI:
    app = FastAPI()
    install(app, sessions)
    app.include_router(session_router())

    @app.get("/me")
    async def me(session: Annotated[Session, Depends(verify_session())]) -> dict[str, Any]:
        return {"user_id": session.user_id, "claims": dict(session.claims), "data": await session.get_session_data()}

    @app.post("/change")
    async def change(session: Annotated[Session, Depends(verify_session())]) -> str:
        return session.user_id

    return app


def test_a_device(sessions: Sessions) -> None:
    """A session is as the test says: where it began, by which browser, and what it is called."""
    agent = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
    app = FastAPI()
    install(app, sessions)
    app.include_router(devices_router())
    client = TestClient(app)
    sign_in(client, sessions, "alice", label="At home", circumstances=Circumstances("192.0.2.1", agent))
    [shown] = client.get("/auth/sessions").json()["sessions"]

    assert ("At home", "192.0.2.1", "Firefox on Linux") == (
        shown["label"],
        shown["ip_address"],
        shown["device"]["text"],
    )


def test_a_session_of_an_identity_provider(app: FastAPI, sessions: Sessions) -> None:
    """A client's session may have begun at an identity provider, and ends as the provider says."""
    external = ExternalSession("https://id.example.com", sid="s-1")
    with TestClient(app) as client:
        sign_in(client, sessions, "alice", external=external)
        before = client.get("/me").status_code
        assert client.portal is not None
        client.portal.call(sessions.revoke_external, external)

        assert (200, 401) == (before, client.get("/me").status_code)


ALICE = {"user_id": "alice", "claims": {"plan": "pro"}, "data": {"theme": "dark"}}


@pytest.mark.parametrize("method", ["cookie", "header"])
def test_a_guest_and_who_acts_as_another(method: Method, app: FastAPI, sessions: Sessions) -> None:
    """A client may be a guest's, or that of somebody who acts as another user, and can stop."""

    @app.post("/stop")
    async def stop(session: Annotated[Session, Depends(verify_session())]) -> str:
        return (await session.stop_impersonating()).user_id

    guest, acting = TestClient(app), TestClient(app)
    assert sign_in(guest, sessions, "guest_1", lifetime=Lifetime("guest"), method=method).access_token.is_guest
    issued = sign_in(acting, sessions, "ada", actor="grace", session_data={"theme": "dark"}, method=method)

    assert "guest_1" == guest.get("/me").json()["user_id"]
    assert {"user_id": "ada", "claims": {}, "data": {"theme": "dark"}} == acting.get("/me").json()
    assert issued.access_token.actor is not None
    assert "grace" == issued.access_token.actor.user_id
    assert "grace" == acting.post("/stop").json()


@pytest.mark.parametrize("method", ["header", "cookie"])
def test_sign_in(app: FastAPI, sessions: Sessions, method: Method) -> None:
    """One line signs a client in, with payload and data, by headers or by cookies."""
    client = TestClient(app)
    sign_in(
        client,
        sessions,
        "alice",
        method=method,
        access_token_payload={"plan": "pro"},
        session_data={"theme": "dark"},
    )

    assert ALICE == client.get("/me").json()
    assert "alice" == client.post("/change").json()


def test_a_client_signed_in_by_cookies_refreshes(app: FastAPI, sessions: Sessions, clock: HandClock) -> None:
    """What is put on the client is all that a browser would have: it refreshes, and goes on."""
    client = TestClient(app)
    sign_in(client, sessions, "alice", method="cookie")
    clock.advance(timedelta(hours=2))

    assert {"message": "try refresh token"} == client.get("/me").json()
    assert 200 == client.post(REFRESH_PATH).status_code


async def clients(app: FastAPI) -> AsyncIterator[Client]:
    """Open an async client of each library."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver") as client:
        yield client
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://testserver") as client2:
        yield client2


async def test_sign_in_async(app: FastAPI, sessions: Sessions) -> None:
    """Async clients of httpx and of httpx2 are signed in alike."""
    users = []
    async for client in clients(app):
        await sign_in_async(client, sessions, "alice", access_token_payload={"plan": "pro"})
        assert isinstance(client, httpx.AsyncClient | httpx2.AsyncClient)
        users.append((await client.get("/me")).json()["user_id"])

    assert ["alice", "alice"] == users


@pytest.mark.parametrize(
    ("origin", "settings"),
    [
        ("http://testserver", {}),
        ("http://127.0.0.1:8000", {}),
        ("https://api.example.com", {}),
        ("https://api.example.com", {"cookie_domain": "example.com"}),
        ("https://api.example.com", {"cookie_domain": ".example.com"}),
        ("https://api.example.com", {"cookie_prefix": "__Host-"}),
    ],
)
def test_cookies_are_replaced_and_cleared(origin: str, settings: dict[str, Any], clock: HandClock) -> None:
    """Cookies of a client signed in by them are those that the application replaces and clears, as in a browser."""
    secret = "of the application under test, 32 bytes"
    config = SessionConfig(**{"api_domain": origin, "store": "memory:", "secret": secret, **settings})
    app = FastAPI()
    sessions = install(app, Sessions(config, clock=clock))
    app.include_router(session_router())

    @app.get("/me")
    async def me(session: Annotated[Session, Depends(verify_session())]) -> str:
        return session.user_id

    client = TestClient(app, base_url=origin)
    sign_in(client, sessions, "alice", method="cookie")
    clock.advance(timedelta(hours=2))
    client.post(REFRESH_PATH)

    assert "alice" == client.get("/me").json()
    assert 200 == client.post(SIGN_OUT_PATH).status_code
    assert [] == list(client.cookies)


def test_a_client_proves_that_no_other_site_forged_its_requests(clock: HandClock) -> None:
    """A client signed in by cookies has the anti-CSRF token that the application asks for, and the tenant it was given."""
    config = SessionConfig(api_domain="http://testserver", anti_csrf="VIA_TOKEN", store="memory:")
    app = FastAPI()
    sessions = install(app, Sessions(config, clock=clock))

    @app.post("/change")
    async def change(session: Annotated[Session, Depends(verify_session())]) -> str:
        return session.tenant_id

    client = TestClient(app)
    sign_in(client, sessions, "alice", method="cookie", tenant_id="acme")

    assert "acme" == client.post("/change").json()


@pytest.mark.parametrize(
    ("api_domain", "cookie_domain", "base_url", "fix"),
    [
        ("https://api.example.com", None, "http://testserver", "https://api.example.com"),
        ("https://api.example.com", "example.com", "https://testserver", "https://api.example.com"),
        ("http://api.localhost", "api.localhost", "http://testserver", "http://api.localhost"),
    ],
)
def test_a_client_that_would_drop_its_cookies(
    api_domain: str, cookie_domain: str | None, base_url: str, fix: str, clock: HandClock
) -> None:
    """Nobody is signed in by cookies that the client does not send back: the error names the address it has to have."""
    secret = "of the application under test, 32 bytes"
    config = SessionConfig(api_domain=api_domain, cookie_domain=cookie_domain, store="memory:", secret=secret)
    sessions = install(app := FastAPI(), Sessions(config, clock=clock))

    with pytest.raises(ConfigurationError, match=f'give it base_url="{fix}"'):
        sign_in(TestClient(app, base_url=base_url), sessions, "alice", method="cookie")
    sign_in(TestClient(app, base_url=base_url), sessions, "alice")
    sign_in(TestClient(app, base_url=fix), sessions, "alice", method="cookie")


async def test_an_async_test_is_told_what_to_write(app: FastAPI, sessions: Sessions) -> None:
    """Where an event loop is running already, the error says how to sign in on it."""
    with pytest.raises(RuntimeError, match=r"await sign_in_async"):
        sign_in(TestClient(app), sessions, "alice")


def test_an_open_client_signs_in_on_its_own_event_loop(clock: HandClock) -> None:
    """What a store keeps for one event loop is that of the application: the one on which a claim is fetched."""
    loops = []

    async def fetch_plan(*_: object) -> str:
        loops.append(asyncio.get_running_loop())
        return "pro"

    app = FastAPI()
    plan = PrimitiveClaim("plan", fetch_plan)
    sessions = install(app, Sessions(SessionConfig(store="memory:"), claims=[plan], clock=clock))
    with TestClient(app) as client:
        assert client.portal is not None
        sign_in(client, sessions, "alice")
        assert [client.portal.call(_running_loop)] == loops


async def _running_loop() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()
