"""The page of the recipe signs in and out in a browser, by its own script."""

from __future__ import annotations

from types import ModuleType

from playwright.sync_api import Browser, expect

from tests.browser.conftest import browser, executable  # noqa: F401  fixtures
from tests.browser.server import serve
from tests.wire import ACCESS_COOKIE


def test_the_page(page: ModuleType, browser: Browser) -> None:  # noqa: F811  it is asked for by its name
    """Its buttons sign in and out, in this tab and in the other, and no script can read a token."""
    with serve(lambda _: page.app) as server, browser.new_context() as context:
        tab, other = context.new_page(), context.new_page()
        for each in (tab, other):
            each.goto(server.origin)
        tab.click("#login")
        expect(tab.locator("output")).to_have_text("ada")
        assert {True} == {each.get("httpOnly") for each in context.cookies() if "Token" in each.get("name", "")}
        assert ACCESS_COOKIE not in tab.evaluate("document.cookie")

        tab.click("#logout")
        for each in (tab, other):
            expect(each.locator("output")).to_have_text("signed out")
    assert "POST /auth/signout 200" in server.answers
