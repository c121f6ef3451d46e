"""The evening of the change: the npm client is signed in at an application of before, and the server becomes ours under it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread
from time import time

import httpx
import pytest
from playwright.sync_api import BrowserContext
from starlette.types import ASGIApp

from fastapi_session import SessionConfig, Sessions
from fastapi_session.core.anti_csrf import AntiCsrfMode
from fastapi_session.events import SessionEvent, TokenTheftDetected
from fastapi_session.moving import SuperTokens
from fastapi_session.testing import HandClock
from tests.browser.client_app import api_app, page_app
from tests.browser.server import Server, serve
from tests.browser.setup import CLIENT, Missing, npm_package
from tests.browser.test_supertokens_website import Client, Method
from tests.supertokens_core.golden import Golden, golden
from tests.supertokens_core.old_backend import add_old_backend
from tests.supertokens_core.tables import filled
from tests.wire import REFRESH_PATH


@dataclass(frozen=True)
class Evening:
    """A deployment of before with its database, and what follows it at the same origin."""

    data: Golden
    database: str
    folder: Path
    anti_csrf: AntiCsrfMode
    clock: HandClock
    events: list[SessionEvent] = field(default_factory=list)

    def before(self, origin: str) -> ASGIApp:
        app = page_app()
        add_old_backend(app, self.data, origin=origin)
        return app

    def after(self, origin: str) -> ASGIApp:
        config = SessionConfig(
            api_domain=origin, store=f"sqlite:///{self.folder / 'sessions.db'}", anti_csrf=self.anti_csrf
        )
        source = SuperTokens(self.database)
        return api_app(
            config, sessions=Sessions(config, moving_from=source, subscribers=[self.take_down], clock=self.clock)
        )

    async def take_down(self, event: SessionEvent) -> None:
        self.events.append(event)


@contextmanager
def filled_meanwhile(url: str, data: Golden) -> Iterator[None]:
    """The golden rows in the database at *url*, put there from another thread: in this one Playwright has a loop running."""
    ready, done = Event(), Event()

    async def hold() -> None:
        async with filled(url, data.tables):
            ready.set()
            await asyncio.to_thread(done.wait)

    thread = Thread(target=lambda: asyncio.run(hold()))
    thread.start()
    try:
        while not ready.wait(0.1):
            assert thread.is_alive()
        yield
    finally:
        done.set()
        thread.join()


@pytest.fixture(autouse=True)
def package() -> None:
    """Skip what needs the npm client where it could not be had."""
    try:
        npm_package(CLIENT)
    except Missing as missing:
        pytest.skip(str(missing))


@dataclass(frozen=True)
class Way:
    """How tokens travel, what protects them, as which golden client somebody logged in, and how many tabs are open."""

    method: Method
    anti_csrf: AntiCsrfMode
    golden_client: str
    tabs: int


WAYS = {
    "cookie": Way("cookie", "VIA_CUSTOM_HEADER", "state=child not promoted&client=child", 10),
    "header": Way("header", "NONE", "state=child not promoted&client=child", 10),
    "anti-CSRF token": Way("cookie", "VIA_TOKEN", "state=with an anti-CSRF token&client=right", 2),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_nobody_is_signed_out(context: BrowserContext, postgres_url: str, tmp_path: Path, way: Way) -> None:
    """All tabs go on with their old access token, then with a refresh, and then as if they had always been ours.

    Mostly it is one refresh for all tabs. A tab that gets the client's lock may read the browser's storage as it was before,
    because Chromium tells other tabs later: then it refreshes too.
    """
    data = golden().at(int(time() * 1000))
    evening = Evening(data, postgres_url, tmp_path, way.anti_csrf, HandClock(data.moment))
    with filled_meanwhile(postgres_url, data):
        with serve(evening.before) as old:
            first = Client(context.new_page(), old, way.method).start(old.origin)
            assert 200 == first.call("POST", f"/login?{way.golden_client}")[0]
            pages = [first.page, *(context.new_page() for _ in range(way.tabs - 1))]
            tabs = [first, *(Client(page, old, way.method).start(old.origin) for page in pages[1:])]
            stolen = first.refresh_token
            assert (200, {"user_id": "alice"}) == first.call("GET", "/me")
        with serve(evening.after, port=old.port) as new:
            assert 0 == refreshes_of(tabs, new, "POST", "/plan")
            evening.clock.advance(timedelta(hours=2))
            taken_over = refreshes_of(tabs, new, "GET", "/me")
            assert 1 <= taken_over <= way.tabs
            assert [True, False] == [
                "." in token for token in (stolen, first.refresh_token)
            ]  # Those of ours have none.
            evening.clock.advance(timedelta(hours=2))
            assert 1 <= refreshes_of(tabs, new, "GET", "/me") - taken_over <= way.tabs

            assert [True] * way.tabs == [tab.ask("doesSessionExist") for tab in tabs]
            assert [] == [event for tab in tabs for event in tab.events if event == "UNAUTHORISED"]
            assert [] == [event for event in evening.events if isinstance(event, TokenTheftDetected)]
            signing_out_stays(first, stolen)


def refreshes_of(tabs: list[Client], server: Server, method: str, path: str) -> int:
    """Have all *tabs* call at once, which all succeed, and return how many refreshes the *server* has had until now."""
    for tab in tabs:
        tab.page.evaluate("([method, path]) => { window.answer = call(method, path); }", [method, path])
    assert [200] * len(tabs) == [tab.page.evaluate("window.answer")["status"] for tab in tabs]
    return server.refreshes


def signing_out_stays(client: Client, before: str) -> None:
    """After signing out, the refresh token from *before* the change is worth nothing, although its row is still there."""
    client.ask("signOut")
    assert not client.ask("doesSessionExist")
    assert 401 == client.call("GET", "/me")[0]
    answer = httpx.post(
        client.server.origin + REFRESH_PATH, headers={"cookie": f"sRefreshToken={before}", "rid": "session"}
    )
    assert 401 == answer.status_code
