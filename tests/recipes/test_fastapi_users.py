"""fastapi-users signs in and out by these sessions."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest
from fastapi.testclient import TestClient
from fastapi_users.schemas import BaseUserCreate

from tests.recipes import users
from tests.recipes.running import device
from tests.wire import REFRESH_PATH

ADA = {"username": "ada@example.com", "password": "lovelace"}


@pytest.fixture(autouse=True)
def users_of_the_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "users", users)


@pytest.fixture
def ada(client: TestClient) -> Any:
    """A user who is registered."""
    assert client.portal is not None
    client.portal.call(users.connect)
    new = BaseUserCreate(email=ADA["username"], password=ADA["password"])
    return client.portal.call(users.UserManager(users.UserDatabase(), users.QUICK).create, new)


@pytest.mark.usefixtures("ada")
def test_signing_in_and_out(page: ModuleType, client: TestClient) -> None:
    """The routes of fastapi-users begin and end a session of ours, and refreshing goes on as ever."""
    assert 401 == client.get("/me").status_code
    assert 400 == client.post("/auth/login", data=ADA | {"password": "guess"}).status_code
    assert 204 == client.post("/auth/login", data=ADA).status_code
    assert "ada@example.com" == client.get("/me").json()
    assert 200 == client.post(REFRESH_PATH).status_code
    stolen = dict(client.cookies)
    assert 204 == client.post("/auth/logout").status_code
    assert {} == dict(client.cookies)
    client.cookies.update(stolen)
    assert {"message": "unauthorised"} == client.get("/me").json()


def test_signing_out_everywhere(page: ModuleType, client: TestClient, ada: Any) -> None:
    """All sessions of a user end by the id that fastapi-users knows."""
    other = device(page)
    for each in (client, other):
        each.post("/auth/login", data=ADA)
    assert 2 == client.post("/sign-out-everywhere").json()
    assert [401, 401] == [each.get("/me").status_code for each in (client, other)]
    assert client.portal is not None
    assert [] == client.portal.call(page.sessions.of_user, str(ada.id))


def test_an_old_session_does_not_stand_in_the_way(page: ModuleType, client: TestClient, ada: Any) -> None:
    """Who comes to sign in with the cookies of a session that has ended is let in, and an inactive user is not."""
    client.post("/auth/login", data=ADA)
    assert client.portal is not None
    client.portal.call(page.sessions.revoke_all, str(ada.id))
    assert 204 == client.post("/auth/login", data=ADA).status_code
    assert 200 == client.get("/me").status_code

    client.portal.call(users.UserDatabase().update, ada, {"is_active": False})
    assert {"detail": "Unauthorized"} == client.get("/me").json()
    assert 400 == client.post("/auth/login", data=ADA).status_code
