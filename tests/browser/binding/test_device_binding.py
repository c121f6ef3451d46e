"""Sessions that are bound to a key of the browser, in a real one: the page and its client know nothing of it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, expect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from example_app.certificate import Certificate
from tests.browser.binding.bound_app import (
    CHALLENGED,
    REFRESHED,
    REGISTERED,
    RENEWED,
    BoundApp,
    Profile,
    profile_of,
    serve_bound,
)
from tests.browser.conftest import started
from tests.browser.waiting import until
from tests.moments import DAY, HOUR, MINUTE
from tests.wire import (
    ACCESS_COOKIE,
    BINDING_COOKIE,
    DEVICE_PATH,
    DEVICE_REFRESH_PATH,
    DEVICE_RENEWAL_PATH,
    REFRESH_PATH,
)

ME = [200, "ada"]
NO_SESSION = [401, {"message": "unauthorised"}]
REFUSED = f"POST {REFRESH_PATH} 401"


@pytest.fixture
def owner(context: BrowserContext, bound_app: BoundApp) -> Profile:
    """A browser that is signed in, and whose session is bound."""
    owner = profile_of(context, bound_app)
    owner.sign_in()
    bound_app.forget()
    return owner


@pytest.fixture
def thief(owner: Profile, browser: Browser, bound_app: BoundApp) -> Iterator[Profile]:
    """Another profile, which has every cookie of the owner's, and so believes to be signed in."""
    with browser.new_context() as context:
        thief = profile_of(context, bound_app)
        thief.steal_from(owner)
        yield thief


def test_a_session_is_bound(context: BrowserContext, bound_app: BoundApp) -> None:
    """The browser makes a key as soon as someone signs in, and gets the credential, which no script sees and only refreshes bring."""
    owner = profile_of(context, bound_app)
    owner.sign_in()

    assert ["registered"] == owner.told
    assert [REGISTERED] == bound_app.answers
    credential = next(cookie for cookie in context.cookies() if cookie["name"] == BINDING_COOKIE)
    assert (REFRESH_PATH, True, True, "Lax") == tuple(
        credential[name] for name in ("path", "httpOnly", "secure", "sameSite")
    )
    assert [200, True] == owner.ask("GET", "/bound")
    assert ["SessionCreated", "DeviceBound"] == bound_app.events


def test_a_credential_that_has_ended_is_renewed(owner: Profile, bound_app: BoundApp) -> None:
    """A refresh waits until the browser has proved its key; the page notices nothing, and one proof is enough for five minutes.

    The browser has the challenge since the last time. One that it keeps from yesterday is too old, and it gets another.
    """
    for _ in range(3):
        owner.expire()
        assert ME == owner.ask("GET", "/me")
        assert 200 == owner.refresh()
    assert [RENEWED, REFRESHED, REFRESHED] * 3 == bound_app.answers
    bound_app.forget()
    bound_app.app.clock.advance(DAY)
    owner.expire()
    assert ME == owner.ask("GET", "/me")

    assert [CHALLENGED, RENEWED, REFRESHED] == bound_app.answers
    assert ["registered", *["renewed"] * 4] == owner.told
    assert [] == owner.page.evaluate("ends")


def test_three_tabs_prove_once(owner: Profile, bound_app: BoundApp) -> None:
    """Of three tabs that refresh at once each succeeds, after one proof for all of them."""
    tabs = [owner.page, owner.visit(), owner.visit()]
    owner.expire()
    bound_app.forget()
    for tab in tabs:
        tab.evaluate(
            f"void (globalThis.answer = fetch('{REFRESH_PATH}', {{ method: 'POST' }}).then(({{ status }}) => status))"
        )

    assert [200] * 3 == [tab.evaluate("answer") for tab in tabs]
    assert [RENEWED, *[REFRESHED] * 3] == bound_app.answers
    assert ME == owner.ask("GET", "/me")


def test_the_browser_ends_and_starts_again(
    browser: Browser, executable: Path, flags: tuple[str, ...], bound_app: BoundApp, tmp_path: Path
) -> None:
    """A browser that starts again still has its key; it has forgotten the challenge, and asks for one."""
    start = partial(started, browser, profile=tmp_path / "profile", executable=executable, flags=flags)
    with start() as context:
        profile_of(context, bound_app).sign_in()
    with start() as context:
        owner = profile_of(context, bound_app)
        owner.expire()
        bound_app.forget()

        assert ME == owner.ask("GET", "/me")
        assert [CHALLENGED, RENEWED, REFRESHED] == bound_app.answers
        assert ["renewed"] == owner.told


def test_signing_out(owner: Profile, bound_app: BoundApp) -> None:
    """No cookie is left after signing out; the browser drops its key when it next wants to prove it."""
    assert owner.page.evaluate("session.signOut().then((response) => response.ok)")
    assert [] == owner.context.cookies()
    assert 401 == owner.refresh()

    owner.wait_until(lambda: "ended: ServerRequested" in owner.told)
    assert [] == owner.context.cookies()
    assert 401 == owner.refresh()
    assert [RENEWED, REFUSED, REFUSED] == bound_app.answers


def test_a_second_sign_in_over_a_first(owner: Profile, bound_app: BoundApp) -> None:
    """The newer session is bound to a key of its own. If the browser proves the older key, it is dropped; nobody is signed out by that.

    The browser goes through its keys in an order of its own, and stops when it has the cookie.
    """
    ended = ["not renewed: FatalError", "ended: ServerRequested"]
    for sign_ins in range(2, 6):
        owner.sign_in()
        for _ in range(2):
            del owner.told[:]
            owner.expire()
            assert ME == owner.ask("GET", "/me")
            assert (REFRESHED, "renewed") == (bound_app.answers[-1], owner.told.pop())
            assert owner.told == ended * (len(owner.told) // 2)
        assert sign_ins == bound_app.events.count("DeviceBound")


def test_a_step_up(owner: Profile, bound_app: BoundApp) -> None:
    """The session that takes the place of a bound one is bound anew, by the offer that comes with its tokens."""
    assert ME == owner.ask("POST", "/elevate")
    owner.wait_until(lambda: 2 == owner.told.count("registered"))
    assert [200, True] == owner.ask("GET", "/bound")
    owner.expire()

    assert ME == owner.ask("GET", "/me")
    assert 2 == bound_app.events.count("DeviceBound")


def test_cookies_that_the_user_has_cleared(owner: Profile) -> None:
    """Who clears the cookies is signed out, and signs in as before; the keys of sessions that go on elsewhere are in nobody's way."""
    for _ in range(4):
        owner.context.clear_cookies()
        assert 401 == owner.refresh()
        owner.sign_in()
        for _ in range(2):
            owner.expire()
            assert ME == owner.ask("GET", "/me")
        assert [200, True] == owner.ask("GET", "/bound")


def test_who_is_offline_stays_signed_in(owner: Profile, bound_app: BoundApp) -> None:
    """Without a network no key is proved, and the browser keeps it."""
    owner.expire()
    owner.context.set_offline(True)
    with pytest.raises(Error, match="Failed to fetch"):
        owner.ask("GET", "/me")
    owner.context.set_offline(False)

    assert ME == owner.ask("GET", "/me")
    assert [RENEWED, REFRESHED] == bound_app.answers
    assert [] == owner.page.evaluate("ends")


@pytest.mark.parametrize("prefix", ["__Secure-", "__Host-"])
def test_a_prefix_of_cookies(prefix: str, context: BrowserContext, certificate: Certificate) -> None:
    """The credential has the prefix of the refresh token's cookie, and the browser renews it all the same."""
    with serve_bound(certificate, cookie_prefix=prefix) as bound_app:
        owner = profile_of(context, bound_app)
        owner.sign_in()
        bound_app.app.clock.advance(HOUR)
        owner.drop(next(cookie["name"] for cookie in context.cookies() if cookie["name"].endswith(BINDING_COOKIE)))

        assert ME == owner.ask("GET", "/me")
        assert ["registered", "renewed"] == owner.told


def test_a_session_that_was_ended_elsewhere(owner: Profile, bound_app: BoundApp) -> None:
    """The browser drops the key of a session that was revoked, and the page is told that it has ended."""
    owner.page.evaluate("fetch('/end-all', { method: 'POST' })")
    owner.expire()

    assert NO_SESSION == owner.ask("GET", "/me")
    assert [1] == owner.page.evaluate("ends")
    owner.wait_until(lambda: "ended: ServerRequested" in owner.told)
    assert [] == owner.context.cookies()
    assert [200, "ada"] == owner.ask("POST", "/login")
    owner.wait_until(lambda: 2 == owner.told.count("registered"))


def test_a_store_that_is_down(owner: Profile, bound_app: BoundApp) -> None:
    """While the store is down nobody is signed out, and the browser keeps its key; afterwards all goes on."""
    owner.expire()
    bound_app.store.down = True
    assert 503 == owner.ask("GET", "/me")[0]
    assert {f"POST {DEVICE_RENEWAL_PATH} 503", f"POST {REFRESH_PATH} 503"} == set(bound_app.answers)
    assert ["ada", []] == owner.page.evaluate("[session.userId, ends]")
    bound_app.store.down = False

    assert ME == owner.ask("GET", "/me")
    assert [RENEWED, REFRESHED] == bound_app.answers[-2:]


def test_a_renewal_that_fails(owner: Profile, bound_app: BoundApp) -> None:
    """A browser that could not prove its key says so, and its refresh is to come again: the page is not signed out."""
    app = bound_app.server.app

    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        is_renewal = scope["type"] == "http" and scope["path"] == DEVICE_RENEWAL_PATH
        await (Response(status_code=502) if is_renewal else app)(scope, receive, send)

    owner.expire()
    bound_app.server.app = failing
    assert 503 == owner.ask("GET", "/me")[0]
    assert ["ada", []] == owner.page.evaluate("[session.userId, ends]")
    bound_app.server.app = app

    assert ME == owner.ask("GET", "/me")
    assert [RENEWED, REFRESHED] == bound_app.answers[-2:]


def test_a_store_that_is_down_at_the_sign_in(context: BrowserContext, bound_app: BoundApp) -> None:
    """A registration that finds the store down is not tried again: the session goes on unbound until the next sign-in."""
    owner = profile_of(context, bound_app)
    bound_app.store.cannot_bind = True
    assert ME == owner.ask("POST", "/login")
    owner.wait_until(lambda: owner.told)
    bound_app.store.cannot_bind = False

    assert (["not registered: TransientHttpError"], [f"POST {DEVICE_PATH} 503"]) == (owner.told, bound_app.answers)
    owner.expire()
    assert ME == owner.ask("GET", "/me")
    owner.sign_in()
    assert [200, True] == owner.ask("GET", "/bound")


def test_a_thief_with_every_cookie(owner: Profile, thief: Profile, bound_app: BoundApp) -> None:
    """Another profile with every cookie gets nothing once the credential has ended, however often it asks; the owner goes on."""
    for _ in range(2):
        owner.expire()
        assert [401, 401] == [thief.refresh() for _ in range(2)]
        assert ME == owner.ask("GET", "/me")
        owner.expire()
        thief.steal_from(owner)
        assert 401 == thief.refresh()
        assert 401 == thief.ask("GET", "/me")[0]
        assert ME == owner.ask("GET", "/me")

    assert [] == owner.page.evaluate("ends")
    assert {"SessionCreated", "DeviceBound", "DeviceMismatch", "SessionRefreshed"} == set(bound_app.events)


def test_a_thief_who_comes_while_the_credential_lives(owner: Profile, thief: Profile, bound_app: BoundApp) -> None:
    """Within five minutes a copied credential is worth what a copied token is: the theft is found, and the session ends."""
    bound_app.app.clock.advance(MINUTE)
    assert 200 == thief.refresh()
    assert ME == thief.ask("GET", "/me")
    bound_app.app.clock.advance(2 * MINUTE)
    assert 401 == owner.refresh()

    until(lambda: "TokenTheftDetected" in bound_app.events)
    owner.expire()
    assert [401, 401] == [owner.refresh(), thief.refresh()]


def test_a_browser_that_has_no_keys(other_browser: Browser, bound_app: BoundApp) -> None:
    """Where binding is optional, a browser that cannot do it is signed in all the same."""
    with other_browser.new_context() as context:
        owner = profile_of(context, bound_app)
        assert ME == owner.ask("POST", "/login")
        for _ in range(2):
            owner.expire()
            assert ME == owner.ask("GET", "/me")

        assert ([], [REFRESHED] * 2) == (owner.told, bound_app.answers)
        assert 403 == owner.ask("GET", "/bound")[0]


def test_where_binding_is_required(context: BrowserContext, other_browser: Browser, certificate: Certificate) -> None:
    """A browser that cannot bind may refresh for half a minute, and not afterwards; one that can goes on."""
    with serve_bound(certificate, device_binding="required") as bound_app, other_browser.new_context() as unable:
        owner, other = profile_of(context, bound_app), profile_of(unable, bound_app)
        owner.sign_in()
        assert ME == other.ask("POST", "/login")
        assert 200 == other.refresh()
        owner.expire()

        assert ME == owner.ask("GET", "/me")
        assert 401 == other.ask("GET", "/me")[0]
        assert ["ada", None] == [each.page.evaluate("session.userId") for each in (owner, other)]


SOCKET = """new Promise((done, failed) => {
  const socket = new WebSocket(`${location.origin.replace("http", "ws")}/socket`);
  Object.assign(socket, { onmessage: ({ data }) => done(data), onerror: () => failed(new Error("no socket")) });
})"""


def test_pages_without_script(context: BrowserContext, certificate: Certificate) -> None:
    """With the scope "all" nobody notices that the access token has ended: the browser proves its key, and that is the refresh.

    A page waits for that, a POST with its body, and a socket.
    """
    with serve_bound(certificate, device_binding_scope="all") as bound_app:
        owner = profile_of(context, bound_app)
        owner.sign_in()
        bound_app.forget()

        def expire() -> None:
            bound_app.app.clock.advance(HOUR)
            owner.drop(ACCESS_COOKIE)

        for _ in range(2):
            expire()
            owner.page.goto(f"{bound_app.server.origin}/me")
            expect(owner.page.locator("body")).to_have_text('"ada"')
        expire()
        sent = "fetch('/size', { method: 'POST', body: 'x'.repeat(100_000) }).then((response) => response.json())"
        assert 100_000 == owner.page.evaluate(sent)
        expire()
        assert "ada" == owner.page.evaluate(SOCKET)

        assert [f"POST {DEVICE_REFRESH_PATH} 200"] * 4 == bound_app.answers
