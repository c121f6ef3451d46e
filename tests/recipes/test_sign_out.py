"""Signing out on this device, everywhere, and everywhere else."""

from __future__ import annotations

from types import ModuleType

import pytest
from fastapi.testclient import TestClient

from tests.recipes.running import device
from tests.wire import ACCESS_COOKIE, SIGN_OUT_PATH


@pytest.mark.parametrize(
    ("path", "left"),
    [
        (SIGN_OUT_PATH, [401, 200, 200]),
        ("/sign-out-everywhere", [401, 401, 401]),
        ("/sign-out-elsewhere", [200, 401, 401]),
    ],
)
def test_who_is_left(path: str, left: list[int], page: ModuleType, client: TestClient) -> None:
    """Each way ends the sessions it says, and whoever signed out here has no token any more."""
    devices = [client, device(page), device(page)]
    for each in devices:
        each.post("/login")

    assert 200 == client.post(path).status_code
    assert left == [each.get("/me").status_code for each in devices]
    assert (left[0] == 401) == (ACCESS_COOKIE not in client.cookies)
