"""Claims and session data as Pydantic models: checked on the way in and on the way out."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from fastapi import Depends, FastAPI
from pydantic import BaseModel, Field

from fastapi_session import CreateSession, PayloadError, Session, Sessions, create_session, verify_session
from fastapi_session.web.session_types import SessionTypes
from tests.web.deployment import Deployment
from tests.web.wire import KEPT, NEW, change


class Plan(BaseModel):
    plan: str
    seats: int = 1


class Settings(BaseModel):
    theme: str


class Cat(BaseModel):
    kind: Literal["cat"]


class Dog(BaseModel):
    kind: Literal["dog"]


class Card(BaseModel):
    number: int
    pet: Annotated[Cat | Dog, Field(discriminator="kind")]
    holder_name: str = Field(alias="holderName")


Typed = Annotated[Session[Plan, Settings], Depends(verify_session(payload=Plan, data=Settings))]
Create = Annotated[CreateSession[Plan, Settings], Depends(create_session(payload=Plan, data=Settings))]


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


def test_models_changed(app: FastAPI, deployment: Deployment) -> None:
    """Data are changed by a function from model to model; what has not the shape, or nothing, is refused and written nowhere."""

    @app.post("/answer")
    async def route(session: Typed) -> list[str]:
        changed = await session.change_session_data(lambda data: data.model_copy(update={"theme": f"not {data.theme}"}))
        with pytest.raises(PayloadError, match=r"session_data: .*theme"):
            await session.change_session_data(lambda _: {"theme": ["s3cret"]})
        with pytest.raises(PayloadError, match="the change returned nothing"):
            await session.change_session_data(lambda _: None)
        return [changed.theme, (await session.get_session_data()).theme]

    assert ["not dark", "not dark"] == deployment.post("/answer", deployment.login().to_call()).json()


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


@pytest.mark.parametrize("given", [{}, {"access_token_payload": {"plan": "pro"}}, {"session_data": {"theme": "x"}}])
def test_what_is_missing_is_not_kept(
    given: dict[str, Any], app: FastAPI, sessions: Sessions, deployment: Deployment
) -> None:
    """A session that would be refused at its first request is refused before it begins."""

    @app.post("/answer")
    async def route(create: Create) -> None:
        with pytest.raises(PayloadError):
            await create("ada", **given)

    assert (200, []) == (deployment.post("/answer").status_code, deployment.ask(sessions.of_user, "ada"))


def test_claims_that_the_model_does_not_name(app: FastAPI, sessions: Sessions, deployment: Deployment) -> None:
    """What the model does not name is kept beside what it does, at the sign-in and at every change."""

    @app.post("/answer")
    async def route(create: Create) -> None:
        session = await create(
            "ada", access_token_payload={"plan": "pro", "theme": "dark"}, session_data={"theme": "x"}
        )
        await session.merge_into_access_token_payload({"seats": 2, "beta": True})

    deployment.post("/answer")
    (found,) = deployment.ask(sessions.of_user, "ada")

    assert {"plan": "pro", "theme": "dark", "seats": 2, "beta": True} == found.access_token_payload


@pytest.mark.parametrize("changes", [{"seats": "many"}, {"plan": None}])
def test_a_merge_of_another_shape(
    changes: dict[str, Any], app: FastAPI, sessions: Sessions, deployment: Deployment
) -> None:
    """A merge after which the claims would not have the shape is refused, and nothing is written or sent."""

    @app.post("/answer")
    async def route(session: Typed) -> None:
        with pytest.raises(PayloadError):
            await session.merge_into_access_token_payload(changes)

    response = deployment.post("/answer", deployment.login().to_call())
    (found,) = deployment.ask(sessions.of_user, "ada")

    assert (200, KEPT, {"plan": "pro"}) == (response.status_code, change(response), found.access_token_payload)


def test_fields_are_told_without_values(app: FastAPI, sessions: Sessions, deployment: Deployment) -> None:
    """The client is told which fields are wrong and how, but not what stands there."""
    provider = verify_session(payload=Card)

    @app.get("/answer", dependencies=[Depends(provider)])
    async def route() -> None: ...

    payload = {"number": "s3cret", "pet": {"kind": "s3cret"}}
    issued = deployment.ask(lambda: sessions.create("ada", access_token_payload=payload))
    response = deployment.get("/answer", {"authorization": f"Bearer {issued.tokens.access_token}"})

    (failure,) = response.json()["claimValidationErrors"]
    fields = {"number": "int_parsing", "pet": "union_tag_invalid", "holderName": "missing"}
    assert {"message": "wrong shape", "fields": fields} == failure["reason"]
    assert "s3cret" not in response.text


def test_names_of_ones_own(app: FastAPI, sessions: Sessions, deployment: Deployment) -> None:
    """Fields stand in token and store by the names that the model reads them by."""
    card = Card(number=1, pet=Cat(kind="cat"), holderName="Ada")

    @app.post("/answer")
    async def route(create: Annotated[CreateSession[Card], Depends(create_session(payload=Card))]) -> str:
        session = await create("ada", access_token_payload=card)
        await session.merge_into_access_token_payload({"number": 2})
        return session.claims.holder_name

    assert "Ada" == deployment.post("/answer").json()
    (found,) = deployment.ask(sessions.of_user, "ada")
    assert {"number": 2, "pet": {"kind": "cat"}, "holderName": "Ada"} == found.access_token_payload


def test_a_model_that_is_none() -> None:
    """What is given as a model and is none is a mistake, and its name is told."""
    no_model: Any = dict

    with pytest.raises(TypeError, match="dict is no Pydantic model"):
        SessionTypes(no_model).read_payload({})


def test_data_of_another_shape(app: FastAPI, sessions: Sessions, deployment: Deployment) -> None:
    """Data that others put into the store are refused when they are read, and are in no message."""

    @app.get("/answer")
    async def route(session: Typed) -> None:
        with pytest.raises(PayloadError, match="'theme': 'string_type'") as caught:
            await session.get_session_data()
        assert "1234" not in str(caught.value)

    data = {"theme": 1234}
    issued = deployment.ask(lambda: sessions.create("ada", access_token_payload={"plan": "pro"}, session_data=data))
    response = deployment.get("/answer", {"authorization": f"Bearer {issued.tokens.access_token}"})

    assert 200 == response.status_code
