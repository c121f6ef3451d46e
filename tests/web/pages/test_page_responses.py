"""What a page is answered whose access token has ended, or that nobody is signed in for."""

from __future__ import annotations

import pytest

from fastapi_session import StoreUnavailable
from tests.moments import PAST_GRACE
from tests.web.pages.conftest import Visit
from tests.web.pages.site import PART, REFRESH, Visitor
from tests.wire import AUTH_MODE

OPENED = "/page?q=a%26b%20c&x=%2F"
SOUGHT = f"{REFRESH}?next=/page?q=a%2526b%2520c%26x=%252F"
FETCH = {"accept": "*/*", "sec-fetch-mode": "cors"}


class TestEnded:
    """The access token has ended."""

    def test_a_page(self, visitor: Visitor) -> None:
        """It is refreshed on the way, once, and shown with its query; nothing of it is kept by a cache."""
        visitor.wait()
        response = visitor.go(OPENED)

        assert [f"303 {OPENED}", f"303 {SOUGHT}", f"200 {OPENED}"] == visitor.seen
        assert "ada a&b c" == response.json()
        assert ["no-store", "no-store", "private"] == [
            each.headers["cache-control"] for each in [*response.history, response]
        ]
        assert [f"200 {OPENED}"] == (visitor.go(OPENED), visitor.seen)[1]

    @pytest.mark.parametrize("method", ["POST", "PUT"])
    @pytest.mark.parametrize("headers", [{}, PART], ids=["a form", "HTMX"])
    def test_what_was_typed(self, method: str, headers: dict[str, str], visitor: Visitor) -> None:
        """A form is sent again after the refresh, as it was: nothing that was typed is lost."""
        visitor.wait()
        response = visitor.go("/save", method, content="three pages of text", headers=headers)

        assert ["307 /save", f"307 {REFRESH}?next=/save", "200 /save"] == visitor.seen
        assert "ada saved three pages of text" == response.json()

    def test_a_part(self, visitor: Visitor) -> None:
        """HTMX follows as a page does, and shows what it asked for."""
        visitor.wait()

        assert "ada part" == visitor.go("/page?q=part", headers=PART).json()
        assert 3 == len(visitor.seen)

    def test_a_page_for_everybody(self, visitor: Visitor) -> None:
        """A page that needs no session is refreshed too: it would not know its user else."""
        visitor.wait()

        assert "ada" == visitor.go("/optional").json()

    @pytest.mark.parametrize("headers", [FETCH, {"sec-purpose": "prefetch"}, {AUTH_MODE: "cookie"}])
    def test_no_page(self, headers: dict[str, str], visitor: Visitor) -> None:
        """Whoever refreshes by itself, or only looks ahead, is told what it always was."""
        visitor.wait()
        response = visitor.once("/page", headers=headers)

        assert (401, {"message": "try refresh token"}) == (response.status_code, response.json())
        assert "set-cookie" not in response.headers

    def test_head(self, visitor: Visitor) -> None:
        """HEAD goes nowhere, and refreshes nothing."""
        visitor.wait()

        assert (401, 405) == (visitor.once("/page", "HEAD").status_code, visitor.once(REFRESH, "HEAD").status_code)

    def test_an_address_that_is_too_long(self, visitor: Visitor) -> None:
        """A page to which no browser can be sent back says that it needs a sign-in, and changes nothing."""
        visitor.wait()
        response = visitor.once(f"/page?q={'a' * 5_000}")

        assert (303, "/sign-in") == (response.status_code, response.headers["location"])
        assert "set-cookie" not in response.headers

    def test_ten_tabs(self, visitor: Visitor) -> None:
        """Tabs that were restored all at once, each with the tokens of before, are all answered: nobody is taken for a thief."""
        visitor.wait()
        assert 303 == visitor.once("/page").status_code
        before = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
        visitor.client.cookies.clear()
        answers = [visitor.once(f"{REFRESH}?next=/page", headers={"cookie": before}) for _ in range(10)]
        visitor.clock.advance(PAST_GRACE)

        assert [(303, "/page")] * 10 == [(each.status_code, each.headers["location"]) for each in answers]
        assert "ada " == visitor.go("/page").json()
        assert visitor.is_signed_in


class TestSignedOut:
    """Nobody is signed in, or not any more."""

    @pytest.fixture
    def nobody(self, visitor: Visitor) -> Visitor:
        visitor.client.cookies.clear()
        return visitor

    def test_a_page(self, nobody: Visitor) -> None:
        """It leads to the sign-in page, with the address to go to then."""
        response = nobody.once(OPENED)

        assert (303, "/sign-in?next=/page?q=a%2526b%2520c%26x=%252F") == (
            response.status_code,
            response.headers["location"],
        )
        assert "no-store" == response.headers["cache-control"]

    def test_the_sign_in_page_has_a_query(self, visit: Visit) -> None:
        """A sign-in page with a query of its own keeps it."""
        nobody = visit(login_url="/sign-in?by=password")
        nobody.client.cookies.clear()

        assert "/sign-in?by=password&next=/page" == nobody.once("/page").headers["location"]

    def test_the_sign_in_page_itself(self, visit: Visit) -> None:
        """A sign-in page that needs a session, which is a mistake, is sent nowhere."""
        nobody = visit(login_url="/page")
        nobody.client.cookies.clear()

        assert 401 == nobody.go("/page?q=1").status_code
        assert ["401 /page?q=1"] == nobody.seen

    def test_the_sign_in_page_asks_who_is_there(self, visit: Visit) -> None:
        """Whose sign-in over a session was never answered gets past the tokens of before, which nothing else clears."""
        visitor = visit(login_url="/optional")
        before = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
        visitor.sign_in()
        visitor.clock.advance(PAST_GRACE)
        refused = visitor.once("/optional?next=/page", headers={"cookie": before})

        assert (401, True) == (refused.status_code, '<a href="">Sign in</a>' in refused.text)
        assert {} == visitor.cookies
        assert "nobody" == visitor.go("/optional?next=/page").json()

    def test_without_a_sign_in_page(self, visit: Visit) -> None:
        """If there is none, a page says so, with the status of the configuration."""
        nobody = visit(login_url=None, session_expired_status_code=440)
        nobody.client.cookies.clear()
        response = nobody.once("/page")

        assert (440, "text/html; charset=utf-8") == (response.status_code, response.headers["content-type"])
        assert "<h1>You are signed out</h1>" in response.text

    def test_a_form(self, nobody: Visitor) -> None:
        """A form is not led away from what was typed: it says what to do."""
        response = nobody.once("/save", "POST", content="three pages")

        assert 401 == response.status_code
        assert "What you sent was not taken." in response.text
        assert '<a href="/sign-in" target="_blank">' in response.text

    @pytest.mark.parametrize(
        ("shown", "expected"),
        [
            ("http://testserver/list?a=b&c", "/sign-in?next=/list?a=b%26c"),
            ("http://testserver/list", "/sign-in?next=/list"),
            ("http://testserver//evil.example", "/sign-in"),
            ("", "/sign-in"),
        ],
    )
    def test_a_part(self, shown: str, expected: str, nobody: Visitor) -> None:
        """HTMX leaves the page for the sign-in page, which leads back to the page and not to a part of it."""
        response = nobody.once("/page", headers={**PART, "hx-current-url": shown})

        assert (401, expected) == (response.status_code, response.headers["hx-redirect"])

    def test_a_part_that_sends(self, nobody: Visitor) -> None:
        """HTMX that sends something stays on its page, and shows nothing in the place of what was typed."""
        response = nobody.once("/save", "POST", headers=PART)

        assert (401, "none") == (response.status_code, response.headers["hx-reswap"])
        assert "hx-redirect" not in response.headers

    def test_no_page(self, nobody: Visitor) -> None:
        """Whoever asks for no page is told what it always was."""
        assert {"message": "unauthorised"} == nobody.once("/page", headers=FETCH).json()

    def test_a_session_that_has_ended(self, visitor: Visitor) -> None:
        """Of an idle session a page learns at the refresh; what is left of it is cleared, and the sign-in page is next."""
        visitor.wait(visitor.sessions.config.idle_timeout)
        visitor.go("/page")

        assert ["303 /page", f"303 {REFRESH}?next=/page", "303 /page", "404 /sign-in?next=/page"] == visitor.seen
        assert {"sRefreshAsked", "sRefreshed"} == visitor.cookies.keys()

    def test_a_page_for_everybody(self, visitor: Visitor) -> None:
        """A page for everybody is shown to who was signed in long ago, and no sign-in is asked."""
        visitor.wait(visitor.sessions.config.idle_timeout)

        assert "nobody" == visitor.go("/optional").json()

    def test_a_thief(self, visitor: Visitor) -> None:
        """A refresh token that was copied ends the session: the sign-in page is next, and the page after it is kept."""
        stolen = visitor.cookies
        for _ in range(2):
            visitor.wait()
            visitor.go("/page")
        visitor.wait()
        visitor.client.cookies.clear()
        cookie = "; ".join(f"{name}={value}" for name, value in stolen.items())
        response = visitor.once(f"{REFRESH}?next=/page", headers={"cookie": f"{cookie}; sRefreshAsked=1"})

        assert (303, "/sign-in?next=/page") == (response.status_code, response.headers["location"])
        assert not visitor.is_signed_in


class TestForged:
    """The session is good, and nothing shows that a page of ours sent the request."""

    @pytest.mark.parametrize("headers", [{"sec-fetch-site": "cross-site"}, PART], ids=["a form", "HTMX"])
    def test_without_the_custom_header(self, headers: dict[str, str], visit: Visit) -> None:
        """It is not said to be signed out, and sent to no refresh, which would bring no header: nothing changes."""
        visitor = visit(anti_csrf="VIA_CUSTOM_HEADER")
        response = visitor.go("/save", "POST", content="forged", headers=headers)

        assert ["401 /save"] == visitor.seen
        assert "set-cookie" not in response.headers
        assert ("<h1>Not taken</h1>" in response.text) is (headers is not PART)
        assert "ada saved typed" == visitor.go("/save", "POST", content="typed", headers={**PART, "rid": "1"}).json()


class TestUnavailable:
    """The store is down."""

    @pytest.fixture
    def down(self, visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> Visitor:
        async def fail(*_args: object, **_named: object) -> None:
            raise StoreUnavailable("down")

        for verb in ("get", "rotate"):
            monkeypatch.setattr(visitor.sessions.store, verb, fail)
        return visitor

    def test_the_refresh(self, down: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
        """The refresh says so on a page, keeps all cookies, and works when the page is loaded again."""
        down.wait()
        tokens = down.cookies
        response = down.go("/page?q=1")
        again = str(response.url)

        assert (503, "1") == (response.status_code, response.headers["retry-after"])
        assert "You are still signed in." in response.text
        assert tokens == {name: value for name, value in down.cookies.items() if name != "sRefreshAsked"}
        monkeypatch.undo()
        assert "ada 1" == down.go(again).json()

    def test_a_page(self, down: Visitor) -> None:
        """A page that asks the store says so too; HTMX and others are told what they always were."""
        answers = [down.once("/asked", headers=headers) for headers in ({}, PART, FETCH)]

        assert [503] * 3 == [each.status_code for each in answers]
        assert [True, False, False] == ["<h1>Please come again</h1>" in each.text for each in answers]
