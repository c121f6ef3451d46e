"""A sign-in over sessions: all that the request proves end with it, and nothing ends where it fails."""

from __future__ import annotations

from typing import Annotated

import pytest
from fastapi import Depends

from fastapi_session import CreateSession, create_session
from tests.web.conftest import Deploy
from tests.web.deployment import CROSS_SITE, Deployment
from tests.web.wire import NEW, OTHER_CLEARED, Held, change


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


FORGED = {"origin": "https://stranger.example", "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}


@pytest.mark.parametrize("anti_csrf", ["VIA_CUSTOM_HEADER", "VIA_TOKEN"])
def test_a_form_of_another_site_signs_nobody_out(anti_csrf: str, deploy: Deploy) -> None:
    """It signs in as its author with the visitor's cookies; the visitor keeps them, and their session."""
    deployment = deploy(**{**CROSS_SITE, "anti_csrf": anti_csrf})
    held = deployment.login("cookie")
    response = deployment.post("/login?user_id=eve", held.to_call(), FORGED)

    assert NEW["header"] == {name: became for name, became in change(response).items() if name != "anti-csrf"}
    assert 200 == deployment.get("/me", held.to_call()).status_code


@pytest.mark.parametrize("anti_csrf", ["VIA_CUSTOM_HEADER", "VIA_TOKEN"])
def test_a_page_of_ours_that_goes_over_to_headers(anti_csrf: str, deploy: Deploy) -> None:
    """Its request proves that no other site forged it, so the session in cookies ends."""
    deployment = deploy(**{**CROSS_SITE, "anti_csrf": anti_csrf})
    held = deployment.login("cookie")
    proof = {"st-auth-mode": "header", "rid": "session", "anti-csrf": held.anti_csrf or ""}
    response = deployment.post("/login?user_id=ada", held.to_call(), proof)

    assert NEW["header"] | OTHER_CLEARED["header"] == change(response)
    assert 401 == deployment.get("/me", held.to_call()).status_code
