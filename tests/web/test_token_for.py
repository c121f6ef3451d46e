"""A token for one other service: whose request it is, for minutes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Annotated, Any

import jwt
import pytest
from fastapi import Depends, FastAPI

from fastapi_session import Authentication, CreateSession, PayloadError, Sessions, create_session
from fastapi_session.testing import HandClock
from tests.engines import ORIGIN
from tests.moments import MINUTE
from tests.web.deployment import Deployment, Verified, application, deployed
from tests.wire import AUTH_MODE

TOOLS = "https://tools.example"


@pytest.fixture
def app(sessions: Sessions) -> FastAPI:
    app = application(sessions)

    @app.post("/login-by-password")
    async def login(create: Annotated[CreateSession, Depends(create_session())]) -> None:
        authentication = Authentication(("pwd",), acr="aal1")
        await create("ada", tenant_id="acme", authentication=authentication, access_token_payload={"plan": "pro"})

    @app.post("/act")
    async def act(session: Verified) -> None:
        await session.impersonate("bob", reason="ticket 7")

    @app.get("/token")
    async def token(session: Verified, scope: str = "") -> str:
        return await session.token_for(TOOLS, scope=scope)

    return app


@pytest.fixture
def deployment(app: FastAPI, sessions: Sessions, clock: HandClock) -> Iterator[Deployment]:
    with deployed(app, sessions, clock, ORIGIN) as deployment:
        yield deployment


def read(deployment: Deployment, token: str, audience: str = TOOLS) -> dict[str, Any]:
    """What a service reads that knows the public keys and nothing else."""
    keys = jwt.PyJWKSet.from_dict(deployment.get("/auth/jwt/jwks.json").json())
    key = keys[jwt.get_unverified_header(token)["kid"]]
    options: Any = {"verify_exp": False, "verify_iat": False, "require": ["aud", "exp", "iat", "iss", "sub"]}
    return jwt.decode(token, key, audience=audience, issuer=deployment.sessions.config.issuer, options=options)


def signed_in(deployment: Deployment, path: str, **headers: str) -> dict[str, str]:
    response = deployment.post(path, {AUTH_MODE: "header", **headers})
    return {"authorization": f"Bearer {response.headers['st-access-token']}"}


def test_what_it_says(deployment: Deployment) -> None:
    """It says whose session it is, of which tenant, and how the user was authenticated; of the application's claims none."""
    headers = signed_in(deployment, "/login-by-password")
    token = deployment.get("/token?scope=notes:read", headers).json()
    claims, now = read(deployment, token), deployment.clock() // 1000
    handle = deployment.ask(partial(deployment.sessions.of_user, "ada", tenant_id="acme"))[0].handle

    assert {
        "iss": deployment.sessions.config.issuer,
        "aud": TOOLS,
        "sub": "ada",
        "sid": handle,
        "tId": "acme",
        "amr": ["pwd"],
        "acr": "aal1",
        "auth_time": now,
        "scope": "notes:read",
        "iat": now,
        "exp": now + 5 * 60,
    } == claims
    assert "service+jwt" == jwt.get_unverified_header(token)["typ"]


def test_who_acts(deployment: Deployment) -> None:
    """An impersonation is told."""
    ada = signed_in(deployment, "/login?user_id=ada")
    bob = signed_in(deployment, "/act", **ada)
    claims = read(deployment, deployment.get("/token", bob).json())

    assert ("bob", "ada") == (claims["sub"], claims["act"]["sub"])
    assert not {"scope", "acr", "amr", "auth_time", "auth_times"} & {*claims}


def test_it_is_no_access_token(deployment: Deployment) -> None:
    """It opens no route, and no service but the one that it is for."""
    token = deployment.get("/token", signed_in(deployment, "/login?user_id=ada")).json()

    assert 401 == deployment.get("/me", {"authorization": f"Bearer {token}"}).status_code
    with pytest.raises(jwt.InvalidAudienceError):
        read(deployment, token, "https://other.example")


@pytest.mark.parametrize(
    ("audience", "options"),
    [
        ("", {}),
        ("x" * 256, {}),
        (None, {}),
        ("\ud800", {}),
        (TOOLS, {"scope": 1}),
        (TOOLS, {"validity": timedelta(0)}),
        (TOOLS, {"validity": 11 * MINUTE}),
        (TOOLS, {"validity": 60}),
    ],
)
def test_what_it_cannot_be(audience: Any, options: dict[str, Any], app: FastAPI, deployment: Deployment) -> None:
    """It is for one service that has a name, and for ten minutes at most."""
    seen: list[str] = []

    @app.get("/wrong")
    async def wrong(session: Verified) -> None:
        with pytest.raises(PayloadError) as raised:
            await session.token_for(audience, **options)
        seen.append(str(raised.value))  # its text alone: FastAPI knows the route longer than the test takes

    assert 200 == deployment.get("/wrong", signed_in(deployment, "/login?user_id=ada")).status_code
    assert 1 == len(seen)
