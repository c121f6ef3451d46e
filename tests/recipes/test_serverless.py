"""Events of AWS, as its gateway sends them to a function, handled by the page's handler."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from http.cookies import SimpleCookie
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.browser.waiting import until
from tests.pages import run_examples
from tests.wire import ACCESS_COOKIE, AUTH_MODE, REFRESH_COOKIE, REFRESH_PATH, SIGN_OUT_PATH

PAGE = "docs/recipes/serverless.md"
EVENT = {
    "version": "2.0",
    "routeKey": "$default",
    "rawQueryString": "",
    "isBase64Encoded": False,
}


class Context:
    """What AWS tells a function of its invocation. Mangum only hands it on."""


class Function:
    """One function, which is called with one event after the other; its client has a jar of cookies."""

    def __init__(self, page: ModuleType) -> None:
        self.handler = page.handler
        self.cookies: dict[str, str] = {}

    def call(self, method: str, path: str) -> int:
        """Handle the event of one request, version 2.0 of the format. Return the status."""
        event: dict[str, Any] = {
            **EVENT,
            "rawPath": path,
            "headers": {"host": "example.com", AUTH_MODE: "cookie", "x-forwarded-proto": "https"},
            "cookies": [f"{name}={value}" for name, value in self.cookies.items()],
            "requestContext": {
                "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.9"},
                "stage": "$default",
            },
        }
        response = self.handler(event, Context())
        for written in response.get("cookies", ()):
            for name, morsel in SimpleCookie(written).items():
                self.cookies[name] = morsel.value
        return int(response["statusCode"])


@pytest.fixture(autouse=True)
def loop() -> Iterator[None]:
    """The event loop of the process, which runs while an event is handled and stands still between two of them."""
    own = asyncio.new_event_loop()
    asyncio.set_event_loop(own)
    yield
    asyncio.set_event_loop(None)
    own.close()


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What all functions share; the settings of the page name a database that is not here."""
    monkeypatch.setenv("FASTAPI_SESSION_STORE", f"sqlite:///{tmp_path}/shared.db")


def test_functions_share_their_sessions(store: None) -> None:
    """A session of one function is known to another, goes on when it is refreshed, and what one ends, both refuse."""
    first, second = (Function(run_examples(PAGE)) for _ in range(2))
    assert [401, 200] == [first.call("GET", "/me"), first.call("POST", "/login")]
    second.cookies = first.cookies
    assert [200, 200] == [each.call("GET", "/me") for each in (first, second)]
    assert [200, 200] == [second.call("POST", REFRESH_PATH), first.call("GET", "/me")]
    old = dict(first.cookies)
    assert 200 == second.call("POST", SIGN_OUT_PATH)
    assert {ACCESS_COOKIE: "", REFRESH_COOKIE: ""} == second.cookies
    first.cookies = old
    until(lambda: first.call("GET", "/me") == 401)
