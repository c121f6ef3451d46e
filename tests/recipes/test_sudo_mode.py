"""Sudo mode: a password that was typed just now, and for how long it counts."""

from __future__ import annotations

from types import ModuleType

from fastapi.testclient import TestClient

from fastapi_session import system_clock
from tests.recipes.running import device
from tests.wire import REFRESH_PATH

ADA = {"name": "ada", "password": "lovelace"}


def test_the_password_is_asked_again(page: ModuleType, client: TestClient) -> None:
    """A sign-in does not do, a wrong password neither; the right one does, in this session alone."""
    other = device(page)
    for each in (client, other):
        each.post("/login", json=ADA)
    refusal = client.post("/delete-account")
    assert (403, ["sudo"]) == (refusal.status_code, [each["id"] for each in refusal.json()["claimValidationErrors"]])
    assert 403 == client.post("/sudo", json={"password": "guess"}).status_code
    assert 403 == client.post("/delete-account").status_code

    assert 200 == client.post("/sudo", json={"password": "lovelace"}).status_code
    assert "farewell, ada" == client.post("/delete-account").json()
    assert 403 == other.post("/delete-account").status_code


def test_it_ends_by_itself(page: ModuleType, client: TestClient) -> None:
    """After five minutes the proof is none any more, and the session goes on."""
    client.post("/login", json=ADA)
    client.post("/sudo", json={"password": "lovelace"})
    answers = []
    for minutes in (4, 6):
        let_the_proof_be(page, client, minutes=minutes)
        assert 200 == client.post(REFRESH_PATH).status_code
        answers.append(client.post("/delete-account").status_code)
    assert [200, 403] == answers
    assert 200 == client.post("/sudo", json={"password": "lovelace"}).status_code
    assert 200 == client.post("/delete-account").status_code


def let_the_proof_be(page: ModuleType, client: TestClient, *, minutes: int) -> None:
    """Write the time at which the password was typed, in milliseconds, so many *minutes* back."""
    assert client.portal is not None
    [session] = client.portal.call(page.sessions.of_user, "ada")
    proof = {"sudo": {"v": True, "t": system_clock() - minutes * 60_000}}
    client.portal.call(page.sessions.merge_into_access_token_payload, session.handle, proof)
