"""The refresh on the way to a page: whom it serves, where it leads, and that nobody goes in circles."""

from __future__ import annotations

import re
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, Request
from fastapi.testclient import TestClient

from fastapi_session import (
    ConfigurationError,
    Session,
    TryRefreshTokenError,
    install,
    session_router,
    verify_session,
)
from fastapi_session.testing import HandClock, sign_in
from tests.engines import engine
from tests.moments import HOUR
from tests.web.deployment import application, deployed
from tests.web.pages.conftest import Visit
from tests.web.pages.site import PAGE, PART, REFRESH, Visitor, sessions_of, site, visited
from tests.web.wire import set_cookies
from tests.wire import ACCESS_COOKIE, AUTH_MODE, LEGACY_COOKIE, REFRESH_COOKIE

NEXT = f"{REFRESH}?next=/page"


class TestWhoIsRefreshed:
    """Whom the refresh for pages serves."""

    @pytest.mark.parametrize(
        "headers",
        [
            {"sec-fetch-mode": "no-cors", "sec-fetch-dest": "image", "accept": "image/*"},
            {"sec-fetch-mode": "cors", "accept": "*/*"},
            {"sec-purpose": "prefetch;prerender"},
        ],
        ids=["an image", "a script", "a prerender"],
    )
    def test_no_page(self, headers: dict[str, str], visitor: Visitor) -> None:
        """What asks for no page changes nothing: an image in a comment refreshes nobody."""
        visitor.wait()
        visitor.once("/page")
        response = visitor.once(NEXT, headers=headers)

        assert (403, {"message": "this is for pages alone"}) == (response.status_code, response.json())
        assert "set-cookie" not in response.headers

    def test_a_link_from_another_site(self, visitor: Visitor) -> None:
        """A link of another site, in a mail for instance, leads to the page as any link does."""
        visitor.wait()

        assert "ada " == visitor.go("/page", headers={"sec-fetch-site": "cross-site"}).json()

    def test_a_link_to_the_refresh_itself(self, visitor: Visitor) -> None:
        """A link of another site to the refresh itself refreshes nobody whom no page has sent there."""
        visitor.wait()
        response = visitor.once(NEXT, headers={"sec-fetch-site": "cross-site"})

        assert 401 == response.status_code
        assert "set-cookie" not in response.headers
        assert '<a href="/page">Go on</a>' in response.text

    @pytest.mark.parametrize("path", ["/auth/session/%72efresh/page", "/auth//session/refresh/page"])
    def test_a_path_that_only_a_server_takes_for_it(self, path: str, visitor: Visitor) -> None:
        """A link that a server takes for the refresh, but the browser does not, signs nobody out: no refresh cookie comes there."""
        visitor.go("/page")
        response = visitor.once(f"{path}?next=/page", headers={"sec-fetch-site": "cross-site"})

        assert response.status_code in {401, 404}
        assert "set-cookie" not in response.headers

    @pytest.mark.parametrize("anti_csrf", ["NONE", "VIA_CUSTOM_HEADER"])
    def test_a_sibling_that_says_it_was_asked(self, anti_csrf: str, visit: Visit) -> None:
        """A sibling domain can set `sRefreshAsked`, and lead where no refresh cookie comes: it signs nobody out by that."""
        visitor = visit(anti_csrf=anti_csrf)
        visitor.client.cookies.set("sRefreshAsked", "1", domain="testserver.local", path="/")
        response = visitor.once("/auth/session/%72efresh/page?next=/page", headers={"sec-fetch-site": "same-site"})

        assert (303, "/page") == (response.status_code, response.headers["location"])
        assert ["sRefreshed"] == [name for name, _ in set_cookies(response)]
        assert "ada " == visitor.go("/page").json()

    @pytest.mark.parametrize(
        "elsewhere", ["//evil.example", "/\\evil.example", "https:evil.example", "/%2f/evil.example", ""]
    )
    def test_it_leads_nowhere_else(self, elsewhere: str, visitor: Visitor) -> None:
        """Whatever is asked for, it leads to a page of this host."""
        visitor.wait()
        visitor.once("/page")

        assert "/" == visitor.once(REFRESH, params={"next": elsewhere}).headers["location"]

    def test_two_applications_of_one_host(self, visit: Visit) -> None:
        """What a browser remembers has the prefix of the application's own cookies: those of another one stay what they are."""
        visitor = visit(cookie_prefix="shop-")
        visitor.wait()

        assert "ada " == visitor.go("/page").json()
        assert {
            "shop-sAccessToken",
            "shop-sRefreshToken",
            "shop-sRefreshAsked",
            "shop-sRefreshed",
        } == visitor.cookies.keys()

    def test_custom_header(self, visit: Visit) -> None:
        """If other calls need a header, which a navigation cannot send, a page is refreshed too."""
        visitor = visit(anti_csrf="VIA_CUSTOM_HEADER")
        visitor.wait()

        assert "ada " == visitor.go("/page").json()

    def test_older_cookies(self, clock: HandClock) -> None:
        """Cookies of an older domain are cleared on the way, once."""
        sessions = sessions_of(clock, api_domain="https://api.example.com", older_cookie_domain="example.com")
        with deployed(site(sessions), sessions, clock, "https://api.example.com") as deployment:
            cookie = f"{deployment.login().to_refresh()['cookie']}; sRefreshAsked=1"
            first = deployment.get(NEXT, PAGE, {"cookie": f"{cookie}; {cookie}"})
            again = first.headers["location"]
            second = deployment.get(again, PAGE, {"cookie": f"{cookie}; {cookie}"})
            third = deployment.get(again, PAGE, {"cookie": cookie})

        assert (303, f"{NEXT}&cleared=true") == (first.status_code, again)
        assert "cookies of an older domain were cleared, refresh again" == second.json()["message"]
        assert (303, "/page") == (third.status_code, third.headers["location"])


class TestNoCircles:
    """At most one refresh a navigation, whatever is wrong with the browser, the clocks or the page."""

    def test_no_cookies_at_all(self, visitor: Visitor) -> None:
        """A browser that sends no cookies is signed out, and sent to no refresh."""
        assert "/sign-in?next=/page" == visitor.once("/page", headers={"cookie": ""}).headers["location"]

    @pytest.mark.parametrize("headers", [PAGE, PART], ids=["a page", "HTMX"])
    def test_cookies_that_are_not_kept(self, headers: dict[str, str], clock: HandClock) -> None:
        """A program that sends cookies and keeps none is never refreshed: it would lose the new tokens, and be a thief by the old ones."""
        sessions = sessions_of(clock)
        with deployed(site(sessions), sessions, clock) as deployment:
            held = deployment.login()
            clock.advance(HOUR)
            answers = [deployment.get(path, headers, held.to_refresh()) for path in ("/page", NEXT)]

            assert [303, 401] == [each.status_code for each in answers]
            assert "set-cookie" not in answers[1].headers
            assert 200 == deployment.refresh(held).status_code

    def test_a_worker_whose_clock_is_wrong(self, clock: HandClock) -> None:
        """A worker whose clock is hours ahead sends nobody to and fro: one refresh, then the sign-in page."""
        right = sessions_of(clock)
        wrong = sessions_of(HandClock(clock() + 5 * 3_600_000), store=right.store)
        one, other = site(right), site(wrong)
        with TestClient(other), visited(balanced(one, other), right, clock) as visitor:
            visitor.sign_in()
            visitor.go("/page")

        assert ["303 /page", f"303 {NEXT}", "303 /page", "404 /sign-in?next=/page"] == visitor.seen

    def test_a_page_that_always_refuses(self, clock: HandClock) -> None:
        """A page that refuses every access token is refreshed for once."""
        sessions = sessions_of(clock, login_url=None)
        app = site(sessions)

        @app.get("/never")
        async def never(_session: Annotated[Session, Depends(verify_session())]) -> None:
            raise TryRefreshTokenError("it never lets anybody in")

        with visited(app, sessions, clock) as visitor:
            visitor.sign_in()
            assert 401 == visitor.go("/never").status_code
            assert ["303 /never", f"303 {REFRESH}?next=/never", "401 /never"] == visitor.seen
            assert 401 == visitor.go("/never").status_code
            assert ["401 /never"] == visitor.seen
            assert "ada " == visitor.go("/page").json()

    @pytest.mark.parametrize("anti_csrf", ["NONE", "VIA_CUSTOM_HEADER"])
    def test_an_access_cookie_that_was_left_over(self, anti_csrf: str, clock: HandClock) -> None:
        """Who comes back after months, without a refresh cookie, is shown a sign-in page that asks who is there."""
        sessions = sessions_of(clock, anti_csrf=anti_csrf)
        app = site(sessions)

        @app.get("/sign-in")
        async def form(session: Annotated[Session | None, Depends(verify_session(session_required=False))]) -> str:
            return "whoever you are" if session is None else session.user_id

        with visited(app, sessions, clock) as visitor:
            visitor.sign_in()
            visitor.wait(sessions.config.idle_timeout)
            visitor.client.cookies.delete(REFRESH_COOKIE)
            assert "whoever you are" == visitor.go("/page").json()
            assert ACCESS_COOKIE not in visitor.cookies

    def test_a_legacy_cookie_that_cannot_be_cleared(self, visitor: Visitor) -> None:
        """A cookie `sIdRefreshToken` of a domain above, which no answer clears, sends nobody to and fro."""
        visitor.client.cookies.clear()
        visitor.client.cookies.set(LEGACY_COOKIE, "x", domain=".local", path="/")
        visitor.go("/page")

        assert ["303 /page", f"303 {NEXT}", "303 /page", "404 /sign-in?next=/page"] == visitor.seen

    def test_another_tab(self, visitor: Visitor) -> None:
        """What one tab remembers stops no other: the token that it came back with is not theirs."""
        visitor.wait()
        old = visitor.cookies[ACCESS_COOKIE]
        visitor.go("/page")
        kept = visitor.cookies["sRefreshed"]
        response = visitor.client.get(
            "/page", headers={**PAGE, "cookie": f"{ACCESS_COOKIE}={old}; sRefreshed={kept}"}, follow_redirects=False
        )

        assert NEXT == response.headers["location"]

    @pytest.mark.parametrize(("validity", "seconds"), [("3600", 10), ("4", 2), ("1", 1)])
    def test_what_is_remembered_is_forgotten(self, validity: str, seconds: int, visit: Visit) -> None:
        """The way back is remembered for seconds, and not when the new access token ends in its turn."""
        visitor = visit(access_token_validity=validity)
        visitor.wait()
        visitor.once("/page")
        remembered = dict(set_cookies(visitor.once(NEXT)))["sRefreshed"]

        assert re.search(rf"; Path=/; Expires=[^;]+; Max-Age={seconds}; HttpOnly; SameSite=Lax$", remembered)


def balanced(one: FastAPI, other: FastAPI) -> Any:
    """Serve pages by *other*, and all else by *one*, as a balancer may."""

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        app = other if scope.get("path") == "/page" else one
        await app(scope, receive, send)

    return serve


class TestPaths:
    """Where browsers see the application."""

    @pytest.mark.parametrize(
        ("told", "stripped", "prefix"),
        [("", "", "/api/auth"), ("/api", "/api", "/auth"), ("", "/api", "/auth"), ("/api", "", "/auth")],
        ids=["nobody touches it", "a proxy strips it and says so", "and does not", "the server puts it back"],
    )
    def test_behind_a_proxy(self, told: str, stripped: str, prefix: str, clock: HandClock) -> None:
        """Behind a proxy below a prefix, a page is refreshed and shown, wherever the prefix is known."""
        sessions = sessions_of(clock, api_base_path="/api/auth")
        app = FastAPI()
        install(app, sessions)
        app.include_router(session_router(prefix, pages=True))
        page = "/page" if prefix == "/auth" else "/api/page"

        @app.get(page)
        async def show(session: Annotated[Session, Depends(verify_session())]) -> str:
            return session.user_id

        with TestClient(proxied(app, stripped), root_path=told) as client:
            sign_in(client, sessions, "ada", method="cookie")
            clock.advance(HOUR)
            response = client.get("/api/page?a=b", headers=PAGE)
            seen = [str(each.url.raw_path.decode()) for each in [*response.history, response]]
            first = client.post("/api/auth/signout/page", headers=PAGE, follow_redirects=False)

        assert ["/api/page?a=b", "/api/auth/session/refresh/page?next=/api/page?a=b", "/api/page?a=b"] == seen
        assert "ada" == response.json()
        assert (303, "/api/" if prefix == "/auth" else "/") == (first.status_code, first.headers["location"])

    def test_mounted(self, clock: HandClock) -> None:
        """In an application that is mounted in another, and in one mounted in it, pages are found again."""
        sessions = sessions_of(clock, api_base_path="/app/auth")
        inner, app, outer = FastAPI(), site(sessions), FastAPI()
        app.mount("/inner", inner)
        outer.mount("/app", app)

        @inner.get("/page")
        async def show(session: Annotated[Session, Depends(verify_session())]) -> str:
            return session.user_id

        with TestClient(app), visited(outer, sessions, clock) as visitor:
            visitor.client.post("/app/login", headers={AUTH_MODE: "cookie"})
            for path in ("/app/page", "/app/inner/page"):
                visitor.wait()
                assert 200 == visitor.go(path).status_code
                assert [f"303 {path}", f"303 /app{REFRESH}?next={path}", f"200 {path}"] == visitor.seen

    def test_what_is_encoded_stays_so(self, clock: HandClock) -> None:
        """The address of a page comes back as it was sent, a slash that is encoded included."""
        sessions = sessions_of(clock)
        app = site(sessions)

        @app.get("/files/{name:path}")
        async def show(name: str, request: Request, _session: Annotated[Session, Depends(verify_session())]) -> str:
            return str(request.scope["raw_path"].decode())

        with visited(app, sessions, clock) as visitor:
            visitor.sign_in()
            visitor.wait()
            assert "/files/a%2Fb%20%C3%A9" == visitor.go("/files/a%2Fb%20%C3%A9").json()
            assert 3 == len(visitor.seen)


def proxied(app: FastAPI, stripped: str) -> Any:
    """Serve *app* behind a proxy that takes *stripped* from the beginning of each path."""

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            path = scope["path"].removeprefix(stripped)
            scope = {**scope, "path": path, "raw_path": path.encode()}
        await app(scope, receive, send)

    return serve


class TestConfiguration:
    """Pages that are not asked for cost nothing, and those that cannot be are told at the start."""

    def test_off(self, clock: HandClock) -> None:
        """Without `pages=True` nothing changes: a page is answered as anybody is, and the endpoints are not there."""
        sessions = sessions_of(clock)
        with deployed(application(sessions), sessions, clock) as deployment:
            held = deployment.login()
            clock.advance(HOUR)
            answers = [deployment.get("/me", PAGE, held.to_call()), deployment.get("/me", PAGE)]
            missing = [deployment.get(REFRESH, PAGE), deployment.post("/auth/signout/page", PAGE)]

        assert ["try refresh token", "unauthorised"] == [each.json()["message"] for each in answers]
        assert [404, 404] == [each.status_code for each in missing]

    @pytest.mark.parametrize(
        ("options", "field"),
        [({"token_transfer_method": "header"}, "token_transfer_method"), ({"anti_csrf": "VIA_TOKEN"}, "anti_csrf")],
    )
    def test_what_does_not_go_together(self, options: dict[str, Any], field: str, clock: HandClock) -> None:
        """A configuration by which no page could be refreshed is refused at the start, with field and fix."""
        sessions = engine(clock, **options)

        with pytest.raises(ConfigurationError, match=rf"^{field}: .*; give "), TestClient(site(sessions)):
            pass

    def test_the_document(self, clock: HandClock) -> None:
        """The OpenAPI document, which is for clients, tells nothing of what is for browsers."""
        sessions = sessions_of(clock)

        assert [] == [path for path in site(sessions).openapi()["paths"] if path.endswith("/page") and path != "/page"]
