"""A page of one sub-domain calls the API of another, as a browser does."""

from __future__ import annotations

import logging
from types import ModuleType

import pytest
from fastapi.testclient import TestClient

from fastapi_session import get_all_cors_headers
from tests.wire import REFRESH_PATH, SIGN_OUT_PATH


@pytest.fixture
def client(page: ModuleType) -> TestClient:
    """A browser with the page open; the jar of cookies keeps to hosts, paths and https."""
    return TestClient(page.app, base_url=page.API, headers={"origin": page.PAGE, "sec-fetch-mode": "cors"})


def test_the_page_signs_in(page: ModuleType, client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    """Its calls are allowed, their cookies are the API's own, refreshed and taken away; the log warns of nothing."""
    with caplog.at_level(logging.WARNING, "fastapi_session"), client:
        responses = [
            client.post("/login"),
            client.get("/me"),
            client.post(REFRESH_PATH),
            client.get("/me"),
            client.post(SIGN_OUT_PATH),
        ]
        script = client.get("/auth/client.js")

        assert 401 == client.get("/me").status_code
    assert [200] * 5 == [response.status_code for response in responses]
    allowed = {"access-control-allow-origin": page.PAGE, "access-control-allow-credentials": "true"}
    for response in (*responses, script):
        assert allowed == {name: response.headers[name] for name in allowed}
    for cookie in responses[0].headers.get_list("set-cookie"):
        assert "Secure" in cookie
        assert "Domain" not in cookie
    assert [] == caplog.messages


def test_the_browser_asks_first(page: ModuleType, client: TestClient) -> None:
    """The page may send every header that the sessions know, and another page of the site nothing."""
    names = ", ".join(["content-type", *get_all_cors_headers()])
    asked = {"access-control-request-method": "POST", "access-control-request-headers": names}

    assert 200 == client.options("/login", headers=asked).status_code
    blog = client.options("/login", headers={**asked, "origin": "https://blog.example.com"})
    assert (400, False) == (blog.status_code, "access-control-allow-origin" in blog.headers)
