"""A session begins with a request: by which method its tokens travel, and what becomes of the sessions that the request brought."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Annotated, Any, Literal

import pytest
from fastapi import BackgroundTasks, Depends, Request, WebSocket
from starlette.requests import HTTPConnection

from fastapi_session import (
    ConfigurationError,
    CreateSession,
    attach_session_to_request,
    create_new_session_in_request,
    create_session,
    front_token,
)
from tests.moments import HOUR
from tests.web.conftest import Deploy
from tests.web.deployment import CROSS_SITE, Deployment
from tests.web.wire import KEPT, NEW, OTHER_CLEARED, Held, change
from tests.wire import ANTI_CSRF, AUTH_MODE, FRONT_TOKEN

BROWSER = {"sec-fetch-site": "same-origin", "sec-fetch-mode": "cors"}
FOREIGN_FORM = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "origin": "https://evil.example"}


async def login_by(
    method: Literal["cookie", "header"], create: Annotated[CreateSession, Depends(create_session())]
) -> None:
    await create("ada", method=method)


async def refused_cookies(create: Annotated[CreateSession, Depends(create_session())]) -> str:
    with pytest.raises(ConfigurationError) as refusal:
        await create("ada", method="cookie")
    return str(refusal.value)


def header_to_create(_connection: HTTPConnection, for_create: bool) -> str:
    return "header" if for_create else "any"


def by_client(connection: HTTPConnection, _for_create: bool) -> str:
    return "cookie" if "origin" in connection.headers else "header"


class TestCreate:
    """The transfer method of a new session."""

    @pytest.mark.parametrize(
        ("configured", "asked", "method"),
        [
            ("any", {AUTH_MODE: "cookie"}, "cookie"),
            ("any", {AUTH_MODE: "header"}, "header"),
            ("any", {AUTH_MODE: "any"}, "header"),
            ("any", {AUTH_MODE: "cookies"}, "header"),
            ("any", {AUTH_MODE: ""}, "header"),
            ("any", {}, "header"),
            ("any", BROWSER, "cookie"),
            ("any", BROWSER | {AUTH_MODE: "header"}, "header"),
            ("any", BROWSER | {"authorization": "Bearer of-the-application"}, "cookie"),
            ("any", {"sec-fetch-mode": "cors"}, "header"),
            ("any", FOREIGN_FORM, "header"),
            ("any", FOREIGN_FORM | {AUTH_MODE: "cookie"}, "cookie"),
            ("header", BROWSER, "header"),
            ("cookie", {AUTH_MODE: "header"}, "cookie"),
            ("cookie", {}, "cookie"),
            ("header", {AUTH_MODE: "cookie"}, "header"),
            ("header", {}, "header"),
            (header_to_create, {AUTH_MODE: "cookie"}, "header"),
            (by_client, {"origin": "http://testserver", AUTH_MODE: "header"}, "cookie"),
            (by_client, {AUTH_MODE: "cookie"}, "header"),
        ],
    )
    def test_the_method(self, configured: Any, asked: dict[str, str], method: str, deploy: Deploy) -> None:
        """What is configured counts, if that is any the client's word, and if it has none what the client is known to keep."""
        response = deploy(token_transfer_method=configured).post("/login?user_id=ada", asked)

        assert (200, NEW[method]) == (response.status_code, change(response))

    def test_a_page_that_keeps_our_token_gets_the_next_alike(self, deployment: Deployment) -> None:
        """A browser that brings an access token of ours as a bearer token is given the new ones in headers."""
        held = deployment.login("header")

        assert NEW["header"] == change(deployment.post("/login?user_id=ada", held.to_call(), BROWSER))

    @pytest.mark.parametrize("asked", [{}, BROWSER, FOREIGN_FORM, {AUTH_MODE: "header"}])
    @pytest.mark.parametrize("method", ["cookie", "header"])
    def test_the_word_of_the_route(self, method: str, asked: dict[str, str], deployment: Deployment) -> None:
        """What the route says counts more than what the client says."""
        deployment.app.post("/login-by/{method}")(login_by)

        assert NEW[method] == change(deployment.post(f"/login-by/{method}", asked))

    def test_the_word_of_the_route_keeps_to_the_configuration(self, deploy: Deploy) -> None:
        """A route cannot begin a session whose tokens no request could bring; the error says what to change."""
        deployment = deploy(token_transfer_method="header")
        deployment.app.post("/refused")(refused_cookies)

        told = deployment.post("/refused").json()
        assert 'method="cookie", but token_transfer_method is "header": leave method out' in told
        assert [] == deployment.users()

    @pytest.mark.parametrize(
        ("before", "now", "tokens"),
        [
            ("header", "cookie", NEW["cookie"] | OTHER_CLEARED["cookie"]),
            ("cookie", "header", NEW["header"] | OTHER_CLEARED["header"]),
            ("cookie", "cookie", NEW["cookie"]),
            ("header", "header", NEW["header"]),
        ],
    )
    def test_the_other_method_is_cleared(
        self, before: str, now: str, tokens: dict[str, str], deployment: Deployment
    ) -> None:
        """If the other method's access token came, it is cleared, and the session it belonged to has ended."""
        held = deployment.login(before)
        response = deployment.post("/login?user_id=ada", held.to_call(), {AUTH_MODE: now})

        assert tokens == change(response)
        assert ["ada"] == deployment.users()
        assert {"message": "session superseded, come again"} == deployment.refresh(held).json()

    @pytest.mark.parametrize(
        "other", ["Bearer undefined", "Bearer of-the-application", "Basic YWRhOmFkYQ==", "Bearer "]
    )
    def test_a_foreign_bearer_token_is_left_alone(self, other: str, deployment: Deployment) -> None:
        """A bearer token of the application's own is none of ours to clear."""
        response = deployment.post("/login?user_id=ada", {"authorization": other, AUTH_MODE: "cookie"})

        assert NEW["cookie"] == change(response)

    def test_an_expired_session_ends_too(self, deployment: Deployment) -> None:
        """The earlier session ends even if its access token has expired: it proves whose it was."""
        held = deployment.login()
        deployment.clock.advance(HOUR)
        deployment.post("/login?user_id=bob", held.to_call())

        assert ["bob"] == deployment.users("ada", "bob")

    def test_sessions_of_both_methods_end(self, deployment: Deployment) -> None:
        """If a session came by each method, both end."""
        cookie, header = deployment.login("cookie", "ada"), deployment.login("header", "bob")
        response = deployment.post("/login?user_id=eve", cookie.to_call(), header.to_call(), {AUTH_MODE: "cookie"})

        assert NEW["cookie"] | OTHER_CLEARED["cookie"] == change(response)
        assert ["eve"] == deployment.users("ada", "bob", "eve")

    @pytest.mark.parametrize("method", ["cookie", "header"])
    def test_a_forged_token_ends_nothing(self, method: str, deployment: Deployment) -> None:
        """A token that nobody signed names a session, and does not end it."""
        held = deployment.login(method)
        signing_input, _, _ = held.access.rpartition(".")
        forged = replace(held, access=f"{signing_input}.{'A' * 86}")
        deployment.post("/login?user_id=bob", forged.to_call())

        assert ["ada", "bob"] == deployment.users("ada", "bob")

    def test_other_sessions_go_on(self, deployment: Deployment) -> None:
        """A login without a session ends none of the same user on other devices."""
        deployment.login()
        deployment.login()

        assert ["ada", "ada"] == deployment.users()


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
    """If the new session cannot be made, both sessions that the request brought go on."""

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

    assert NEW["header"] == {name: became for name, became in change(response).items() if name != ANTI_CSRF}
    assert 200 == deployment.get("/me", held.to_call()).status_code


@pytest.mark.parametrize("anti_csrf", ["VIA_CUSTOM_HEADER", "VIA_TOKEN"])
def test_a_page_of_ours_that_goes_over_to_headers(anti_csrf: str, deploy: Deploy) -> None:
    """Its request proves that no other site forged it, so the session in cookies ends."""
    deployment = deploy(**{**CROSS_SITE, "anti_csrf": anti_csrf})
    held = deployment.login("cookie")
    proof = {AUTH_MODE: "header", "rid": "session", ANTI_CSRF: held.anti_csrf or ""}
    response = deployment.post("/login?user_id=ada", held.to_call(), proof)

    assert NEW["header"] | OTHER_CLEARED["header"] == change(response)
    assert 401 == deployment.get("/me", held.to_call()).status_code


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

    response = deployment.post("/attach", {AUTH_MODE: asked})

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

    response = deployment.post("/attach", {AUTH_MODE: "header"})
    sent = json.loads(base64.b64decode(response.headers[FRONT_TOKEN]))["up"]

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

    assert 200 == deployment.post("/me", held.to_call(), {ANTI_CSRF: held.anti_csrf or ""}).status_code


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

    held = Held.of(deployment.post("/twice", {AUTH_MODE: "cookie"}), "cookie")

    assert {"user_id": "eve"} == deployment.get("/me", held.to_call()).json()
    assert ["eve"] == deployment.users("grace", "eve")
