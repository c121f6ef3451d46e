"""Sessions that the engine began, attached to a request and its response."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from fastapi import Request

from fastapi_session import attach_session_to_request, front_token
from tests.web.deployment import Deployment
from tests.web.wire import NEW, Held, change


@pytest.mark.parametrize(
    ("asked", "method", "travels"),
    [("cookie", None, "cookie"), ("header", None, "header"), ("header", "cookie", "cookie")],
)
def test_a_session_begun_elsewhere(asked: str, method: Any, travels: str, deployment: Deployment) -> None:
    """Its tokens leave with the response, by the method that was said or asked for, and are the client's from then on."""

    @deployment.app.post("/attach")
    async def attach(request: Request) -> dict[str, Any]:
        issued = await deployment.sessions.create("grace", access_token_payload={"plan": "pro"})
        session = attach_session_to_request(request, issued, method=method)
        await session.merge_into_access_token_payload({"plan": "max"})
        return session.claims

    response = deployment.post("/attach", {"st-auth-mode": asked})

    assert ({"plan": "max"}, NEW[travels]) == (response.json(), change(response))
    held = Held.of(response, travels)
    assert {"user_id": "grace"} == deployment.get("/me", held.to_call()).json()
    assert {"user_id": "grace"} == deployment.get("/me", deployment.refreshed(held).to_call()).json()


def test_the_front_token(deployment: Deployment) -> None:
    """Whoever attaches tokens to responses of another framework makes the front token from them."""
    issued = deployment.ask(deployment.sessions.create, "grace")
    told = json.loads(base64.b64decode(front_token(issued.tokens)))

    claims = issued.access_token.claims()
    assert {"ate": claims["exp"] * 1000, "uid": "grace", "up": claims} == told
