"""Sudo mode: a password that was typed just now, and for how long it counts."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

import pytest
from fastapi.testclient import TestClient

from fastapi_session.testing import HandClock, fresh_sessions
from tests.moments import MINUTE
from tests.recipes.running import device
from tests.wire import REFRESH_PATH

ADA = {"name": "ada", "password": "lovelace"}


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def client(page: ModuleType, clock: HandClock) -> Iterator[TestClient]:
    """A browser at the recipe's application, whose time stands still."""
    with fresh_sessions(page.app, clock=clock), device(page) as client:
        yield client


def test_the_password_is_asked_again(page: ModuleType, client: TestClient, clock: HandClock) -> None:
    """After five minutes the sign-in does not do any more, nor a refresh or a wrong password; the right one does, in this session alone."""
    other = device(page)
    for each in (client, other):
        each.post("/login", json=ADA)
    clock.advance(4 * MINUTE)
    assert "farewell, ada" == client.post("/delete-account").json()

    clock.advance(2 * MINUTE)
    assert 200 == client.post(REFRESH_PATH).status_code
    refusal = client.post("/delete-account")
    assert (403, ["st-fresh"]) == (
        refusal.status_code,
        [each["id"] for each in refusal.json()["claimValidationErrors"]],
    )
    assert 403 == client.post("/sudo", json={"password": "guess"}).status_code
    assert 403 == client.post("/delete-account").status_code

    assert 200 == client.post("/sudo", json={"password": "lovelace"}).status_code
    assert "farewell, ada" == client.post("/delete-account").json()
    assert 403 == other.post("/delete-account").status_code


def test_it_ends_by_itself(client: TestClient, clock: HandClock) -> None:
    """After five minutes the proof is none any more, and the session goes on."""
    client.post("/login", json=ADA)
    clock.advance(MINUTE)
    assert 200 == client.post("/sudo", json={"password": "lovelace"}).status_code
    for minutes, status in ((5, 200), (1, 403)):
        clock.advance(minutes * MINUTE)
        assert 200 == client.post(REFRESH_PATH).status_code
        assert status == client.post("/delete-account").status_code
