"""A limit of sessions over HTTP: what a sign-in gets that is one too many, and what it may say then."""

from __future__ import annotations

from typing import Annotated

import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient

from fastapi_session import (
    CreateSession,
    SessionLimit,
    create_session,
    install,
    session_router,
)
from fastapi_session.testing import HandClock
from tests.engines import engine
from tests.web.conftest import Deploy
from tests.web.deployment import Deployment
from tests.wire import AUTH_MODE

REFUSING = SessionLimit(2, when_reached="refuse")


async def login_choosing(
    user_id: str, create: Annotated[CreateSession, Depends(create_session())], evict: str = "", limit: int | None = None
) -> None:
    said = None if limit is None else SessionLimit(limit)
    await create(user_id, limit=said, evict=[evict] if evict else ())


@pytest.fixture
def full(deploy: Deploy) -> Deployment:
    """An application in which ada has as many sessions as she may."""
    deployment = deploy(session_limit=REFUSING)
    deployment.app.post("/login-choosing")(login_choosing)
    for _ in range(2):
        deployment.login()
    return deployment


def handles(deployment: Deployment) -> list[str]:
    return [session.handle for session in deployment.ask(deployment.sessions.of_user, "ada")]


@pytest.mark.parametrize("method", ["cookie", "header"])
def test_one_too_many(method: str, full: Deployment) -> None:
    """It is refused with a conflict that says the limit, and sends and clears no token."""
    before = handles(full)
    refused = full.post("/login?user_id=ada", {AUTH_MODE: method})

    assert (409, {"message": "session limit reached", "limit": 2}) == (refused.status_code, refused.json())
    assert [] == [name for name in refused.headers if "cookie" in name or "token" in name]
    assert before == handles(full)


def test_a_client_that_has_a_session_keeps_it(full: Deployment) -> None:
    """Who is signed in as another user and is refused is signed in as that user still."""
    eve = full.login(user_id="eve")
    refused = full.post("/login?user_id=ada", eve.to_call(), {AUTH_MODE: "cookie"})

    assert (409, []) == (refused.status_code, refused.headers.get_list("set-cookie"))
    assert {"user_id": "eve"}.items() <= full.get("/me", eve.to_call()).json().items()


def test_signing_in_over_a_session_of_ones_own(full: Deployment) -> None:
    """The session that the request brought needs no room: it ends anyway."""
    full.ask(full.sessions.revoke, handles(full)[0])
    mine = full.login()

    assert 200 == full.post("/login?user_id=ada", mine.to_call(), {AUTH_MODE: "cookie"}).status_code
    assert 2 == len(handles(full))


def test_a_session_that_the_user_chose(full: Deployment) -> None:
    """The page sends the sign-in again with a session that may end; a limit said by the route counts in place of the other."""
    first, second = handles(full)

    assert 200 == full.post(f"/login-choosing?user_id=ada&evict={first}").status_code
    assert second in handles(full)
    assert first not in handles(full)
    assert 200 == full.post("/login-choosing?user_id=ada&limit=3").status_code
    assert 3 == len(handles(full))


def test_a_page(clock: HandClock) -> None:
    """A form gets a page that says so; a part of a page gets what a program gets."""
    app = FastAPI()
    install(app, engine(clock, session_limit=SessionLimit(1, when_reached="refuse")))
    app.include_router(session_router(pages=True))
    app.post("/login")(login_choosing)
    navigation = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document", "accept": "text/html"}
    with TestClient(app, base_url="http://testserver") as client:
        client.post("/login?user_id=ada")
        client.cookies.clear()
        shown = client.post("/login?user_id=ada", headers=navigation)
        part = client.post("/login?user_id=ada", headers={"hx-request": "true"})

    assert (409, "text/html; charset=utf-8") == (shown.status_code, shown.headers["content-type"])
    assert "signed in in one place, which is as many as there may be" in shown.text
    assert (409, {"message": "session limit reached", "limit": 1}) == (part.status_code, part.json())
