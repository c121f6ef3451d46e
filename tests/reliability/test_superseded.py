"""A sign-in over a session, while requests and refreshes of the old one are on their way: in a real browser, by the npm client."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page
from starlette.types import ASGIApp, Receive, Scope, Send

from fastapi_session import SessionConfig
from tests.browser.client_app import api_app
from tests.browser.conftest import browser, context, page
from tests.browser.server import serve
from tests.browser.test_supertokens_website import Client, Method, method, package
from tests.wire import REFRESH_PATH

__all__ = ["browser", "context", "method", "package", "page"]

AT_ONCE = 3
"""How many have to be on their way. A browser opens six connections to a server, and keeps some for requests without cookies."""

ROUND = """async ([header, refresh]) => {
  const login = call("POST", "/login");
  await new Promise((resume) => setTimeout(resume, 30));  // so that it has a connection, which the others leave it
  const late = Array.from({ length: 10 }, () => call("GET", "/me"));
  const stored = header && document.cookie.match(/st-refresh-token=([^;]+)/)[1];
  const headers = { rid: "anti-csrf", "st-auth-mode": header ? "header" : "cookie" };
  if (header) headers.authorization = `Bearer ${decodeURIComponent(stored)}`;
  const refreshes = Array.from({ length: 3 }, () =>
    __supertokensOriginalFetch(api + refresh, { method: "POST", headers }).then((answer) => answer.status));
  const calls = await Promise.all(late);
  return { login: await login, calls: calls.map((each) => each.status), refreshes: await Promise.all(refreshes) };
}"""
"""Ten calls by the client, three refreshes behind its back, as of another tab, and the sign-in."""


class Late:
    """Lets the sign-in of a round be answered first, and those that came with it afterwards, each at a moment of its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._arrived = 0
        self._signed_in = asyncio.Event()
        self._signed_in.set()
        self._enough = asyncio.Event()

    def begin(self) -> None:
        """Begin a round."""
        self._arrived = 0
        self._signed_in, self._enough = asyncio.Event(), asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        signed_in = self._signed_in
        if scope["type"] == "http" and not signed_in.is_set() and scope["path"] in ("/login", "/me", REFRESH_PATH):
            if scope["path"] == "/login":
                await self._enough.wait()
                await self._app(scope, receive, send)
                signed_in.set()
                return
            self._arrived += 1
            if self._arrived == AT_ONCE:
                self._enough.set()
            await signed_in.wait()
            await asyncio.sleep(random.random() / 50)
        await self._app(scope, receive, send)


@pytest.fixture
def late() -> list[Late]:
    return []


@pytest.fixture
def client(page: Page, method: Method, late: list[Late], tmp_path: Path) -> Iterator[Client]:
    """The client, signed in, on a page of the API's own origin."""

    def build(origin: str) -> ASGIApp:
        late.append(Late(api_app(SessionConfig(api_domain=origin, store=f"sqlite:///{tmp_path / 'sessions.db'}"))))
        return late[0]

    with serve(build) as server:
        client = Client(page, server, method).start(server.origin)
        client.sign_in()
        yield client


def test_a_sign_in_with_requests_in_flight(
    client: Client, late: list[Late], amount: Callable[..., int], caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody is signed out by what is late, every call succeeds in the end, and there is no alarm."""
    answers: list[Any] = []
    with caplog.at_level(logging.WARNING, "fastapi_session"):
        for _ in range(amount(5, full=200)):
            late[0].begin()
            answers.append(client.page.evaluate(ROUND, [client.method == "header", REFRESH_PATH]))
            payload = client.ask("getAccessTokenPayloadSecurely")
            assert answers[-1]["login"]["json"]["handle"] == payload["sessionHandle"]
            assert 200 == client.call("GET", "/me")[0]

    assert {200} == {status for answer in answers for status in answer["calls"]}
    assert {503} == {status for answer in answers for status in answer["refreshes"]}
    assert "UNAUTHORISED" not in client.events
    assert [] == [record.message for record in caplog.records]
