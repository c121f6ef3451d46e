"""A user and their first session are written in one transaction of PostgreSQL."""

from __future__ import annotations

from types import ModuleType

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import event, func, select
from sqlalchemy.orm import Session

from tests.recipes.running import device


@pytest.fixture(autouse=True)
def database(postgresql_store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", postgresql_store_url)


@pytest.fixture(autouse=True)
def no_users(client: TestClient, page: ModuleType) -> None:
    """Empty the table of users, which other runs may have left on the server."""

    async def clear() -> None:
        async with page.engine.begin() as connection:
            await connection.execute(page.User.__table__.delete())

    assert client.portal is not None
    client.portal.call(clear)


async def written(page: ModuleType) -> list[int]:
    """How many users there are, and how many sessions of ada."""
    async with page.engine.connect() as connection:
        users = await connection.scalar(select(func.count()).select_from(page.User))
    return [users, len(await page.sessions.of_user("ada"))]


def test_both_are_there(page: ModuleType, client: TestClient) -> None:
    """Signing up signs in; the name is taken from then on, and whoever tries it has no session."""
    assert client.portal is not None
    assert 201 == client.post("/sign-up", json={"name": "ada", "password": "lovelace"}).status_code
    assert "ada" == client.get("/me").json()

    other = device(page)
    other.portal = client.portal
    assert 409 == other.post("/sign-up", json={"name": "ada", "password": "byron"}).status_code
    assert [] == [*other.cookies]
    assert [1, 1] == client.portal.call(written, page)


def test_or_neither(page: ModuleType, client: TestClient) -> None:
    """If the commit fails, after the session was written, there is no user, no session and no token."""

    def fail(_session: Session) -> None:
        raise ZeroDivisionError

    assert client.portal is not None
    event.listen(Session, "before_commit", fail)
    try:
        with pytest.raises(ZeroDivisionError):
            client.post("/sign-up", json={"name": "ada", "password": "lovelace"})
    finally:
        event.remove(Session, "before_commit", fail)
    assert [] == [*client.cookies]
    assert [0, 0] == client.portal.call(written, page)
