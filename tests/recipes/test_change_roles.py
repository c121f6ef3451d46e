"""A role that changed is known to every session of its user."""

from __future__ import annotations

from types import ModuleType

from fastapi.testclient import TestClient

from tests.recipes.running import device
from tests.wire import REFRESH_PATH


def test_every_device_knows(page: ModuleType, client: TestClient) -> None:
    """Given and taken away, the role counts with the next request on both devices of the user, and on nobody else's."""
    bobs = [device(page), device(page)]
    for each in bobs:
        each.post("/login?user_id=bob")
    client.post("/login?user_id=ada")
    assert [403, 403] == [each.get("/admin").status_code for each in bobs]

    assert 2 == client.put("/users/bob/roles", json=["admin"]).json()
    assert [401, 401] == [each.get("/admin").status_code for each in bobs]
    assert [200, 200] == [each.post(REFRESH_PATH).status_code for each in bobs]
    assert ["welcome", "welcome"] == [each.get("/admin").json() for each in bobs]

    assert 2 == client.put("/users/bob/roles", json=[]).json()
    for each in bobs:
        each.post(REFRESH_PATH)
    assert [403, 403, 200] == [each.get("/admin").status_code for each in (*bobs, client)]


def test_only_an_administrator_may(client: TestClient) -> None:
    """Who is no administrator makes nobody one."""
    client.post("/login?user_id=bob")

    assert 403 == client.put("/users/bob/roles", json=["admin"]).status_code
    assert 403 == client.get("/admin").status_code
