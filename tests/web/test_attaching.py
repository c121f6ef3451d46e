"""Sessions that the engine began, attached to a request and its response."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from fastapi import BackgroundTasks, Request, WebSocket

from fastapi_session import (
    ConfigurationError,
    attach_session_to_request,
    create_new_session_in_request,
    front_token,
)
from tests.web.conftest import Deploy
from tests.web.deployment import Deployment
from tests.web.wire import KEPT, NEW, Held, change


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


@pytest.mark.parametrize("ago", [timedelta(0), timedelta(minutes=10)])
def test_tokens_of_a_while_ago(ago: timedelta, deployment: Deployment) -> None:
    """A client takes the skew of its clock from `iat`: that is when they are sent. They end when they did, and work."""
    issued = deployment.ask(partial(deployment.sessions.create, access_token_payload={"plan": "pro"}), "grace")
    deployment.clock.advance(ago)

    @deployment.app.post("/attach")
    async def attach(request: Request) -> dict[str, Any]:
        return attach_session_to_request(request, issued).claims

    response = deployment.post("/attach", {"st-auth-mode": "header"})
    sent = json.loads(base64.b64decode(response.headers["front-token"]))["up"]

    assert {"plan": "pro"} == response.json()
    assert (deployment.clock() // 1000, issued.access_token.expires_at) == (sent["iat"], sent["exp"])
    assert {**issued.access_token.claims(), "iat": sent["iat"]} == sent
    held = Held.of(response, "header")
    assert {"user_id": "grace"} == deployment.get("/me", deployment.refreshed(held).to_call()).json()
    assert {"user_id": "grace"} == deployment.get("/me", held.to_call()).json()


def test_the_front_token(deployment: Deployment) -> None:
    """Whoever attaches tokens to responses of another framework makes the front token from them."""
    issued = deployment.ask(deployment.sessions.create, "grace")
    told = json.loads(base64.b64decode(front_token(issued.tokens)))

    claims = issued.access_token.claims()
    assert {"ate": claims["exp"] * 1000, "uid": "grace", "up": claims} == told


@pytest.mark.parametrize(("configured", "said"), [("header", "cookie"), ("cookie", "header")])
def test_a_method_that_is_ruled_out(configured: str, said: Any, deploy: Deploy) -> None:
    """No request could bring tokens that were attached so, and none are sent."""
    deployment = deploy(token_transfer_method=configured)
    refused: list[str] = []

    @deployment.app.post("/attach")
    async def attach(request: Request) -> None:
        with pytest.raises(ConfigurationError) as error:
            attach_session_to_request(request, await deployment.sessions.create("grace"), method=said)
        refused.append(str(error.value))

    assert KEPT == change(deployment.post("/attach"))
    assert [True] == ["token_transfer_method" in text for text in refused]


@pytest.mark.parametrize("method", ["cookie", "header"])
def test_a_session_that_needs_an_anti_csrf_token(method: Any, deploy: Deploy) -> None:
    """Under VIA_TOKEN a session that the engine began has an anti-CSRF token, and its first POST is believed."""
    deployment = deploy(anti_csrf="VIA_TOKEN")

    @deployment.app.post("/attach")
    async def attach(request: Request) -> None:
        attach_session_to_request(request, await deployment.sessions.create("grace"), method=method)

    held = Held.of(deployment.post("/attach"), method)

    assert 200 == deployment.post("/me", held.to_call(), {"anti-csrf": held.anti_csrf or ""}).status_code


def test_a_session_that_lacks_one(deploy: Deploy) -> None:
    """One that was begun without cannot be attached to cookies: that is said, with what to do."""
    deployment = deploy(anti_csrf="VIA_TOKEN")
    refused: list[str] = []

    @deployment.app.post("/attach")
    async def attach(request: Request) -> None:
        issued = await deployment.sessions.create("grace", anti_csrf=False)
        with pytest.raises(ConfigurationError) as error:
            attach_session_to_request(request, issued, method="cookie")
        refused.append(str(error.value))

    assert KEPT == change(deployment.post("/attach"))
    assert ["anti_csrf"] == [text[:9] for text in refused]


TOO_LATE = "has started"


def test_a_session_in_a_background_task(deployment: Deployment) -> None:
    """When the response has gone, no session begins that nobody would hold."""
    refused: list[str] = []

    @deployment.app.post("/later")
    async def later(request: Request, tasks: BackgroundTasks) -> None:
        async def begin() -> None:
            with pytest.raises(ConfigurationError, match=TOO_LATE) as error:
                await create_new_session_in_request(request, "grace")
            refused.append(str(error.value))

        tasks.add_task(begin)

    deployment.post("/later")

    assert 1 == len(refused)
    assert [] == deployment.users("grace")


def test_a_session_on_an_open_socket(deployment: Deployment) -> None:
    """A socket that is open carries no tokens; before it is accepted it does."""

    @deployment.app.websocket("/live")
    async def live(socket: WebSocket) -> None:
        await socket.accept()
        with pytest.raises(ConfigurationError, match=TOO_LATE):
            await create_new_session_in_request(socket, "grace")
        await socket.send_text("refused")

    with deployment.client.websocket_connect("/live") as socket:
        assert "refused" == socket.receive_text()
    assert [] == deployment.users("grace")


def test_two_sign_ins_of_one_request(deployment: Deployment) -> None:
    """The second takes the place of the first: no session stays that nobody holds."""

    @deployment.app.post("/twice")
    async def twice(request: Request) -> None:
        await create_new_session_in_request(request, "grace")
        await create_new_session_in_request(request, "eve")

    held = Held.of(deployment.post("/twice", {"st-auth-mode": "cookie"}), "cookie")

    assert {"user_id": "eve"} == deployment.get("/me", held.to_call()).json()
    assert ["eve"] == deployment.users("grace", "eve")
