"""Cookies of a session that is not remembered end with the browser: each that is ever sent, whichever request sends it."""

from __future__ import annotations

from typing import Annotated

import pytest
from fastapi import Depends
from httpx2 import Response
from starlette.requests import HTTPConnection

from fastapi_session import (
    CreateSession,
    Lifetime,
    Session,
    SessionKind,
    attach_session_to_request,
    create_session,
    verify_session,
)
from tests.moments import HOUR, PAST_GRACE
from tests.web.conftest import Deploy
from tests.web.deployment import Deployment
from tests.web.wire import Held, set_cookies
from tests.wire import ACCESS_COOKIE, REFRESH_COOKIE

COOKIE = {"st-auth-mode": "cookie"}


async def login_remembered(
    remember: bool, create: Annotated[CreateSession, Depends(create_session())], kind: str = "default"
) -> None:
    await create("ada", lifetime=Lifetime(kind, remember=remember))


async def change_at_once(create: Annotated[CreateSession, Depends(create_session())]) -> None:
    session = await create("ada", lifetime=Lifetime(remember=False))
    await session.merge_into_access_token_payload({"plan": "max"})


async def checked_claims(
    session: Annotated[Session, Depends(verify_session(check_database=True))],
) -> object:
    return session.claims


@pytest.fixture
def web(deploy: Deploy) -> Deployment:
    """An application in which a user may sign in for this browser session alone."""
    deployment = deploy(kinds={"bank": SessionKind(idle_timeout=2 * HOUR, persistent=False)})
    deployment.app.post("/login-remembered")(login_remembered)
    deployment.app.post("/change-at-once")(change_at_once)
    deployment.app.get("/checked-claims")(checked_claims)
    return deployment


def lasting(response: Response) -> dict[str, bool]:
    """Say of each cookie with a token in *response* whether it outlives the browser. Of a mixture there is an error."""
    told: dict[str, bool] = {}
    for name, rest in set_cookies(response):
        assert ("Expires=" in rest) == ("Max-Age=" in rest)
        told[name] = "Expires=" in rest
    return told


def login(web: Deployment, query: str) -> Response:
    return web.post(f"/login-remembered?{query}", COOKIE)


BOTH = {ACCESS_COOKIE: True, REFRESH_COOKIE: True}
NEITHER = {ACCESS_COOKIE: False, REFRESH_COOKIE: False}


@pytest.mark.parametrize(
    ("query", "cookies"),
    [
        ("remember=true", BOTH),
        ("remember=false", NEITHER),
        ("remember=true&kind=bank", NEITHER),
        ("remember=false&kind=bank", NEITHER),
    ],
)
def test_from_sign_in_to_sign_in(query: str, cookies: dict[str, bool], web: Deployment) -> None:
    """At sign-in, at each refresh, at each answer of the grace period and after a change of claims the cookies end alike."""
    response = login(web, query)
    assert cookies == lasting(response)
    held = Held.of(response, "cookie")

    web.clock.advance(PAST_GRACE)
    refreshed = web.refresh(held)
    assert cookies == lasting(refreshed)
    assert cookies == lasting(web.refresh(held))
    after = Held.of(refreshed, "cookie")
    assert {ACCESS_COOKIE: cookies[ACCESS_COOKIE]} == lasting(web.post("/merge", after.to_call()))


def test_a_session_that_is_changed_as_it_begins(web: Deployment) -> None:
    """The tokens of one request are sent as one."""
    assert NEITHER == lasting(web.post("/change-at-once", COOKIE))


def test_claims_that_were_changed_elsewhere(web: Deployment) -> None:
    """A new access token that brings the claims of the store ends with the browser too."""
    held = Held.of(login(web, "remember=false"), "cookie")
    web.post("/merge", held.to_call())  # whose response is lost
    response = web.get("/checked-claims", held.to_call())

    assert {"plan": "max"} == response.json()
    assert {ACCESS_COOKIE: False} == lasting(response)


def test_a_session_that_is_attached(web: Deployment) -> None:
    """Tokens that the engine made are sent as the session is."""

    async def attach(connection: HTTPConnection) -> None:
        attach_session_to_request(connection, await web.sessions.create("ada", lifetime=Lifetime(remember=False)))

    web.app.post("/attach")(attach)
    assert NEITHER == lasting(web.post("/attach", COOKIE))


def test_the_last_sign_in_counts(web: Deployment) -> None:
    """Who signs in again without the box ticked is remembered no more, and the other way round."""
    held = Held.of(login(web, "remember=true"), "cookie")
    again = web.post("/login-remembered?remember=false", held.to_call(), COOKIE)
    assert NEITHER == lasting(again)

    once_more = web.post("/login-remembered?remember=true", Held.of(again, "cookie").to_call(), COOKIE)
    assert BOTH == lasting(once_more)


def test_what_is_cleared_is_cleared_at_once(web: Deployment) -> None:
    """A sign-out clears the cookies in the same way, whether they would have outlived the browser or not."""
    held = Held.of(login(web, "remember=false"), "cookie")
    response = web.post("/auth/signout", held.to_call(), {"rid": "anti-csrf"})

    assert 200 == response.status_code
    assert [True, True] == [
        "1970" in rest for name, rest in set_cookies(response) if name in {ACCESS_COOKIE, REFRESH_COOKIE}
    ]
