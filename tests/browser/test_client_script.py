"""The client that the application serves to its pages, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Error, Page

from fastapi_session import SessionConfig
from tests.browser.script_app import ScriptApp, page_app
from tests.browser.server import Server, serve
from tests.browser.waiting import until
from tests.moments import HOUR
from tests.wire import ACCESS_COOKIE, REFRESH_COOKIE, SIGN_OUT_PATH

TABS, CALLS, HOURS = 5, 10, 3
NO_LOCKS = "delete Navigator.prototype.locks"
CLOCK = "const now = Date.now; globalThis.hours = 0; Date.now = () => now() + ({minutes} + 60 * hours) * 60_000"
SLOW = """const { timeout } = AbortSignal, own = globalThis.fetch;
AbortSignal.timeout = () => timeout.call(AbortSignal, 20);
globalThis.fetch = async (request) => {
  if (`${request.url}`.endsWith("/session/refresh")) await new Promise((done) => setTimeout(done, 200));
  return own(request);
};"""
SHOWN = "dispatchEvent(new Event('visibilitychange'))"


ME = [200, "ada"]
NO_SESSION = [401, {"message": "unauthorised"}]
Api = tuple[ScriptApp, Server]


@contextmanager
def serve_api(folder: Path, **settings: Any) -> Iterator[Api]:
    apps: list[ScriptApp] = []

    def build(origin: str) -> Any:
        given = {"api_domain": origin, "website_domain": origin, "access_token_validity": HOUR, **settings}
        apps.append(ScriptApp(SessionConfig(store=f"sqlite:///{folder / 'sessions.db'}", **given)))
        return apps[0].app

    with serve(build) as server:
        yield apps[0], server


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with serve_api(tmp_path) as api:
        yield api


@pytest.fixture(params=["cookie", "header"])
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def visit(page: Page, server: Server, *, mode: str = "cookie", **options: str) -> Page:
    query = "&".join(f"{name}={value}" for name, value in {"mode": mode, **options}.items())
    page.goto(f"{server.origin}/?{query}")
    page.wait_for_function("globalThis.call !== undefined")
    return page


def call(page: Page, method: str, path: str) -> Any:
    return page.evaluate("([method, path]) => call(method, path)", [method, path])


def sign_in(page: Page) -> Page:
    assert ME == call(page, "POST", "/login")
    return page


@pytest.mark.parametrize("script", ["", NO_LOCKS], ids=["locks", "no locks"])
def test_five_tabs_refresh_once(context: BrowserContext, api: Api, mode: str, script: str) -> None:
    """Of fifty calls of five tabs all succeed, after one refresh of each tab at most; a lock saves some, mostly all but one.

    So it goes hour after hour: to refresh together is no sign of theft. A tab that gets the lock may read localStorage as it
    was before, because Chromium tells other tabs later.
    """
    app, server = api
    context.add_init_script(script)
    tabs = [visit(context.new_page(), server, mode=mode) for _ in range(TABS)]
    sign_in(tabs[0])
    for hour in range(1, HOURS + 1):
        app.clock.advance(HOUR)
        for tab in tabs:
            tab.evaluate(f"void (globalThis.answers = many({CALLS}, '/me'))")

        assert [[ME] * CALLS] * TABS == [tab.evaluate("answers") for tab in tabs]
        assert ["ada"] * TABS == [tab.evaluate("session.userId") for tab in tabs]
        assert [[]] * TABS == [tab.evaluate("ends") for tab in tabs]
        assert hour <= server.refreshes <= hour * TABS
    assert script or server.refreshes < HOURS * TABS


def test_a_refresh_that_takes_long(context: BrowserContext, api: Api, mode: str) -> None:
    """Calls of a tab that are refused together share one refresh, even if it takes longer than they wait for the lock."""
    app, server = api
    context.add_init_script(SLOW)
    page = sign_in(visit(context.new_page(), server, mode=mode))
    app.clock.advance(HOUR)

    assert [ME] * CALLS == page.evaluate(f"many({CALLS}, '/me')")
    assert 1 == server.refreshes


@pytest.mark.parametrize("minutes", [10, -10])
def test_a_clock_that_is_wrong(context: BrowserContext, api: Api, minutes: int) -> None:
    """A machine whose clock is ten minutes off refreshes when it has to, and a page that becomes visible only then."""
    app, server = api
    context.add_init_script(CLOCK.format(minutes=minutes))
    page = sign_in(visit(context.new_page(), server))
    page.evaluate(SHOWN)
    assert ME == call(page, "GET", "/me")
    assert 0 == server.refreshes
    app.clock.advance(HOUR)
    page.evaluate("hours = 1")
    page.evaluate(SHOWN)
    until(lambda: server.refreshes)

    assert [ME] * 3 == [call(page, "GET", "/me") for _ in range(3)]
    assert 1 == server.refreshes


def test_who_is_offline_stays_signed_in(context: BrowserContext, api: Api, mode: str) -> None:
    """Without a network calls fail as those of `fetch` do, and the session goes on when it is back."""
    app, server = api
    page = sign_in(visit(context.new_page(), server, mode=mode))
    app.clock.advance(HOUR)
    context.set_offline(True)
    for asked in ("call('GET', '/me')", "session.refresh()", "session.signOut()"):
        with pytest.raises(Error, match="Failed to fetch"):
            page.evaluate(asked)
    assert "ada" == page.evaluate("session.userId")
    context.set_offline(False)

    assert ME == call(page, "GET", "/me")
    assert [] == page.evaluate("ends")


def test_a_foreign_refusal_is_left_alone(page: Page, api: Api) -> None:
    """A 401 of another origin is none of ours, and neither is one of the application's own: nothing is refreshed."""
    server = api[1]
    with serve(lambda _: page_app(""), host="127.0.0.1") as foreign:
        sign_in(visit(page, server))
        for path in (f"{foreign.origin}/refused", "/wrong"):
            assert 401 == call(page, "GET", path)[0]

    assert 0 == server.refreshes
    assert "ada" == page.evaluate("session.userId")


def test_who_leads_to_another_origin(page: Page, api: Api, mode: str) -> None:
    """What another origin answers, to which a call of ours was redirected, says nothing of the session."""
    server = api[1]
    foreign = server.origin.replace("localhost", "127.0.0.1")
    sign_in(visit(page, server, mode=mode))

    assert [200, "eve"] == call(page, "GET", f"/led?to={foreign}/eve")
    assert [401, {"message": "try refresh token"}] == call(page, "GET", f"/led?to={foreign}/stale")
    assert ("ada", 0) == (page.evaluate("session.userId"), server.refreshes)
    assert ME == call(page, "GET", "/me")


def test_signing_out_is_told_to_other_tabs(context: BrowserContext, api: Api, mode: str) -> None:
    """A sign-out is known in every tab, even with an access token that has ended, and nothing is left behind."""
    app, server = api
    tabs = [visit(context.new_page(), server, mode=mode) for _ in range(2)]
    sign_in(tabs[0])
    until(lambda: "ada" == tabs[1].evaluate("session.userId"))
    app.clock.advance(HOUR)
    assert tabs[1].evaluate("session.signOut().then((response) => response.ok)")

    for tab in tabs:
        tab.wait_for_function("ends.length === 1")
        assert [None, 0] == tab.evaluate("[session.userId, localStorage.length]")
        assert NO_SESSION == call(tab, "GET", "/me")
    assert [] == context.cookies()


def test_a_session_that_was_ended_elsewhere(page: Page, api: Api) -> None:
    """When the session was revoked, the refresh tells so, once, and the page is told."""
    app, server = api
    sign_in(visit(page, server))
    app.clock.advance(HOUR)
    page.evaluate("fetch('/end-all', { method: 'POST' })")

    assert NO_SESSION == call(page, "GET", "/me")
    assert [None, [1]] == page.evaluate("[session.userId, ends]")
    assert NO_SESSION == call(page, "GET", "/me")
    assert 1 == len([line for line in server.answers if "/session/refresh" in line])


@pytest.mark.parametrize(
    ("gone", "answer", "user_id"), [(ACCESS_COOKIE, ME, "ada"), (REFRESH_COOKIE, ME, "ada"), ("", NO_SESSION, None)]
)
def test_cookies_that_the_browser_lost(page: Page, api: Api, gone: str, answer: Any, user_id: str | None) -> None:
    """A browser that dropped the access cookie alone refreshes; one that dropped both knows that nobody is signed in."""
    sign_in(visit(page, api[1]))
    page.context.clear_cookies(**({"name": gone} if gone else {}))

    assert answer == call(page, "GET", "/me")
    assert user_id == page.evaluate("session.userId")


def test_a_store_that_is_down(page: Page, api: Api) -> None:
    """What is refused by 503 is tried again when the server says so, if it may be: a POST is left to the page."""
    app, server = api
    sign_in(visit(page, server))
    app.down = 1
    assert [200, "done"] == call(page, "GET", "/busy")
    app.down = 1
    assert 503 == call(page, "POST", "/busy")[0]
    app.clock.advance(HOUR)
    app.sessions.outages = 2
    assert ME == call(page, "GET", "/me")
    app.clock.advance(HOUR)
    app.sessions.outages = 3
    assert 503 == call(page, "GET", "/me")[0]

    assert ["ada", []] == page.evaluate("[session.userId, ends]")
    assert ME == call(page, "GET", "/me")


def test_step_up(page: Page, api: Api) -> None:
    """Calls that a claim refuses ask the user once, and are made again."""
    sign_in(visit(page, api[1]))

    assert [ME] * 5 == page.evaluate("many(5, '/vault')")
    assert [["sudo"]] == [[each["id"] for each in errors] for errors in page.evaluate("asked")]


@pytest.mark.parametrize("anti_csrf", ["VIA_TOKEN", "VIA_CUSTOM_HEADER"])
def test_a_page_of_another_origin(page: Page, tmp_path: Path, anti_csrf: str, mode: str) -> None:
    """A page whose API is elsewhere signs in, changes something, refreshes and signs out, by anti-CSRF token too."""
    with (
        serve(lambda _: page_app("")) as pages,
        serve_api(tmp_path, website_domain=pages.origin, anti_csrf=anti_csrf) as (_, api),
    ):
        pages.app = page_app(api.origin)
        sign_in(visit(page, pages, mode=mode))
        assert [200, True] == call(page, "POST", "/sudo")
        assert page.evaluate("session.refresh()")
        assert ME == call(page, "GET", "/vault")
        assert [200, {"status": "OK"}] == call(page, "POST", SIGN_OUT_PATH)
        assert [None, [1]] == page.evaluate("[session.userId, ends]")


def test_nothing_of_the_page_is_changed(page: Page, api: Api) -> None:
    """The client puts no name into the page and wraps none; it tells who is signed in, whatever letters that takes."""
    sign_in(visit(page, api[1]))

    assert page.evaluate("untouched")
    assert ["ada", "größer"] == page.evaluate("[session.userId, session.claims.plan]")


def test_a_page_that_was_led_here(page: Page, api: Api) -> None:
    """A page that does not know yet who signed in, as after a form, learns it by a refresh."""
    visit(page, api[1])
    page.evaluate("fetch('/login', { method: 'POST' })")
    assert page.evaluate("session.userId") is None
    assert page.evaluate("session.refresh()")

    assert "ada" == page.evaluate("session.userId")
