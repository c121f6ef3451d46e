"""Claims and session data as Pydantic models: checked on the way in and on the way out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI
from pydantic import BaseModel

from fastapi_session import CreateSession, PayloadError, Session, Sessions, create_session, verify_session
from fastapi_session.testing import HandClock
from tests.web.deployment import Deployment, application, deployed, engine
from tests.web.wire import KEPT, NEW, change


class Plan(BaseModel):
    plan: str
    seats: int = 1


class Settings(BaseModel):
    theme: str


Typed = Annotated[Session[Plan, Settings], Depends(verify_session(payload=Plan, data=Settings))]
Create = Annotated[CreateSession[Plan, Settings], Depends(create_session(payload=Plan, data=Settings))]


@pytest.fixture
def sessions(clock: HandClock) -> Sessions:
    return engine(clock)


@pytest.fixture
def app(sessions: Sessions) -> FastAPI:
    return application(sessions)


@pytest.fixture
def deployment(app: FastAPI, sessions: Sessions, clock: HandClock) -> Iterator[Deployment]:
    with deployed(app, sessions, clock) as deployment:
        yield deployment


def test_models_out(app: FastAPI, deployment: Deployment) -> None:
    """Claims and data come as the models that the route asked for, defaults filled in."""

    @app.get("/answer")
    async def route(session: Typed) -> list[Any]:
        data = await session.get_session_data()
        return [session.claims.plan, session.claims.seats, data.theme]

    assert ["pro", 1, "dark"] == deployment.get("/answer", deployment.login().to_call()).json()


def test_models_in(app: FastAPI, sessions: Sessions, deployment: Deployment) -> None:
    """A session is created from models, and data are replaced by one."""

    @app.post("/answer")
    async def route(create: Create) -> int:
        session = await create("ada", access_token_payload=Plan(plan="max", seats=5), session_data=Settings(theme="x"))
        await session.update_session_data(Settings(theme="light"))
        return session.claims.seats

    response = deployment.post("/answer")
    (found,) = deployment.ask(sessions.of_user, "ada")

    assert (5, NEW["header"]) == (response.json(), change(response))
    assert ({"plan": "max", "seats": 5}, {"theme": "light"}) == (found.access_token_payload, found.session_data)


def test_claims_of_another_shape(app: FastAPI, sessions: Sessions, deployment: Deployment) -> None:
    """A session whose claims have not the shape is refused as one that does not satisfy the route, and nothing is told of it."""

    @app.get("/answer")
    async def route(_session: Typed) -> None: ...

    issued = deployment.ask(lambda: sessions.create("ada", access_token_payload={"plan": "pro", "seats": "s3cret"}))
    response = deployment.get("/answer", {"authorization": f"Bearer {issued.tokens.access_token}"})

    assert (403, "invalid claim", KEPT) == (response.status_code, response.json()["message"], change(response))
    assert ["access_token_payload"] == [failure["id"] for failure in response.json()["claimValidationErrors"]]
    assert "s3cret" not in response.text


@pytest.mark.parametrize(
    ("payload", "data"),
    [({"seats": 1}, {"theme": "x"}), ({"plan": "pro", "seats": "many"}, None), (None, {"colour": 1})],
)
def test_what_has_not_the_shape_is_not_kept(
    payload: Any, data: Any, app: FastAPI, sessions: Sessions, deployment: Deployment
) -> None:
    """What has not the shape is refused before anything is written."""

    @app.post("/answer")
    async def route(create: Create) -> None:
        with pytest.raises(PayloadError):
            await create("ada", access_token_payload=payload, session_data=data)

    response = deployment.post("/answer")

    assert (200, KEPT, []) == (response.status_code, change(response), deployment.ask(sessions.of_user, "ada"))
