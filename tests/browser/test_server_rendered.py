"""The application of the page on server-rendered pages, word for word, in a browser: nobody notices that a token has ended."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from fastapi import FastAPI
from playwright.sync_api import Dialog, Page, Route, expect

import fastapi_session
from fastapi_session import SessionConfig, Sessions, install
from fastapi_session.testing import HandClock
from tests.browser.server import Server, serve
from tests.browser.setup import HTMX, Missing, npm_package
from tests.pages import examples_of, run_examples
from tests.wire import ACCESS_COOKIE, REFRESH_COOKIE

REFRESHES = re.compile(r"(GET|POST) /auth/session/refresh/page 30[37]")


@dataclass
class Notes:
    """The application of the page, its clock, and a browser that is signed in."""

    server: Server
    clock: HandClock
    page: Page

    def wait(self) -> None:
        """Let the access token end, and what is remembered of the refresh that brought it."""
        self.clock.advance(timedelta(hours=1))
        self.page.context.clear_cookies(name="sRefreshed")
        self.server.answers.clear()

    @property
    def refreshes(self) -> int:
        return len([line for line in self.server.answers if REFRESHES.fullmatch(line)])

    def sign_in(self, path: str = "/") -> None:
        self.page.goto(f"{self.server.origin}{path}")
        self.page.get_by_label("Name").fill("ada")
        self.page.get_by_label("Password").fill("lovelace")
        self.page.get_by_role("button", name="Sign in").click()
        expect(self.page.locator("body")).to_contain_text("Signed in as ada.")


def build(clock: HandClock, monkeypatch: pytest.MonkeyPatch, origin: str) -> FastAPI:
    """Run the application of the page at *origin*, with a clock that is driven by hand."""

    def with_clock(app: FastAPI, config: SessionConfig) -> Sessions:
        return install(app, Sessions(config, clock=clock))

    for name, value in (("API_DOMAIN", origin), ("STORE", "memory:"), ("SECRET", secrets.token_urlsafe(48))):
        monkeypatch.setenv(f"FASTAPI_SESSION_{name}", value)
    monkeypatch.setattr(fastapi_session, "install", with_clock)
    app: FastAPI = run_examples("docs/server-rendered.md").app
    return app


@pytest.fixture
def notes(page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Notes]:
    try:
        script = npm_package(HTMX) / "dist" / "htmx.min.js"
    except Missing as missing:
        pytest.skip(str(missing))
    clock = HandClock()

    def answer(route: Route) -> None:
        route.fulfill(path=script)

    page.context.route("https://cdn.jsdelivr.net/npm/htmx.org@4.0.1/dist/htmx.min.js", answer)
    with serve(partial(build, clock, monkeypatch)) as server:
        yield Notes(server, clock, page)


def tells_of_sign_out(dialog: Dialog) -> bool:
    """Close *dialog*, by which the page's script says what became of a call of HTMX."""
    dialog.dismiss()
    return dialog.message.startswith("You are signed out.")


def test_pages_and_forms(notes: Notes) -> None:
    """A page is shown, a form is saved and a part is swapped in, each by one refresh that nobody sees; ten tabs at once too."""
    page, origin = notes.page, notes.server.origin
    notes.sign_in("/?q=a%26b")
    assert f"{origin}/?q=a%26b" == page.url

    notes.wait()
    page.goto(f"{origin}/?q=")
    expect(page.locator("body")).to_contain_text("Signed in as ada.")
    assert (f"{origin}/?q=", 1) == (page.url, notes.refreshes)

    notes.wait()
    page.get_by_label("New note").fill("the first")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("li")).to_have_text(["the first"])
    assert (f"{origin}/", 1) == (page.url, notes.refreshes)

    notes.wait()
    page.get_by_label("New note").fill("the second")
    page.get_by_role("button", name="Save and stay").click()
    expect(page.locator("#count")).to_have_text("2")
    assert 1 == notes.refreshes

    notes.wait()
    with page.context.expect_event("page", lambda _: len(page.context.pages) == 11):
        page.evaluate("() => { for (let tab = 0; tab < 10; tab += 1) window.open('/', '_blank'); }")
    for tab in page.context.pages[1:]:
        expect(tab.locator("li")).to_have_text(["the first", "the second"])
        tab.close()
    page.reload()
    expect(page.locator("li")).to_have_text(["the first", "the second"])


def test_signing_out(notes: Notes) -> None:
    """The form signs out though its token has ended; the back button shows nothing; what is typed elsewhere is kept."""
    page, origin = notes.page, notes.server.origin
    notes.sign_in()
    other = page.context.new_page()
    other.goto(origin)
    other.get_by_label("New note").fill("half a note")
    other.evaluate(examples_of("docs/server-rendered.md", "js")[0])

    notes.wait()
    page.get_by_role("button", name="Sign out").click()
    expect(page.locator("body")).to_contain_text("Goodbye.")
    assert [] == [cookie for cookie in page.context.cookies() if cookie["name"] in {ACCESS_COOKIE, REFRESH_COOKIE}]
    page.go_back()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    assert f"{origin}/login?next=/" == page.url

    with other.expect_event("dialog", tells_of_sign_out):
        other.get_by_role("button", name="Save and stay").click()
    expect(other.get_by_label("New note")).to_have_value("half a note")
    expect(other.locator("#count")).to_have_text("0")
    notes.sign_in()
    other.get_by_role("button", name="Save and stay").click()
    expect(other.locator("#count")).to_have_text("1")

    notes.page.get_by_role("button", name="Sign out").click()
    expect(page.locator("body")).to_contain_text("Goodbye.")
    other.get_by_role("button", name="Count again").click()
    expect(other.get_by_role("button", name="Sign in")).to_be_visible()
    assert f"{origin}/login?next=/" == other.url
