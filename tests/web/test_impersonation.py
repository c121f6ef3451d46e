"""Impersonation over HTTP: tokens in cookies and in headers, sockets, sign-out, and what is refused."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from fastapi import BackgroundTasks, Depends, FastAPI
from starlette.websockets import WebSocketDisconnect

from fastapi_session import Fresh, Session, Sessions, verify_session
from fastapi_session.testing import HandClock
from tests.engines import engine
from tests.web.deployment import CROSS_SITE, Deployment, application, echo
from tests.web.wire import CLEARED, KEPT, NEW, TRY_REFRESH_TOKEN, Held, change
from tests.wire import ANTI_CSRF, AUTH_MODE, SIGN_OUT_PATH

METHODS = pytest.mark.parametrize("method", ["cookie", "header"])
Verified = Annotated[Session, Depends(verify_session())]


async def view_as(user_id: str, session: Verified) -> dict[str, Any]:
    acting = await session.impersonate(user_id, reason="ticket 4711", session_data={"theme": "light"})
    assert acting.actor is not None
    return {"user_id": acting.user_id, "actor": acting.actor.user_id, "data": await acting.get_session_data()}


async def stop(session: Verified) -> dict[str, Any]:
    own = await session.stop_impersonating()
    return {"user_id": own.user_id, "actor": own.actor, "data": await own.get_session_data()}


async def view_as_later(session: Verified, later: BackgroundTasks) -> None:
    later.add_task(session.impersonate, "ada", reason="too late")


@pytest.fixture
def sessions(clock: HandClock) -> Sessions:
    return engine(clock, **CROSS_SITE)


@pytest.fixture
def app(sessions: Sessions) -> FastAPI:
    app = application(sessions)
    app.websocket("/socket")(echo)
    for route in (view_as, stop, view_as_later):
        app.post(f"/{route.__name__}")(route)
    return app


def to_post(held: Held) -> dict[str, str]:
    """The headers of a request that changes something, with the proof that no other site sent it."""
    return held.to_call() | ({} if held.anti_csrf is None else {ANTI_CSRF: held.anti_csrf})


def viewing(deployment: Deployment, method: str) -> tuple[Held, Held]:
    """The tokens of a member of staff, and those by which he acts as ada."""
    own = deployment.login(method, user_id="staff")
    return own, Held.of(deployment.post("/view_as?user_id=ada", to_post(own)), method)


@METHODS
def test_there_and_back(method: str, deployment: Deployment) -> None:
    """The tokens are those of the other user, by the same method and with their anti-CSRF token; then the actor's again."""
    own = deployment.login(method, user_id="staff")
    there = deployment.post("/view_as?user_id=ada", to_post(own))
    assert {"user_id": "ada", "actor": "staff", "data": {"theme": "light"}} == there.json()
    anti_csrf = {ANTI_CSRF: "new"} if method == "cookie" else {}
    assert NEW[method] | anti_csrf == change(there)
    acting = Held.of(there, method)
    assert {"user_id": "ada"} == deployment.post("/me", to_post(acting)).json()

    back = deployment.post("/stop", to_post(acting))
    assert {"user_id": "staff", "actor": None, "data": {"theme": "dark"}} == back.json()
    assert NEW[method] | anti_csrf == change(back)
    assert {"user_id": "staff"} == deployment.post("/me", to_post(Held.of(back, method))).json()
    assert ["staff"] == deployment.users("ada", "staff")


@METHODS
def test_cookies_end_with_the_browser(method: str, deployment: Deployment) -> None:
    """Whether or not the actor is remembered, the cookies by which he acts as another are not."""
    own = deployment.login(method, user_id="staff")
    there = deployment.post("/view_as?user_id=ada", to_post(own))
    back = deployment.post("/stop", to_post(Held.of(there, method)))
    expire = [
        [text for text in response.headers.get_list("set-cookie") if "Max-Age" in text] for response in (there, back)
    ]

    assert [0, 2 if method == "cookie" else 0] == [len(texts) for texts in expire]


@METHODS
def test_stopping_twice(method: str, deployment: Deployment) -> None:
    """The second of two clicks leaves the client the tokens that the first one brought; and who acts as nobody cannot stop."""
    _, acting = viewing(deployment, method)
    back = Held.of(deployment.post("/stop", to_post(acting)), method)
    again = deployment.post("/stop", to_post(acting))
    none = deployment.post("/stop", to_post(back))

    assert (401, TRY_REFRESH_TOKEN, KEPT) == (again.status_code, again.json(), change(again))
    assert (409, {"message": "not possible in this session"}, KEPT) == (none.status_code, none.json(), change(none))
    assert {"user_id": "staff"} == deployment.get("/me", back.to_call()).json()


@METHODS
def test_nobody_acts_twice(method: str, deployment: Deployment) -> None:
    """Who acts as another cannot act as a third: 409, and he goes on as the second."""
    _, acting = viewing(deployment, method)
    response = deployment.post("/view_as?user_id=bob", to_post(acting))

    assert (409, KEPT) == (response.status_code, change(response))
    assert {"user_id": "ada"} == deployment.get("/me", acting.to_call()).json()


@METHODS
def test_signing_out(method: str, deployment: Deployment) -> None:
    """Who signs out while he acts as another is signed out altogether."""
    own, acting = viewing(deployment, method)
    response = deployment.post(SIGN_OUT_PATH, to_post(acting))

    assert (200, CLEARED) == (response.status_code, {**CLEARED, **change(response)})
    assert [] == deployment.users("ada", "staff")
    assert [401, 401] == [deployment.get("/me", each.to_call()).status_code for each in (own, acting)]


@METHODS
def test_a_sign_in_over_it(method: str, deployment: Deployment) -> None:
    """Who signs in while somebody acts takes the place of both: nothing of the actor is left behind for nobody."""
    _, acting = viewing(deployment, method)
    deployment.post("/login?user_id=bob", to_post(acting), {AUTH_MODE: method})

    assert ["bob"] == deployment.users("ada", "staff", "bob")


@pytest.mark.parametrize("whose", ["ada", "staff"])
@METHODS
def test_sockets_end_with_it(whose: str, method: str, deployment: Deployment) -> None:
    """A socket that was opened while somebody acts closes when that ends, be it by the end of the actor's own session."""
    _, acting = viewing(deployment, method)
    with deployment.client.websocket_connect("/socket", headers=acting.to_call()) as socket:
        assert "ada" == socket.receive_text()
        deployment.ask(deployment.sessions.revoke_all, whose)
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_text()

    assert "unauthorised" == closed.value.reason


@METHODS
def test_sockets_end_when_he_stops(method: str, deployment: Deployment) -> None:
    """When the actor stops, a socket of the other user closes so that its client opens it anew, as himself."""
    _, acting = viewing(deployment, method)
    with deployment.client.websocket_connect("/socket", headers=acting.to_call()) as socket:
        assert "ada" == socket.receive_text()
        deployment.post("/stop", to_post(acting))
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_text()

    assert "try refresh token" == closed.value.reason


@METHODS
def test_no_challenge(method: str, deployment: Deployment) -> None:
    """A route that demands a fresh authentication refuses him, and asks him for nothing: he is not the user."""

    async def demanding(session: Annotated[Session, Depends(verify_session(Fresh(minutes=5)))]) -> None: ...

    deployment.app.post("/demanding")(demanding)
    own, acting = viewing(deployment, method)
    statuses = [deployment.post("/demanding", to_post(each)) for each in (own, acting)]

    assert [(401, True), (403, False)] == [(each.status_code, "www-authenticate" in each.headers) for each in statuses]


def test_the_response_has_started(deployment: Deployment) -> None:
    """In a background task no tokens can be sent any more: nothing begins, and the actor goes on."""
    own = deployment.login("header", user_id="staff")
    deployment.post("/view_as_later", to_post(own))

    assert ["staff"] == deployment.users("ada", "staff")
