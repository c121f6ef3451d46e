"""Bound sessions over HTTP: what a thief of tokens gets, what routes may ask for, and what endpoints are told."""

from __future__ import annotations

from http.cookies import SimpleCookie
from typing import Annotated, Any

import pytest
from fastapi import Depends, Request
from httpx2 import Response
from starlette.testclient import WebSocketDenialResponse

from fastapi_session import Session, get_session_from_request, verify_session
from fastapi_session.core.binding.bound_keys import device_key, dpop_key
from tests.engines import refresh_token_of
from tests.moments import HOUR
from tests.web.conftest import Deploy
from tests.web.deployment import Deployment, Verified, echo
from tests.web.wire import KEPT, TRY_REFRESH_TOKEN, UNAUTHORISED, Held, change
from tests.wire import ACCESS_COOKIE, ACCESS_HEADER, FRONT_TOKEN

THUMBPRINT = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
NOT_BOUND = {"message": "session not bound"}
REISSUED = {
    "cookie": {FRONT_TOKEN: "new", ACCESS_COOKIE: "new"},
    "header": {FRONT_TOKEN: "new", ACCESS_HEADER: "new"},
}


@pytest.fixture
def deployment(deploy: Deploy) -> Deployment:
    """The application of every endpoint, with one more that asks for a bound session."""
    deployment = deploy()
    deployment.app.websocket("/socket")(echo)

    @deployment.app.get("/bound")
    async def bound(session: Annotated[Session, Depends(verify_session(bound=True))]) -> dict[str, Any]:
        return {"user_id": session.user_id, "bound": session.bound}

    @deployment.app.get("/any")
    async def any_session(session: Verified) -> dict[str, Any]:
        return {"user_id": session.user_id, "bound": session.bound}

    return deployment


def bind(deployment: Deployment, held: Held) -> Held:
    """Let the browser that holds *held* bind its session: the tokens stay as they are."""
    parsed = deployment.sessions.parse(held.access)
    assert parsed is not None
    assert deployment.ask(deployment.sessions.store.bind, parsed.content.session_id, device_key(THUMBPRINT))
    return held


def dpop(deployment: Deployment, method: str = "header") -> Held:
    """Return the tokens of a session that a client has bound to a DPoP key, as they would travel by *method*."""

    async def create() -> Any:
        return await deployment.sessions.create("ada", bound_key=dpop_key(THUMBPRINT))

    issued = deployment.ask(create)
    return Held(method, issued.tokens.access_token, refresh_token_of(issued))


@pytest.mark.parametrize("stolen_by", ["cookie", "header"])
def test_a_refresh_without_the_key(stolen_by: str, deployment: Deployment) -> None:
    """Who has copied all tokens of a browser that has bound its session gets a 401 that changes nothing, however he sends them."""
    held = bind(deployment, deployment.login())
    deployment.clock.advance(HOUR)
    response = deployment.refresh(Held(stolen_by, held.access, held.refresh))

    assert (401, UNAUTHORISED, KEPT) == (response.status_code, response.json(), change(response))
    assert ["ada"] == deployment.users()


@pytest.mark.parametrize("method", ["cookie", "header"])
@pytest.mark.parametrize("path", ["/me", "/checked", "/optional", "/bound"])
def test_an_access_token_of_dpop(path: str, method: str, deployment: Deployment) -> None:
    """Without its key it is refused, as a bearer token and in a cookie alike, and nothing is cleared."""
    response = deployment.get(path, dpop(deployment, method).to_call())

    assert (401, UNAUTHORISED, KEPT) == (response.status_code, response.json(), change(response))


def test_an_expired_access_token_of_dpop(deployment: Deployment) -> None:
    """It is to be refreshed, whatever is proved."""
    held = dpop(deployment)
    deployment.clock.advance(HOUR)

    assert TRY_REFRESH_TOKEN == deployment.get("/me", held.to_call()).json()


@pytest.mark.parametrize("path", ["/me", "/checked", "/optional", "/bound"])
def test_an_access_token_of_a_browser(path: str, deployment: Deployment) -> None:
    """In its cookie it is good without a proof; whoever sends it as a bearer token is no browser, and is refused with nothing sent."""
    held = bind(deployment, deployment.login())
    taken = Held("cookie", _reissued(deployment, held), held.refresh)
    assert "ada" == deployment.get(path, taken.to_call()).json()["user_id"]
    response = deployment.get(path, Held("header", taken.access, held.refresh).to_call())

    assert (401, UNAUTHORISED, KEPT) == (response.status_code, response.json(), change(response))


@pytest.mark.parametrize("path", ["/checked", "/bound"])
def test_nothing_is_sent_to_who_copied_a_token(path: str, deployment: Deployment) -> None:
    """Also if its claims have changed since, or it is from before the binding, no new one is on the refusal."""
    held = bind(deployment, deployment.login())
    old = Held("header", held.access, held.refresh)
    new = Held("header", _reissued(deployment, held), held.refresh)
    deployment.ask(deployment.sessions.merge_and_reissue, _content(deployment, held), {"plan": "max"})
    responses = [deployment.get(path, new.to_call())]
    if path == "/bound":
        responses.append(deployment.get(path, old.to_call()))

    assert [(401, KEPT)] * len(responses) == [(each.status_code, change(each)) for each in responses]


def test_a_socket_of_a_bearer(deployment: Deployment) -> None:
    """No socket is opened by a bearer token that is a browser's, or without the key of DPoP."""
    held = bind(deployment, deployment.login())
    access = _reissued(deployment, held)
    for text in (access, dpop(deployment).access):
        with (
            pytest.raises(WebSocketDenialResponse) as denied,
            deployment.client.websocket_connect("/socket", headers={"authorization": f"Bearer {text}"}),
        ):
            raise AssertionError
        assert 401 == denied.value.status_code
    headers = {"cookie": f"{ACCESS_COOKIE}={access}"}
    with deployment.client.websocket_connect("/socket", headers=headers) as socket:
        assert "ada" == socket.receive_text()


@pytest.mark.parametrize("method", ["cookie", "header"])
def test_a_route_for_bound_sessions(method: str, deployment: Deployment) -> None:
    """A session that is not bound is refused with a status and a message of its own, and keeps its tokens."""
    response = deployment.get("/bound", deployment.login(method).to_call())

    assert (403, NOT_BOUND, KEPT) == (response.status_code, response.json(), change(response))


def test_a_token_from_before_the_binding(deployment: Deployment) -> None:
    """It does not say that the session is bound: a route that asks for it looks into the store, once, and sends one that does."""
    held = bind(deployment, deployment.login())
    assert {"user_id": "ada", "bound": False} == deployment.get("/any", held.to_call()).json()
    response = deployment.get("/bound", held.to_call())
    taken = Held("cookie", _cookie(response), held.refresh)
    before, after = _content(deployment, held), _content(deployment, taken)

    assert ({"user_id": "ada", "bound": True}, REISSUED["cookie"]) == (response.json(), change(response))
    assert (False, True, before.expires_at) == (before.is_device_bound, after.is_device_bound, after.expires_at)
    again = deployment.get("/bound", taken.to_call())
    assert (200, KEPT) == (again.status_code, change(again))
    assert {"user_id": "ada", "bound": True} == deployment.get("/any", taken.to_call()).json()


def test_a_session_that_has_ended(deployment: Deployment) -> None:
    """A route for bound sessions, which looks into the store, does not tell one that has ended from any other that has."""
    held = deployment.login()
    handle = _content(deployment, held).session_handle
    deployment.ask(deployment.sessions.store.delete, handle)

    assert UNAUTHORISED == deployment.get("/bound", held.to_call()).json()


def test_where_an_expired_session_is_a_403(deploy: Deploy) -> None:
    """The status is never that by which clients know an expired session."""
    deployment = deploy(session_expired_status_code=403, invalid_claim_status_code=401)

    @deployment.app.get("/bound")
    async def bound(session: Annotated[Session, Depends(verify_session(bound=True))]) -> str:
        return session.user_id

    response = deployment.get("/bound", deployment.login().to_call())
    assert (401, NOT_BOUND) == (response.status_code, response.json())


def test_asked_by_a_function(deployment: Deployment) -> None:
    """`get_session_from_request` takes the same word, and the same word is the same provider."""

    @deployment.app.get("/looked")
    async def looked(request: Request) -> str:
        return (await get_session_from_request(request, bound=True)).user_id

    held = deployment.login()
    assert NOT_BOUND == deployment.get("/looked", held.to_call()).json()
    assert "ada" == deployment.get("/looked", bind(deployment, held).to_call()).json()
    assert verify_session(bound=True) is verify_session(bound=True) is not verify_session()


def _content(deployment: Deployment, held: Held) -> Any:
    parsed = deployment.sessions.parse(held.access)
    assert parsed is not None
    return parsed.content


def _reissued(deployment: Deployment, held: Held) -> str:
    """Return the access token of a bound session that says so."""
    return _cookie(deployment.get("/bound", held.to_call()))


def _cookie(response: Response) -> str:
    """Return the access token that came in its cookie."""
    jar = SimpleCookie()
    for text in response.headers.get_list("set-cookie"):
        jar.load(text)
    return jar[ACCESS_COOKIE].value
