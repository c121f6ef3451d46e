"""Verbs of a session in a `def` endpoint."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI

from fastapi_session import CreateSession, InvalidClaimsError, PayloadError, blocking, create_session
from fastapi_session.testing import HandClock
from tests.engines import engine
from tests.web.deployment import Deployment, Verified
from tests.web.socket_app import Role
from tests.web.wire import CLEARED, change
from tests.wire import ACCESS_COOKIE, FRONT_TOKEN


def test_a_verb(app: FastAPI, deployment: Deployment) -> None:
    """A `def` endpoint ends its session, and the client's tokens are cleared."""

    @app.post("/answer")
    def route(session: Verified) -> None:
        blocking(session.revoke())

    response = deployment.post("/answer", deployment.login().to_call())

    assert (200, CLEARED, []) == (response.status_code, change(response), deployment.users())


def test_an_answer_and_an_error(app: FastAPI, deployment: Deployment) -> None:
    """It answers what the verb answers, and raises what the verb raises."""

    @app.post("/answer")
    def route(session: Verified) -> Any:
        with pytest.raises(PayloadError):
            blocking(session.merge_into_access_token_payload({"n": float("nan")}))
        blocking(session.merge_into_access_token_payload({"n": 1}))
        return blocking(session.get_session_data())

    response = deployment.post("/answer", deployment.login().to_call())

    assert ({"theme": "dark"}, {FRONT_TOKEN: "new", ACCESS_COOKIE: "new"}) == (response.json(), change(response))


def test_every_verb(app: FastAPI, deployment: Deployment) -> None:
    """A `def` endpoint has every verb that an `async def` one has, and begins sessions too."""

    @app.post("/answer")
    def route(session: Verified) -> None:
        blocking(session.fetch_and_set_claim(Role))
        blocking(session.set_claim_value(Role, ["user"]))
        with pytest.raises(InvalidClaimsError):
            blocking(session.assert_claims(Role.includes("admin")))
        blocking(session.remove_claim(Role))
        blocking(session.update_session_data({"theme": "light"}))
        assert {"theme": "light"} == blocking(session.information()).session_data

    @app.post("/begin")
    def begin(create: Annotated[CreateSession, Depends(create_session())]) -> str:
        return blocking(create("bob")).user_id

    answers = [deployment.post(path, deployment.login().to_call()) for path in ("/answer", "/begin")]

    assert [(200, None), (200, "bob")] == [(answer.status_code, answer.json()) for answer in answers]
    assert ["bob"] == deployment.users("bob")


async def test_on_the_event_loop(clock: HandClock) -> None:
    """On the event loop it is an error that names the fix, and not a standstill."""
    with pytest.raises(RuntimeError, match="`await`"):
        blocking(engine(clock).of_user("ada"))


def test_on_a_thread_of_nobody_s(clock: HandClock) -> None:
    """On a thread that has no event loop behind it there is nothing to wait for."""
    with pytest.raises(RuntimeError):
        blocking(engine(clock).of_user("ada"))
