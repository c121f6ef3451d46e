"""Pages of another origin than the API: a browser holds their refreshes for a renewal only if the API has named them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import HTMLResponse
from playwright.sync_api import BrowserContext, Page
from starlette.types import ASGIApp

from example_app.certificate import Certificate
from fastapi_session import CreateSession, SessionConfig, create_session, get_all_cors_headers, install, session_router
from tests.browser.binding.bound_app import REFRESHED, REGISTERED, RENEWED
from tests.browser.server import Server, serve
from tests.browser.waiting import until
from tests.engines import SECRET
from tests.wire import AUTH_MODE, BINDING_COOKIE, REFRESH_PATH

CALL = """([url, mode]) => fetch(url, { method: 'POST', credentials: 'include', headers: { [mode]: 'cookie', rid: 'x' } })
    .then((response) => response.status)"""


def api(origin: str, website: str, **options: Any) -> ASGIApp:
    """An API at *origin* whose pages are at *website*."""
    app = FastAPI()
    config = SessionConfig(
        api_domain=origin, website_domain=website, store="memory:", secret=SECRET, device_binding="optional", **options
    )
    install(app, config)
    app.include_router(session_router())
    app.add_middleware(
        CORSMiddleware,
        allow_origins=[website],
        allow_credentials=True,
        allow_methods=["*"],
        allow_headers=get_all_cors_headers(),
    )

    @app.post("/login")
    async def login(create: Annotated[CreateSession, Depends(create_session())]) -> None:
        await create("ada")

    return app


def pages(_: str) -> ASGIApp:
    app = FastAPI()
    app.get("/", response_class=HTMLResponse)(lambda: "<title>Pages</title>")
    return app


@pytest.fixture
def website(certificate: Certificate) -> Iterator[Server]:
    with serve(pages, certificate=certificate) as website:
        yield website


def ask(page: Page, server: Server, path: str) -> int:
    status: int = page.evaluate(CALL, [f"{server.origin}{path}", AUTH_MODE])
    return status


def about_sessions(server: Server) -> list[str]:
    return [line for line in server.answers if "/session/" in line and not line.startswith("OPTIONS")]


def test_its_refreshes_are_renewed_for(context: BrowserContext, website: Server, certificate: Certificate) -> None:
    """A page of the website, at another port, signs in and refreshes, and the browser proves its key for that."""

    def has_credential() -> bool:
        page.wait_for_timeout(10)  # in which the browser is heard
        return BINDING_COOKIE in {cookie["name"] for cookie in context.cookies()}

    with serve(lambda origin: api(origin, website.origin), certificate=certificate) as server:
        page = context.new_page()
        page.goto(website.origin)
        assert 200 == ask(page, server, "/login")
        until(has_credential)
        context.clear_cookies(name=BINDING_COOKIE)

        assert 200 == ask(page, server, REFRESH_PATH)
        assert [REGISTERED, RENEWED, REFRESHED] == about_sessions(server)


def test_cookies_that_no_browser_guards(context: BrowserContext, website: Server, certificate: Certificate) -> None:
    """With partitioned cookies nothing is offered, so that no session is bound whose browser will not hear of it."""
    options = {"cookie_same_site": "none", "cookie_partitioned": True, "anti_csrf": "VIA_CUSTOM_HEADER"}
    with serve(lambda origin: api(origin, website.origin, **options), certificate=certificate) as server:
        page = context.new_page()
        page.goto(website.origin)

        assert [200, 200] == [ask(page, server, path) for path in ("/login", REFRESH_PATH)]
        page.wait_for_timeout(300)
        assert [REFRESHED] == about_sessions(server)
