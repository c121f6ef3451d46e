"""Roles from a table: asked by a route, and fetched again when they are too old."""

from __future__ import annotations

from types import ModuleType

from fastapi.testclient import TestClient

from tests.wire import REFRESH_PATH


async def give(page: ModuleType, user_id: str, role: str) -> None:
    async with page.Database.begin() as database:
        database.add(page.UserRole(user_id=user_id, role=role))


def test_the_role_is_asked(page: ModuleType, client: TestClient) -> None:
    """Who has the role in the table is let in; who has not is refused, and stays signed in."""
    assert client.portal is not None
    client.portal.call(give, page, "ada", "admin")
    client.post("/login?user_id=bob")
    assert [403, []] == [client.get("/admin").status_code, client.get("/roles").json()]
    client.post("/login?user_id=ada")
    assert ["welcome", ["admin"]] == [client.get("/admin").json(), client.get("/roles").json()]


def test_a_change_counts_when_the_value_is_too_old(page: ModuleType, client: TestClient) -> None:
    """A role that was given meanwhile is found once the value in the token is older than allowed."""
    assert client.portal is not None
    client.post("/login?user_id=bob")
    client.portal.call(give, page, "bob", "admin")
    [session] = client.portal.call(page.sessions.of_user, "bob")
    old = {"roles": {**session.access_token_payload["roles"], "t": 0}}
    assert 403 == client.get("/admin").status_code

    client.portal.call(page.sessions.merge_into_access_token_payload, session.handle, old)
    client.post(REFRESH_PATH)
    assert "welcome" == client.get("/admin").json()
    assert ["admin"] == client.get("/roles").json()
