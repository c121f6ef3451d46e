"""A guest who signs in, over HTTP: in cookies and in headers, while requests of the guest's page are on their way."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from fastapi import Depends
from pydantic import BaseModel

from fastapi_session import CreateSession, Session, create_session, verify_session
from tests.moments import PAST_GRACE
from tests.web.deployment import Deployment
from tests.web.wire import KEPT, NEW, TRY_REFRESH_TOKEN, Held, change
from tests.wire import AUTH_MODE

METHODS = pytest.mark.parametrize("method", ["cookie", "header"])
Create = Annotated[CreateSession, Depends(create_session())]
Maybe = Annotated[Session | None, Depends(verify_session(session_required=False))]


class Shop(BaseModel):
    """Session data with a field that has to be given, and one that need not be."""

    basket: list[str]
    device: str = "unknown"


async def visit(create: Create) -> dict[str, Any]:
    session = await create.guest(session_data={"basket": ["tea"]})
    return {"user_id": session.user_id, "is_guest": session.is_guest}


async def sign_in(create: Create, session: Maybe) -> dict[str, Any]:
    signed_in = await create("ada", upgrading=session)
    return {"data": await signed_in.get_session_data(), "is_guest": signed_in.is_guest}


async def sign_in_typed(
    create: Annotated[CreateSession[dict[str, Any], Shop], Depends(create_session(data=Shop))], session: Maybe
) -> Any:
    return await (await create("ada", upgrading=session)).get_session_data()


@pytest.fixture
def shop(deployment: Deployment) -> Deployment:
    for route in (visit, sign_in, sign_in_typed):
        deployment.app.post(f"/{route.__name__}")(route)
    return deployment


def visited(shop: Deployment, method: str) -> Held:
    return Held.of(shop.post("/visit", {AUTH_MODE: method}), method)


@METHODS
def test_a_guest_signs_in(method: str, shop: Deployment) -> None:
    """He gets new tokens for the ones he had, and what he put into his basket."""
    guest = visited(shop, method)
    response = shop.post("/sign_in", guest.to_call(), {AUTH_MODE: method})

    assert {"data": {"basket": ["tea"]}, "is_guest": False} == response.json()
    assert NEW[method] == change(response)
    assert 200 == shop.get("/me", Held.of(response, method).to_call()).status_code
    assert 1 == len(shop.users())


@METHODS
def test_a_poller_of_the_guests_page(method: str, shop: Deployment) -> None:
    """What the page of the guest still sends while he signs in leaves his client the new tokens."""
    guest = visited(shop, method)
    shop.post("/sign_in", guest.to_call(), {AUTH_MODE: method})

    late = shop.get("/me", guest.to_call())
    assert (401, TRY_REFRESH_TOKEN, KEPT) == (late.status_code, late.json(), change(late))
    refresh = shop.refresh(guest)
    assert (503, "1", KEPT) == (refresh.status_code, refresh.headers["retry-after"], change(refresh))


@METHODS
def test_planted_tokens(method: str, shop: Deployment) -> None:
    """Who planted his own guest's tokens on somebody who signs in with them is left with tokens of nobody."""
    planted = visited(shop, method)
    signed_in = Held.of(shop.post("/sign_in", planted.to_call(), {AUTH_MODE: method}), method)
    shop.clock.advance(PAST_GRACE)

    assert [401, 401] == [shop.get("/me", planted.to_call()).status_code, shop.refresh(planted).status_code]
    assert 200 == shop.get("/me", signed_in.to_call()).status_code


@METHODS
def test_a_change_that_comes_too_late(method: str, shop: Deployment) -> None:
    """A basket that is changed after the sign-in is not changed in vain: the client is told to come again."""

    async def add(session: Annotated[Session, Depends(verify_session())]) -> None:
        await shop.sessions.create("ada", upgrading=session.handle)  # in another request, at this very moment
        await session.change_session_data(lambda data: {"basket": [*data["basket"], "milk"]})

    shop.app.post("/add")(add)
    response = shop.post("/add", visited(shop, method).to_call())

    assert (401, TRY_REFRESH_TOKEN, KEPT) == (response.status_code, response.json(), change(response))


def test_nothing_of_another_user_is_merged(shop: Deployment) -> None:
    """A session of somebody who had signed in ends, and its data end with it; so it is without a session."""
    eve = shop.login(user_id="eve")
    for held in (eve.to_call(), {}):
        assert {} == shop.post("/sign_in", held, {AUTH_MODE: "cookie"}).json()["data"]
    assert [] == shop.users("eve")


def test_data_with_a_model(shop: Deployment) -> None:
    """What the model has by default does not cover what the guest has, and the result has to fit."""
    guest = visited(shop, "cookie")

    assert {"basket": ["tea"], "device": "unknown"} == shop.post("/sign_in_typed", guest.to_call()).json()
    assert 500 == shop.post("/sign_in_typed").status_code  # a basket is needed, and nobody gave one


@METHODS
def test_a_merge_that_returns_nothing(method: str, shop: Deployment) -> None:
    """A function that changes its copies and returns nothing is a mistake, and the guest keeps his basket and his tokens."""

    def in_place(guest: dict[str, Any], new: dict[str, Any]) -> Any:
        new.update(guest)

    async def sign_in_wrongly(create: Create, session: Maybe) -> None:
        await create("ada", upgrading=session, merge=in_place)

    shop.app.post("/sign_in_wrongly")(sign_in_wrongly)
    guest = visited(shop, method)
    response = shop.post("/sign_in_wrongly", guest.to_call())

    assert (500, KEPT) == (response.status_code, change(response))
    assert {"basket": ["tea"]} == shop.post("/sign_in", guest.to_call(), {AUTH_MODE: method}).json()["data"]


def test_a_guest_over_http(shop: Deployment) -> None:
    """A guest has a session like any other, and is one until he signs in."""
    response = shop.post("/visit", {AUTH_MODE: "cookie"})
    guest = Held.of(response, "cookie")

    assert response.json()["user_id"].startswith("guest_")
    assert response.json()["is_guest"]
    assert 200 == shop.get("/me", guest.to_call()).status_code
