"""Who gets in to the pages of sqladmin and starlette-admin."""

from __future__ import annotations

import logging
from secrets import token_urlsafe
from types import ModuleType

import pytest
from fastapi.testclient import TestClient

from tests.recipes.running import device
from tests.wire import ACCESS_COOKIE, SIGN_OUT_PATH

pytest.importorskip("sqladmin")
pytest.importorskip("starlette_admin")

PATHS = ["/admin/", "/admin/note/list", "/backoffice/", "/backoffice/note/list"]


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKOFFICE_SECRET", token_urlsafe(48))


def statuses(client: TestClient) -> list[int]:
    return [client.get(path, follow_redirects=False).status_code for path in PATHS]


def test_only_admins_get_in(page: ModuleType, client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody and a user without the role are refused, and none of that is an error; an admin is let in until the end."""
    caplog.clear()
    assert [401, 401, 401, 401] == statuses(client)
    client.post("/login", params={"user_id": "bob"})
    assert [403, 403, 403, 403] == statuses(client)
    with device(page) as ada:
        ada.post("/login", params={"user_id": "ada"})
        assert [200, 200, 200, 200] == statuses(ada)
        token = ada.cookies[ACCESS_COOKIE]
        ada.post(SIGN_OUT_PATH)
        ada.cookies[ACCESS_COOKIE] = token
        assert [401, 401, 401, 401] == statuses(ada)
    assert [] == [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


def test_an_admin_writes(client: TestClient) -> None:
    """A form of sqladmin is sent and shows its effect; from a user without the role it has none."""
    client.post("/login", params={"user_id": "ada"})
    sent = client.post("/admin/note/create", data={"text": "buy milk", "save": "Save"})
    assert (200, True) == (sent.status_code, "buy milk" in sent.text)
    client.post("/login", params={"user_id": "bob"})
    assert 403 == client.post("/admin/note/create", data={"text": "buy bread", "save": "Save"}).status_code
