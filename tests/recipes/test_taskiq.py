"""A worker of taskiq works for the session that asked, over a real queue."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

import pytest
from fastapi.testclient import TestClient
from taskiq.api import run_receiver_task

from tests.browser.waiting import until
from tests.wire import SIGN_OUT_PATH


@pytest.fixture(autouse=True)
def queue(valkey_store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUEUE_URL", valkey_store_url)


@pytest.fixture
def worker(page: ModuleType, client: TestClient) -> Iterator[None]:
    """A worker on the event loop of the application."""
    assert client.portal is not None
    task = client.portal.start_task_soon(lambda: run_receiver_task(page.broker))
    client.portal.call(page.open_sessions, page.broker.state)
    try:
        yield
    finally:
        task.cancel()
        client.portal.call(page.close_sessions, page.broker.state)


@pytest.mark.usefixtures("worker")
def test_who_is_signed_in_gets_the_report(page: ModuleType, client: TestClient) -> None:
    """The report is written for a session that lives; for one that has ended there is none."""
    assert client.portal is not None
    client.post("/login")
    [session] = client.portal.call(page.sessions.of_user, "ada")
    assert 202 == client.post("/report").status_code
    until(lambda: page.REPORTS)
    assert ["a report for ada"] == page.REPORTS

    client.post(SIGN_OUT_PATH)
    assert 401 == client.post("/report").status_code
    client.portal.call(page.write_report.kiq, session.handle)
    client.post("/login")
    client.post("/report")
    until(lambda: page.REPORTS[1:])
    assert ["a report for ada"] * 2 == page.REPORTS
