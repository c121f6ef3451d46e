"""The scene of the theft lab in which every cookie is stolen: worth nothing where the browser can bind the session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from example_app.app import create_app, demo_config
from example_app.certificate import Certificate
from tests.browser.binding.bound_app import REGISTERED
from tests.browser.server import Server, serve
from tests.browser.test_example_app import press, sign_in, wait_for_status
from tests.browser.waiting import until


@pytest.fixture
def server(certificate: Certificate) -> Iterator[Server]:
    """The example app, served as `python -m example_app --https` does."""
    with serve(lambda origin: create_app(demo_config(origin)), certificate=certificate) as server:
        yield server


def test_every_cookie_is_worth_nothing(page: Page, server: Server) -> None:
    """A thief from elsewhere is refused, however often, and alice goes on."""
    sign_in(page, server)
    until(lambda: REGISTERED in server.answers)
    for _ in range(2):
        press(page, "Try it from elsewhere")
        expect(page.locator("#elsewhere")).to_contain_text("The thief has every cookie and not the key")
    page.get_by_text("What happened", exact=True).click()
    expect(page.locator("#history")).to_contain_text("Bound to a key of the browser")

    press(page, "Ask the database")
    wait_for_status(page, "The vault is open, alice")


def test_a_browser_that_has_no_keys(other_browser: Browser, server: Server) -> None:
    """The scene says that the session is not bound, and why."""
    with other_browser.new_context() as context:
        page = sign_in(context.new_page(), server)
        page.set_viewport_size({"width": 390, "height": 844})
        press(page, "Try it from elsewhere")

        expect(page.locator("#elsewhere")).to_contain_text("This session is not bound")
        expect(page.locator("#elsewhere")).to_contain_text("This browser has made no key.")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
