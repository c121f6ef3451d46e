"""A password change ends the other sessions of its user."""

from __future__ import annotations

from types import ModuleType

from fastapi.testclient import TestClient

from tests.recipes.running import device


def test_others_are_signed_out(page: ModuleType, client: TestClient) -> None:
    """The device that changed the password goes on, the others are out, and the old password opens nothing."""
    old = {"name": "ada", "password": "lovelace"}
    others = [device(page) for _ in range(2)]
    for each in (client, *others):
        assert 200 == each.post("/login", json=old).status_code

    assert 2 == client.post("/password", json={"old": "lovelace", "new": "byron"}).json()
    assert [200, 401, 401] == [each.get("/me").status_code for each in (client, *others)]
    assert 403 == others[0].post("/login", json=old).status_code


def test_who_does_not_know_it_changes_nothing(page: ModuleType, client: TestClient) -> None:
    """A wrong old password is refused, and everybody stays signed in."""
    other = device(page)
    for each in (client, other):
        each.post("/login", json={"name": "ada", "password": "lovelace"})

    assert 403 == client.post("/password", json={"old": "guess", "new": "byron"}).status_code
    assert [200, 200] == [each.get("/me").status_code for each in (client, other)]
