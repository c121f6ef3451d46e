"""A sign-in over sessions: all that the request proves end with it, and nothing ends where it fails."""

from __future__ import annotations

from typing import Annotated

import pytest
from fastapi import Depends

from fastapi_session import CreateSession, create_session
from tests.web.deployment import Deployment
from tests.web.wire import Held


def both(first: Held, second: Held) -> dict[str, str]:
    """The headers of a request that brings a cookie and a bearer token, each of its own session."""
    return first.to_call() | second.to_call()


def test_every_session_of_the_request_ends(deployment: Deployment) -> None:
    """A request may bring a session in each way; the sign-in takes the place of both, and late requests of both lose nothing."""
    first, second = deployment.login("cookie"), deployment.login("header", user_id="grace")
    deployment.post("/login?user_id=ada", both(first, second))

    assert ["ada"] == deployment.users("ada", "grace")
    late = [deployment.get("/me", held.to_call()) for held in (first, second)]
    assert ["try refresh token"] * 2 == [response.json()["message"] for response in late]


@pytest.mark.parametrize("payload", [{"x": float("nan")}, {"x": "y" * 5_000}])
def test_a_sign_in_that_fails_ends_nothing(payload: dict[str, object], deployment: Deployment) -> None:
    """Where the new session cannot be made, both sessions that the request came with live on."""

    @deployment.app.post("/failing-login")
    async def login(create: Annotated[CreateSession, Depends(create_session())]) -> None:
        await create("eve", access_token_payload=payload)

    first, second = deployment.login("cookie"), deployment.login("header", user_id="grace")
    assert 500 == deployment.post("/failing-login", both(first, second)).status_code

    assert ["ada", "grace"] == deployment.users("ada", "grace", "eve")
    assert [200, 200] == [deployment.get("/me", held.to_call()).status_code for held in (first, second)]


def test_a_session_whose_key_is_gone(deployment: Deployment) -> None:
    """Its access token proves nothing by its signature any more; a sign-in over it ends it all the same."""
    held = deployment.login("cookie")
    for key in deployment.ask(deployment.sessions.jwks)["keys"]:
        deployment.ask(deployment.sessions.revoke_signing_key, key["kid"])
    assert 401 == deployment.get("/me", held.to_call()).status_code
    deployment.post("/login?user_id=grace", held.to_call())

    assert ["grace"] == deployment.users("ada", "grace")
