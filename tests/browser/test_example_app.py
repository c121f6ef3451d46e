"""The example app, as a visitor with a browser finds it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect
from starlette.types import ASGIApp

from example_app.app import create_app
from example_app.users import USERS
from fastapi_session import SessionConfig
from tests.browser.conftest import started
from tests.browser.server import Server, serve
from tests.browser.waiting import until
from tests.moments import HOUR, SECOND
from tests.reliability.worker import OffsetClock
from tests.wire import ACCESS_COOKIE, REFRESH_COOKIE, REFRESH_PATH

GRACE_PERIOD = timedelta(seconds=30)
OLD_ROLES = timedelta(seconds=11)
"""How old the roles in an access token must be to be looked up again."""
AHEAD = "const now = Date.now; globalThis.ahead = 0; Date.now = () => now() + ahead"

Pass = Callable[[timedelta], None]


@pytest.fixture
def clock() -> OffsetClock:
    return OffsetClock()


@pytest.fixture
def context(context: BrowserContext) -> BrowserContext:
    context.add_init_script(AHEAD)
    return context


@pytest.fixture
def let_pass(clock: OffsetClock, context: BrowserContext) -> Pass:
    """Let time pass, for the server and for the pages that are open, without waiting for it."""

    def let_pass(time: timedelta) -> None:
        milliseconds = time // timedelta(milliseconds=1)
        clock.offset += milliseconds
        for page in context.pages:
            page.evaluate(f"ahead += {milliseconds}")

    return let_pass


@pytest.fixture
def server(
    request: pytest.FixtureRequest, clock: OffsetClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Server]:
    """The example app, its tokens living for an hour or as a test says, its users without more roles than they were made with."""
    access_token_validity = getattr(request, "param", HOUR)
    monkeypatch.setattr(USERS["alice"], "roles", ("user",))

    def build(origin: str) -> ASGIApp:
        return create_app(
            SessionConfig(
                api_domain=origin,
                audit=True,
                store=f"sqlite:///{tmp_path / 'example_app.db'}",
                access_token_validity=access_token_validity,
                refresh_token_rotation_grace_period=GRACE_PERIOD,
            ),
            clock=clock,
        )

    with serve(build) as server:
        yield server


@pytest.fixture
def alice(page: Page, server: Server) -> Page:
    """The page, with alice signed in."""
    return sign_in(page, server)


def sign_in(page: Page, server: Server, *, name: str = "alice", password: str = "wonderland") -> Page:
    page.goto(server.origin)
    return fill_in(page, name=name, password=password)


def fill_in(page: Page, *, name: str = "alice", password: str = "wonderland") -> Page:
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Live session")).to_be_visible()
    return page


def press(page: Page, button: str) -> None:
    page.get_by_role("button", name=button, exact=True).click()


def text(page: Page, name: str) -> str:
    """What the page shows at the spot called *name*."""
    return page.locator(f"[data-text={name}]").first.inner_text()


def expire(page: Page, let_pass: Pass) -> None:
    """Let the access token of *page* come to its end."""
    let_pass(HOUR)
    expect(page.get_by_text("the next call refreshes")).to_be_visible()


def wait_for_status(page: Page, said: str) -> None:
    expect(page.get_by_role("status")).to_contain_text(said)


def wait_for_line(page: Page, said: str) -> None:
    """Wait until the page's live line is as *said*."""
    expect(page.locator(".line")).to_have_text(said)


def test_a_wrong_password_is_refused(page: Page, server: Server) -> None:
    """Signing in with a wrong password says so, and begins no session."""
    page.goto(server.origin)
    page.get_by_label("User name").fill("alice")
    page.get_by_label("Password", exact=True).fill("looking-glass")
    press(page, "Sign in")

    expect(page.get_by_role("alert")).to_have_text("This user name and this password do not belong together.")
    assert [] == page.context.cookies()


@pytest.mark.parametrize("is_ticked", [True, False], ids=["remembered", "not remembered"])
def test_the_box_decides_what_outlives_the_browser(
    is_ticked: bool, browser: Browser, server: Server, tmp_path: Path
) -> None:
    """Whoever ticks the box is signed in when the browser starts again; whoever does not signs in again."""
    with started(browser, profile=tmp_path / "profile") as before:
        page = before.new_page()
        page.goto(server.origin)
        page.get_by_label("Stay signed in").set_checked(is_ticked)
        fill_in(page)
    with started(browser, profile=tmp_path / "profile") as after:
        page = after.new_page()
        page.goto(server.origin)

        expect(page.get_by_role("heading", name="Live session" if is_ticked else "Sign in", exact=True)).to_be_visible()
        assert is_ticked == (
            {ACCESS_COOKIE, REFRESH_COOKIE}
            <= {cookie["name"] for cookie in after.cookies([server.origin, f"{server.origin}{REFRESH_PATH}"])}
        )


def test_signing_in_shows_the_live_session(alice: Page) -> None:
    """Who is signed in, on which plan, in which session and for how long stands on the page."""
    assert "alice" == text(alice, "user")
    assert "free" == text(alice, "plan")
    assert 32 == len(text(alice, "handle"))
    expect(alice.get_by_role("timer")).to_contain_text("until the access token ends")


def test_signing_in_needs_only_the_keyboard(page: Page, server: Server) -> None:
    """From opening the page to a protected call, every step is reached by Tab and taken by Enter."""
    page.goto(server.origin)
    expect(page.get_by_label("User name")).to_be_visible()
    tab_to(page, "name")
    page.keyboard.type("alice")
    page.keyboard.press("Tab")
    page.keyboard.type("wonderland")
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    wait_for_status(page, "Hello alice, your access token is good.")


def test_a_late_list_of_sessions_takes_no_focus(page: Page, server: Server) -> None:
    """Who moves on while the list of sessions is still on its way stays where he is."""
    held = hold(page, "**/auth/sessions")
    sign_in(page, server)
    wait_for_request(page, held)
    expect(page.locator("main")).to_be_focused()
    step = page.get_by_role("button", name="Call an endpoint")
    step.focus()
    held[0].continue_()
    expect(page.locator("#sessions").get_by_role("listitem")).to_have_count(1)

    expect(step).to_be_focused()


def hold(page: Page, path: str) -> list[Route]:
    """The requests to *path*, which wait until the test lets them go on."""
    held: list[Route] = []

    def keep(route: Route) -> None:
        held.append(route)

    page.route(path, keep)
    return held


def wait_for_request(page: Page, held: list[Route]) -> None:
    """Wait until a request is *held*."""

    def arrived() -> bool:
        page.wait_for_timeout(10)  # in which the browser is heard
        return bool(held)

    until(arrived)


def tab_to(page: Page, identity: str) -> None:
    """Press Tab until the element called *identity* has the focus."""

    def focused() -> bool:
        page.keyboard.press("Tab")
        return bool(identity == page.evaluate("document.activeElement.id"))

    until(focused)


def test_scripts_cannot_read_the_tokens(alice: Page) -> None:
    """Both tokens are in HttpOnly cookies, the refresh token bound to the path of the refresh."""
    assert "" == alice.evaluate("document.cookie")
    assert {(ACCESS_COOKIE, "/", True), (REFRESH_COOKIE, REFRESH_PATH, True)} == {
        (cookie["name"], cookie["path"], cookie["httpOnly"]) for cookie in alice.context.cookies()
    }


def test_an_expired_access_token_is_refreshed_by_itself(alice: Page, server: Server, let_pass: Pass) -> None:
    """Of ten calls with an expired access token those that are refused share one refresh, and all ten succeed."""
    expire(alice, let_pass)
    press(alice, "Ten at once")

    wait_for_status(alice, "10 of 10 calls answered, with 1 refresh.")
    assert "1" == text(alice, "refreshes")
    assert 1 == server.refreshes
    log = alice.get_by_role("list", name="What went over the wire, newest first")
    expect(log).to_contain_text("401 try refresh token")


def test_two_tabs_need_one_refresh(alice: Page, server: Server, let_pass: Pass) -> None:
    """Two tabs of one browser that call with an expired access token share a single refresh."""
    other = alice.context.new_page()
    other.goto(server.origin)
    expect(other.get_by_role("heading", name="Live session")).to_be_visible()
    until(lambda: server.answers.count("GET /auth/sessions 200") >= 2)
    before = server.refreshes
    expire(alice, let_pass)
    for tab in (alice, other):
        tab.evaluate("document.querySelector('[data-action=tenCalls]').click()")

    for tab in (alice, other):
        wait_for_status(tab, "10 of 10 calls answered")
    assert before + 1 == server.refreshes


def test_a_session_outlives_a_reload(alice: Page) -> None:
    """The page finds its session again after a reload."""
    handle = text(alice, "handle")
    alice.reload()

    expect(alice.get_by_role("heading", name="Live session")).to_be_visible()
    assert handle == text(alice, "handle")


def test_changing_the_plan_changes_the_access_token(alice: Page) -> None:
    """A claim changed by an endpoint is seen by the page at once."""
    press(alice, "Change the plan")

    wait_for_status(alice, "The plan is now pro")
    assert "pro" == text(alice, "plan")


def test_signing_out_ends_the_session(alice: Page, server: Server) -> None:
    """After signing out the cookies are gone, and a reload does not bring the session back."""
    press(alice, "Sign out")
    expect(alice.get_by_role("heading", name="Sign in", exact=True)).to_be_visible()
    alice.reload()

    expect(alice.get_by_role("heading", name="Sign in", exact=True)).to_be_visible()
    assert [] == alice.context.cookies()
    assert "POST /auth/signout 200" in server.answers


def test_a_replay_within_the_window_is_answered_with_the_same_successor(alice: Page, let_pass: Pass) -> None:
    """Shortly after a rotation the copied token earns the very token that the browser holds."""
    press(alice, "Copy the token")
    let_pass(2 * GRACE_PERIOD)
    press(alice, "Refresh the session")
    press(alice, "Replay early")

    wait_for_status(alice, "The window is open")
    assert text(alice, "yours") == text(alice, "stolen")


def test_a_replay_after_the_window_is_theft(alice: Page, server: Server, let_pass: Pass) -> None:
    """A copied token that comes after the window ends the session, the page says why, and alice can sign in again."""
    handle = text(alice, "handle")
    press(alice, "Copy the token")
    let_pass(2 * GRACE_PERIOD)
    press(alice, "Refresh the session")
    expect(alice.get_by_role("button", name="Replay early")).to_be_enabled()
    let_pass(2 * GRACE_PERIOD)
    press(alice, "Replay late")

    outcome = alice.get_by_role("alert").filter(has_text="Token theft detected")
    expect(outcome).to_contain_text("RECENT_PREV")
    expect(outcome).to_be_focused()
    assert "revoked" == text(alice, "seconds")
    assert "has revoked the session" == text(alice, "server")
    assert [] == alice.context.cookies()
    press(alice, "Sign in again")
    sign_in(alice, server)
    assert handle != text(alice, "handle")


def test_a_session_is_revoked_from_another_browser(alice: Page, browser: Browser, server: Server) -> None:
    """All sessions of a user are listed, and the page whose session is ended says so at once, without a call."""
    with browser.new_context() as elsewhere:
        phone = sign_in(elsewhere.new_page(), server)
        rows = phone.get_by_role("list").and_(phone.locator("#sessions")).get_by_role("listitem")
        expect(rows).to_have_count(2)
        wait_for_line(alice, "open")
        rows.filter(has_not_text="this one").get_by_role("button", name="Sign out").click()

        expect(alice.get_by_role("heading", name="Sign in", exact=True)).to_be_visible()
        expect(alice.get_by_role("alert").and_(alice.locator("#notice"))).to_contain_text("signed out from elsewhere")
        expect(alice.get_by_label("User name")).to_be_focused()
        expect(rows).to_have_count(1)
        press(phone, "Ask the database")
        wait_for_status(phone, "The vault is open, alice")


@pytest.mark.parametrize("server", [timedelta(seconds=4)], indirect=True)
def test_the_live_line_follows_the_access_token(alice: Page) -> None:
    """The line ends with the access token, saying that a refresh may help, and is open again after the refresh."""
    wait_for_line(alice, "open")
    wait_for_line(alice, "closed: try refresh token")
    press(alice, "Call an endpoint")

    wait_for_line(alice, "open")


def test_a_line_that_cannot_be_opened_is_tried_again(page: Page, server: Server) -> None:
    """A line that fails for no reason of the session ends no session, and is open as soon as it can be."""
    server.refuses_sockets = True
    sign_in(page, server)
    wait_for_line(page, "closed")
    server.refuses_sockets = False

    wait_for_line(page, "open")


def test_signing_out_in_one_tab_signs_the_other_out(alice: Page, server: Server) -> None:
    """Two tabs have one session, and both show its end."""
    other = alice.context.new_page()
    other.goto(server.origin)
    wait_for_line(other, "open")
    press(alice, "Sign out")

    for tab in (alice, other):
        expect(tab.get_by_role("heading", name="Sign in", exact=True)).to_be_visible()


def test_a_role_takes_effect_while_signed_in(alice: Page, server: Server) -> None:
    """A user is refused and told which role is missing; made an admin, the next call lets them in, and back again."""
    handle = text(alice, "handle")
    press(alice, "Enter the control room")
    door = alice.locator("#door")
    expect(door).to_contain_text("403 invalid claim")
    expect(door).to_contain_text('expectedToInclude: "admin"')

    alice.get_by_label("Admin", exact=True).check()
    wait_for_status(alice, "You are now an admin.")
    assert "user, admin" == text(alice, "roles")
    press(alice, "Enter the control room")
    expect(door).to_have_text("The control room is open, alice: you are an admin.")

    alice.get_by_label("User", exact=True).check()
    wait_for_status(alice, "You are now a user.")
    press(alice, "Enter the control room")
    expect(door).to_contain_text('actualValue: ["user"]')
    assert handle == text(alice, "handle")
    assert [403, 200, 403] == [int(line[-3:]) for line in server.answers if " /api/admin " in line]
    assert 0 == server.refreshes


def test_a_dangerous_action_asks_for_the_password_again(alice: Page, server: Server, let_pass: Pass) -> None:
    """A minute after it was typed the password is asked for again, on a small screen and by the keyboard; then the action is done."""
    alice.set_viewport_size({"width": 390, "height": 844})
    codes, dialog, handle = alice.locator("#codes li"), alice.get_by_role("dialog"), text(alice, "handle")
    make = alice.get_by_role("button", name="Make recovery codes")
    make.focus()
    alice.keyboard.press("Enter")
    expect(codes).to_have_count(4)
    first = codes.all_inner_texts()

    let_pass(61 * SECOND)
    alice.keyboard.press("Enter")
    expect(dialog.get_by_label("Your password")).to_be_focused()
    assert 390 >= alice.evaluate("document.documentElement.scrollWidth")
    alice.keyboard.press("Escape")
    wait_for_status(alice, "your password was not confirmed")
    expect(make).to_be_focused()

    alice.keyboard.press("Enter")
    expect(dialog.get_by_label("Your password")).to_be_focused()
    alice.keyboard.type("looking-glass")
    alice.keyboard.press("Enter")
    expect(dialog.get_by_role("alert")).to_have_text("This is not your password.")
    alice.keyboard.type("wonderland")
    alice.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    wait_for_status(alice, "Keep these codes")
    expect(make).to_be_focused()
    assert (4, False) == (codes.count(), first == codes.all_inner_texts())
    assert handle != text(alice, "handle")
    asked = [line[-3:] for line in server.answers if " /api/recovery-codes " in line]
    assert (["200", "403", "403", "200"], 0) == (asked, server.refreshes)


def test_a_role_is_changed_by_the_keyboard(alice: Page) -> None:
    """The choice is reached by Tab and made by an arrow key."""
    alice.get_by_label("User", exact=True).focus()
    alice.keyboard.press("ArrowRight")
    wait_for_status(alice, "You are now an admin.")
    alice.keyboard.press("Tab")
    alice.keyboard.press("Enter")

    expect(alice.locator("#door")).to_contain_text("The control room is open")


def test_a_role_reaches_the_other_device(alice: Page, browser: Browser, server: Server, let_pass: Pass) -> None:
    """A role that was changed in one browser is looked up for the other's session once it is too old to be believed."""
    with browser.new_context() as elsewhere:
        phone = sign_in(elsewhere.new_page(), server)
        alice.get_by_label("Admin", exact=True).check()
        wait_for_status(alice, "You are now an admin.")
        press(phone, "Enter the control room")
        expect(phone.locator("#door")).to_contain_text("403 invalid claim")
        let_pass(OLD_ROLES)
        press(phone, "Enter the control room")
        expect(phone.locator("#door")).to_contain_text("control room is open")


def test_all_other_sessions_are_revoked_at_once(alice: Page, browser: Browser, server: Server) -> None:
    """Signing out everywhere else keeps the session that asks, and another user's."""
    with browser.new_context() as elsewhere, browser.new_context() as bobs:
        sign_in(elsewhere.new_page(), server)
        bob = sign_in(bobs.new_page(), server, name="bob", password="builder")
        press(alice, "Sign out everywhere else")

        wait_for_status(alice, "Signed out everywhere else: 1 ended.")
        expect(alice.locator("#sessions").get_by_role("listitem")).to_have_count(1)
        alice.get_by_text("What happened").press("Enter")
        happened = alice.locator("#history").get_by_role("listitem")
        expect(happened.first).to_contain_text("Signed out with all others")
        expect(happened).to_have_count(3)
        press(bob, "Ask the database")
        wait_for_status(bob, "The vault is open, bob")


def test_a_session_tells_from_where_it_was_last_seen(alice: Page) -> None:
    """Each session of the list has its address, since when it is, and when it was seen last."""
    row = alice.locator("#sessions").get_by_role("listitem")

    expect(row).to_contain_text("from 127.0.0.1")
    expect(row.locator("time")).to_have_text([re.compile("^since "), re.compile("^last seen ")])


def test_a_session_over_http_is_not_bound(alice: Page) -> None:
    """The scene of the thief who has every cookie needs https, and says so."""
    press(alice, "Try it from elsewhere")

    expect(alice.locator("#elsewhere")).to_contain_text("Browsers bind sessions over https only.")


def test_the_theft_lab_by_keyboard(alice: Page, let_pass: Pass) -> None:
    """A button that has done its part keeps the focus, and Tab goes on from there to the next step."""
    step = alice.get_by_role("button", name="Copy the token")
    step.focus()
    for following, passes in (("Refresh the session", 2 * GRACE_PERIOD), ("Replay early", timedelta(0))):
        alice.keyboard.press("Enter")
        expect(step).to_be_disabled()
        expect(step).to_be_focused()
        let_pass(passes)
        step = alice.get_by_role("button", name=following)
        expect(step).to_be_enabled()
        alice.keyboard.press("Tab")
        expect(step).to_be_focused()


def test_a_button_out_of_use_does_nothing(alice: Page, server: Server) -> None:
    """A step whose turn has not come is not taken, by Enter neither."""
    step = alice.get_by_role("button", name="Replay late")
    expect(step).to_be_disabled()
    step.focus()
    alice.keyboard.press("Enter")
    press(alice, "Call an endpoint")

    wait_for_status(alice, "Hello alice")
    assert [] == [line for line in server.answers if "/theft-lab/" in line]


def test_signing_another_browser_out_by_keyboard(alice: Page, browser: Browser, server: Server) -> None:
    """The row that had the focus is gone, and the focus is on the heading of the list, not lost."""
    with browser.new_context() as elsewhere:
        phone = sign_in(elsewhere.new_page(), server)
        rows = phone.locator("#sessions").get_by_role("listitem")
        rows.filter(has_not_text="this one").get_by_role("button", name="Sign out").focus()
        phone.keyboard.press("Enter")
        expect(rows).to_have_count(1)

        expect(phone.get_by_role("heading", name="Your devices")).to_be_focused()


def test_a_device_is_named_by_keyboard_on_a_phone(alice: Page, server: Server) -> None:
    """A device is shown by its browser and system, named by the keyboard alone, and the focus stays where it was."""
    alice.set_viewport_size({"width": 390, "height": 844})
    row = alice.locator("#sessions").get_by_role("listitem")
    expect(row).to_contain_text(re.compile("Chrome on Linux.*this one"))
    name = row.get_by_role("button", name="Name")
    name.focus()
    alice.keyboard.press("Enter")
    alice.keyboard.type("My <b>desk</b>")
    assert alice.evaluate("document.documentElement.scrollWidth <= innerWidth")
    alice.keyboard.press("Enter")
    wait_for_status(alice, "That device is called My <b>desk</b>.")
    expect(row).to_contain_text("My <b>desk</b>")
    expect(name).to_be_focused()
    alice.keyboard.press("Enter")
    alice.keyboard.press("Escape")
    expect(name).to_be_focused()
    alice.keyboard.press("Enter")
    alice.keyboard.press("Delete")
    alice.keyboard.press("Enter")

    wait_for_status(alice, "That device has no name any more.")
    expect(row).not_to_contain_text("desk")
    assert alice.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert [204, 204] == [int(line[-3:]) for line in server.answers if line.startswith("PATCH /auth/sessions/")]


def test_a_session_that_ends_elsewhere_keeps_the_focus_on_the_page(alice: Page) -> None:
    """What had the focus is hidden when another tab signs out: the focus is on the field of the name, and not lost."""
    other = alice.context.new_page()
    other.goto(alice.url)
    other.get_by_role("button", name="Call an endpoint").focus()
    press(alice, "Sign out")
    expect(other.get_by_role("heading", name="Sign in", exact=True)).to_be_visible()

    expect(other.get_by_label("User name")).to_be_focused()


def test_a_late_refusal_takes_no_field(page: Page, server: Server) -> None:
    """Who corrects the name while a refusal is on its way goes on typing there."""
    held = hold(page, "**/api/sign-in")
    page.goto(server.origin)
    page.get_by_label("User name").fill("alise")
    page.get_by_label("Password", exact=True).fill("wonderland")
    page.keyboard.press("Enter")
    wait_for_request(page, held)
    page.get_by_label("User name").fill("")
    page.keyboard.type("ali")
    held[0].continue_()
    expect(page.get_by_role("alert").and_(page.locator("#sign-in-error"))).to_contain_text("do not belong together")
    page.keyboard.type("ce")

    expect(page.get_by_label("User name")).to_have_value("alice")
    expect(page.get_by_label("Password", exact=True)).to_have_value("wonderland")


def test_a_wrong_password_is_ready_to_be_typed_again(page: Page, server: Server) -> None:
    """Who waits for the refusal finds the password selected: typing replaces it."""
    page.goto(server.origin)
    page.get_by_label("User name").fill("alice")
    page.get_by_label("Password", exact=True).fill("looking-glass")
    press(page, "Sign in")
    expect(page.get_by_label("Password", exact=True)).to_be_focused()
    page.keyboard.type("wonderland")

    expect(page.get_by_label("Password", exact=True)).to_have_value("wonderland")


def test_a_note_of_a_guest_survives_signing_in(page: Page, server: Server) -> None:
    """Who keeps a note before signing in has it afterwards, and after another visit; a guest is not signed in."""
    page.goto(server.origin)
    note = page.get_by_label("Note", exact=True)
    note.fill("buy tea")
    note.press("Enter")
    wait_for_status(page, "Kept.")
    page.reload()
    expect(note).to_have_value("buy tea")
    expect(page.get_by_role("heading", name="Sign in", exact=True)).to_be_visible()
    fill_in(page)
    expect(note).to_have_value("buy tea")
    page.reload()

    expect(note).to_have_value("buy tea")
    assert "alice" == text(page, "user")


def test_the_staff_view_by_keyboard_on_a_phone(alice: Page, browser: Browser, server: Server) -> None:
    """An admin sees the app as bob, with a banner that says so; what costs money is shut, and one button leads back."""
    alice.set_viewport_size({"width": 390, "height": 844})
    other = sign_in(browser.new_context().new_page(), server, name="bob", password="builder")
    alice.get_by_label("Admin", exact=True).check()
    wait_for_status(alice, "You are now an admin.")
    alice.get_by_label("Reason").fill("ticket 4711")
    alice.get_by_label("Reason").press("Enter")

    banner = alice.get_by_role("region", name="Staff view")
    expect(banner).to_contain_text("alice of the staff sees this app as bob.")
    assert alice.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert "bob" == text(alice, "user")
    wait_for_line(alice, "open")
    press(alice, "Change the plan")
    wait_for_status(alice, "That is not for the staff.")
    other.reload()
    expect(other.locator("#sessions").get_by_role("listitem")).to_have_count(1)

    banner.get_by_role("button", name="Stop").focus()
    alice.keyboard.press("Enter")
    wait_for_status(alice, "You are alice again.")
    expect(banner).to_be_hidden()
    assert "alice" == text(alice, "user")
    expect(alice.locator("#sessions").get_by_role("listitem")).to_have_count(1)
    press(alice, "Call an endpoint")
    wait_for_status(alice, "Hello alice, your access token is good.")
    other.context.close()


def test_what_a_user_was_shown_is_not_for_the_next(alice: Page, server: Server) -> None:
    """Whoever the page is of sees what is his own, and nothing of whom it was of before, be it in a staff view."""
    alice.get_by_label("Admin", exact=True).check()
    press(alice, "Make recovery codes")
    codes, history = alice.locator("#codes li"), alice.locator("#history li span")
    expect(codes).to_have_count(4)
    alice.get_by_text("What happened").click()
    expect(history).to_have_text(["Signed in"])

    alice.get_by_label("Reason").fill("ticket 4711")
    press(alice, "View as")
    expect(history).to_have_text(["The staff began to see the app as this user"])
    expect(codes).to_have_count(0)
    press(alice, "Make recovery codes")
    wait_for_status(alice, "That is not for the staff.")

    press(alice, "Stop")
    expect(history).to_have_text(["Signed in", "A staff view ended", "Signed in"])


def test_the_page_needs_nobody_else(context: BrowserContext, server: Server) -> None:
    """Everything the page loads comes from the app itself, and nothing it runs fails."""
    asked: list[str] = []
    failures: list[object] = []
    context.on("request", lambda request: asked.append(request.url))
    context.on("weberror", lambda error: failures.append(error.error))
    sign_in(context.new_page(), server)

    assert [] == [url for url in asked if not url.startswith(server.origin)]
    assert [] == failures
