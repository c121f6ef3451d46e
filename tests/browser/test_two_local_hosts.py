"""A page and its API on two names of this machine: what the configuration says of it is what a browser does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import HTMLResponse
from playwright.sync_api import Page
from starlette.applications import Starlette
from starlette.routing import Route

from fastapi_session import get_all_cors_headers
from fastapi_session.clock import system_clock
from tests.browser.server import Server, serve
from tests.browser.setup import Missing, chromium
from tests.engines import engine
from tests.web.deployment import application
from tests.wire import REFRESH_PATH

CALL = """async ([method, url]) => {
  const response = await fetch(url, { method, credentials: "include", headers: { rid: "session" } });
  return [response.status, await response.json()];
}"""


@pytest.fixture(scope="module")
def executable() -> Path:
    """The browser as people have it: what costs less keeps the cookies of every site."""
    try:
        return chromium()
    except Missing as missing:
        pytest.skip(str(missing))


@pytest.fixture
def website() -> Iterator[Server]:
    async def page(_request: object) -> HTMLResponse:
        return HTMLResponse("<title>A page</title>")

    with serve(lambda _: Starlette(routes=[Route("/", page)])) as server:
        yield server


@pytest.mark.parametrize(
    ("host", "is_partitioned", "is_known"),
    [
        ("localhost", False, True),
        ("127.0.0.1", False, False),
        ("api.localhost", False, False),
        ("127.0.0.1", True, True),
        ("api.localhost", True, True),
    ],
)
def test_cookies_between_local_hosts(
    host: str, is_partitioned: bool, is_known: bool, website: Server, page: Page
) -> None:
    """A page of localhost is known to the API on localhost, and to another only by partitioned cookies, in Chromium."""

    def api(origin: str) -> FastAPI:
        app = application(
            engine(system_clock, api_domain=origin, website_domain=website.origin, cookie_partitioned=is_partitioned)
        )
        app.add_middleware(
            CORSMiddleware,
            allow_origins=[website.origin],
            allow_methods=["*"],
            allow_headers=get_all_cors_headers(),
            allow_credentials=True,
        )
        return app

    with serve(api, host=host) as server:
        page.goto(website.origin)
        calls = [("POST", "/login?user_id=ada"), ("GET", "/me"), ("POST", REFRESH_PATH), ("GET", "/me")]
        told = [page.evaluate(CALL, [method, f"{server.origin}{path}"])[0] for method, path in calls]

    assert ([200, 200, 200, 200] if is_known else [200, 401, 401, 401]) == told
