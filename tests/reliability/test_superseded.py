"""A sign-in over a session, or its elevation, while requests and refreshes of the old one are on their way: in a browser, by the npm client."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page
from starlette.types import ASGIApp, Receive, Scope, Send

from fastapi_session import SessionConfig
from tests.browser.client_app import api_app
from tests.browser.conftest import browser, context, executable, page  # noqa: F401  a fixture of the others
from tests.browser.server import serve
from tests.browser.test_supertokens_website import Client, Method, method, package
from tests.conftest import Amount, Figures
from tests.wire import REFRESH_PATH

__all__ = ["browser", "context", "method", "package", "page"]

AT_ONCE = 3
"""How many have to be on their way. A browser opens six connections to a server, and keeps some for requests without cookies."""

ROUND = """async ([header, refresh, first]) => {
  const login = call("POST", first);
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
"""Ten calls by the client, three refreshes behind its back, as of another tab, and the sign-in or the elevation."""

ANY_ORDER = """async () => {
  const soon = (run) => new Promise((done) => setTimeout(done, Math.random() * 150)).then(run);
  const status = (each) => each.then(({ status }) => status);
  const calls = Array.from({ length: 10 }, () => soon(() => status(call("GET", "/me"))));
  const refreshes = Array.from({ length: 3 }, () => Session.attemptRefreshingSession().catch((error) => error.status));
  const elevation = soon(() => status(call("POST", "/sudo")));
  return { elevation: await elevation, calls: await Promise.all(calls), refreshes: await Promise.all(refreshes) };
}"""
"""The same by the client alone, in whatever order they come to be sent and answered."""


FIRST = ("/login", "/sudo")
"""What supersedes the session."""


class Late:
    """Lets the sign-in or the elevation of a round be answered first, and those that came with it afterwards, each at a moment of its own."""

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
        if scope["type"] == "http" and not signed_in.is_set() and scope["path"] in (*FIRST, "/me", REFRESH_PATH):
            if scope["path"] in FIRST:
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


@pytest.mark.parametrize("first", FIRST)
def test_requests_in_flight(
    first: str, client: Client, late: list[Late], amount: Amount, figures: Figures, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody is signed out by what is late, every call succeeds in the end, and there is no alarm."""
    answers: list[Any] = []
    with caplog.at_level(logging.WARNING, "fastapi_session"):
        for _ in range(amount(4, full=200)):
            late[0].begin()
            answers.append(client.page.evaluate(ROUND, [client.method == "header", REFRESH_PATH, first]))
            payload = client.ask("getAccessTokenPayloadSecurely")
            assert answers[-1]["login"]["json"]["handle"] == payload["sessionHandle"]
            assert 200 == client.call("GET", "/me")[0]

    assert {200} == {status for answer in answers for status in answer["calls"]}
    assert {503} == {status for answer in answers for status in answer["refreshes"]}
    assert "UNAUTHORISED" not in client.events
    assert [] == [record.message for record in caplog.records]
    figures(rounds=len(answers), calls=10 * len(answers), lost=0, sent_again=client.server.answers.count("GET /me 401"))


def test_an_elevation_in_any_order(
    client: Client, amount: Amount, figures: Figures, caplog: pytest.LogCaptureFixture
) -> None:
    """Whether calls and refreshes come before the elevation or after it, the client has the elevated session in the end."""
    rounds, refreshed = amount(3, full=200), Counter[object]()
    with caplog.at_level(logging.WARNING, "fastapi_session"):
        for _ in range(rounds):
            answers = client.page.evaluate(ANY_ORDER)
            assert ([200] * 10, 200) == (answers["calls"], answers["elevation"])
            refreshed.update(answers["refreshes"])
            assert (200, ["otp", "pwd"]) == client.call("GET", "/vault")

    assert {True, 503} >= refreshed.keys()  # one that comes too late with the tokens of before is told to come again
    assert "UNAUTHORISED" not in client.events
    assert [] == [record.message for record in caplog.records]
    figures(rounds=rounds, calls=10 * rounds, lost=0, refreshes_told_to_come_again=refreshed[503])
