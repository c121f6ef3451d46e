"""Two applications of one host in one browser, with the npm client in the pages of both."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page
from starlette.types import ASGIApp

from fastapi_session import SessionConfig
from tests.browser.client_app import api_app
from tests.browser.server import Server, serve
from tests.browser.setup import CLIENT, Missing, npm_package
from tests.wire import ACCESS_COOKIE, REFRESH_COOKIE


@pytest.fixture(autouse=True)
def package() -> None:
    """Skip what needs the npm client if it could not be had."""
    try:
        npm_package(CLIENT)
    except Missing as missing:
        pytest.skip(str(missing))


def open_page(context: BrowserContext, server: Server, prefix: str) -> Page:
    """A page of *server* whose client puts *prefix* before the cookies that it writes itself, with somebody signed in."""
    page = context.new_page()
    page.goto(f"{server.origin}/client")
    page.evaluate("([api, prefix]) => start(api, 'cookie', { prefix })", [server.origin, prefix])
    assert 200 == call(page, "POST", "/login")
    return page


def call(page: Page, method: str, path: str) -> int:
    status: int = page.evaluate("([method, path]) => call(method, path)", [method, path])["status"]
    return status


@pytest.mark.parametrize(("prefix", "is_known"), [("shop-", True), ("", False)])
def test_both_keep_their_sessions(context: BrowserContext, tmp_path: Path, prefix: str, is_known: bool) -> None:
    """Each application keeps its cookies, Secure ones on plain localhost too; what the npm client knows is shared without help."""

    def build(name: str, origin: str, cookie_prefix: str) -> ASGIApp:
        store = f"sqlite:///{tmp_path / name}.db"
        return api_app(SessionConfig(api_domain=origin, store=store, cookie_prefix=cookie_prefix))

    with (
        serve(lambda origin: build("shop", origin, "__Host-shop-")) as shop,
        serve(lambda origin: build("forum", origin, "")) as forum,
    ):
        pages = [open_page(context, shop, prefix), open_page(context, forum, "")]
        assert [200, 200] == [call(page, "GET", "/me") for page in pages]
        assert [True, True] == [page.evaluate("Session.attemptRefreshingSession()") for page in pages]
        assert [1, 1] == [server.refreshes for server in (shop, forum)]
        assert {
            ("__Host-shop-sAccessToken", True),
            ("__Secure-shop-sRefreshToken", True),
            (ACCESS_COOKIE, False),
            (REFRESH_COOKIE, False),
        } == {(cookie["name"], cookie["secure"]) for cookie in context.cookies() if cookie["httpOnly"]}
        pages[0].evaluate("Session.signOut()")

        assert {ACCESS_COOKIE, REFRESH_COOKIE} == {each["name"] for each in context.cookies() if each["httpOnly"]}
        assert 401 == call(pages[0], "GET", "/me")
        assert (200, is_known) == (call(pages[1], "GET", "/me"), pages[1].evaluate("Session.doesSessionExist()"))
