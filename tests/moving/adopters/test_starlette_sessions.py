"""Logins that the real `SessionMiddleware` of Starlette has signed, in applications that keep it, rename its cookie, or take it out."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from starlette.middleware.sessions import SessionMiddleware

from fastapi_session import Sessions
from fastapi_session.model import Json
from fastapi_session.moving import Adoption, OldCookie, StarletteSessions
from fastapi_session.testing import HandClock
from tests.engines import engine
from tests.moments import WEEK
from tests.web.deployment import application
from tests.wire import ACCESS_COOKIE, SIGN_OUT_PATH

SECRET_KEY = "of-the-old-application"


async def put(request: Request) -> None:
    """Put into the session what the query says."""
    request.session.update(request.query_params)


async def kept(request: Request) -> dict[str, Any]:
    return dict(request.session)


def old_application(**options: Any) -> FastAPI:
    """An application of today: whom it signs in, it keeps in the session of the middleware."""
    app = FastAPI()
    app.add_middleware(SessionMiddleware, secret_key=SECRET_KEY, **options)
    app.get("/put")(put)
    app.get("/kept")(kept)
    return app


async def everybody(adoption: Adoption, _session: Json) -> Adoption:
    return adoption


@pytest.fixture
def clock() -> HandClock:
    """The middleware goes by the machine's clock."""
    return HandClock(int(time.time() * 1000))


class Moved:
    """The application after the evening on which it moved, and its browsers."""

    def __init__(self, clock: HandClock, served: ExitStack) -> None:
        self._served = served
        self.clock = clock
        self.sessions: Sessions = engine(clock)

    def serve(self, *, middleware: Sequence[str] = (), **options: Any) -> FastAPI:
        """Serve it. The middleware is around ours, within it, or not there; or has another cookie."""
        chosen = {"check": everybody, **options}
        app = application(self.sessions, adopters=[StarletteSessions(SECRET_KEY, clock=self.clock, **chosen)])
        app.get("/put")(put)
        app.get("/kept")(kept)
        for where in middleware:
            cookie = "another" if where == "renamed" else "session"
            app.add_middleware(SessionMiddleware, secret_key=SECRET_KEY, session_cookie=cookie)
            if where == "within":
                app.user_middleware.reverse()
        self._app = app
        return app

    def browser(self, app: FastAPI, **session: str) -> TestClient:
        """A browser that was signed in by the old application, with *session*, and is at the new one now."""
        with TestClient(old_application()) as before:
            before.get("/put", params=session)
            client = TestClient(app, cookies=before.cookies, raise_server_exceptions=False)
        return self._served.enter_context(client)


@pytest.fixture
def moved(clock: HandClock) -> Iterator[Moved]:
    with ExitStack() as served:
        yield Moved(clock, served)


SET_UPS = [(), ("around",), ("within",), ("renamed",)]


@pytest.mark.parametrize("middleware", SET_UPS, ids=["removed", "around", "within", "renamed"])
class TestSetUps:
    """Whether the middleware is kept or not, and on whichever side of ours."""

    def test_a_login_moves(self, moved: Moved, middleware: Sequence[str]) -> None:
        """Its user is signed in here, and the cookie has no login any more; what else it had stays if the middleware does."""
        browser = moved.browser(moved.serve(middleware=middleware), user_id="ada", cart="7")
        adopted = browser.get("/me")
        kept_on = browser.get("/kept").json() if middleware in {("around",), ("within",)} else None

        assert {"user_id": "ada"} == adopted.json()
        assert ACCESS_COOKIE in browser.cookies
        assert ("session" in browser.cookies) == (kept_on is not None)
        assert kept_on in (None, {"cart": "7"})

    def test_a_sign_out(self, moved: Moved, middleware: Sequence[str]) -> None:
        """After it nobody is signed in, not even by the cookie as it was before."""
        browser = moved.browser(moved.serve(middleware=middleware), user_id="ada")
        before = browser.cookies["session"]
        browser.get("/me")
        signed_out = browser.post(SIGN_OUT_PATH)
        refused = browser.get("/me")
        browser.cookies.clear()
        browser.cookies.set("session", before)

        assert 200 == signed_out.status_code
        assert 401 == refused.status_code
        assert 401 == browser.get("/me").status_code

    def test_a_cookie_that_came_back(self, moved: Moved, middleware: Sequence[str]) -> None:
        """A response that was on its way may bring the login back, signed anew: a sign-out takes it away too."""
        browser = moved.browser(moved.serve(middleware=middleware), user_id="ada")
        browser.get("/me")
        late = moved.browser(moved.serve(middleware=()), user_id="ada", cart="8").cookies["session"]
        browser.cookies.set("session", late, domain="testserver.local", path="/")
        browser.post(SIGN_OUT_PATH)

        assert 401 == browser.get("/me").status_code


class TestWhichCookies:
    """Which cookies have a login."""

    @pytest.mark.parametrize("session", [{}, {"cart": "7"}, {"user_id": ""}])
    def test_a_visitor(self, moved: Moved, session: dict[str, str]) -> None:
        """A session of a visitor is none, and its cookie is left alone."""
        browser = moved.browser(moved.serve(), **session)
        cookies = dict(browser.cookies)

        assert 401 == browser.get("/me").status_code
        assert cookies == dict(browser.cookies)

    def test_two_devices(self, moved: Moved, monkeypatch: pytest.MonkeyPatch) -> None:
        """Two devices of a user are two sessions, if they did not sign in within the same second."""
        app = moved.serve()
        moved.browser(app, user_id="ada").get("/me")
        now = time.time()
        monkeypatch.setattr("itsdangerous.timed.time.time", lambda: now + 1)
        other = moved.browser(app, user_id="ada")
        other.get("/me")
        other.post(SIGN_OUT_PATH)

        assert other.portal is not None
        assert 1 == len(other.portal.call(moved.sessions.of_user, "ada"))

    def test_another_text_of_the_signature(self, moved: Moved) -> None:
        """The same cookie with its signature written in another way is the same login: after the sign-out it brings nothing."""
        browser = moved.browser(moved.serve(), user_id="ada")
        value = browser.cookies["session"]
        browser.get("/me")
        browser.post(SIGN_OUT_PATH)
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        # The last of 27 characters has 4 of the 160 bits, and two that nobody reads.
        others = [value[:-1] + alphabet[alphabet.index(value[-1]) ^ spare] for spare in (1, 2, 3)]
        statuses = set()
        for other in [*others, value + "="]:
            browser.cookies.clear()
            browser.cookies.set("session", other)
            statuses.add(browser.get("/me").status_code)

        assert {401} == statuses

    @pytest.mark.parametrize("value", ["", "null", "a.b.c", "e30=.aZ.x", '"', "%00", "x" * 5_000])
    def test_garbage(self, moved: Moved, value: str) -> None:
        """What the middleware did not sign is nothing."""
        browser = moved.browser(moved.serve())
        browser.cookies.set("session", value)

        assert 401 == browser.get("/me").status_code

    def test_another_key(self, moved: Moved) -> None:
        """A cookie that another key signed is nothing."""
        app = application(moved.sessions, adopters=[StarletteSessions("another", check=everybody, clock=moved.clock)])

        assert 401 == moved.browser(app, user_id="ada").get("/me").status_code

    @pytest.mark.parametrize(
        ("age", "status"), [(2 * WEEK - timedelta(minutes=1), 200), (2 * WEEK + timedelta(minutes=1), 401)]
    )
    def test_age(self, moved: Moved, age: timedelta, status: int) -> None:
        """A login counts for as long as the middleware would have it."""
        browser = moved.browser(moved.serve(), user_id="ada")
        moved.clock.advance(age)

        assert status == browser.get("/me").status_code


class TestCheck:
    """The application says who comes in, and with what."""

    def test_who_may_not(self, moved: Moved) -> None:
        """A user whom it does not let in is a visitor, and keeps his cookie."""

        async def nobody(_adoption: Adoption, _session: Json) -> None:
            return None

        browser = moved.browser(moved.serve(check=nobody), user_id="ada")

        assert 401 == browser.get("/me").status_code
        assert "session" in browser.cookies

    def test_what_is_taken_over(self, moved: Moved) -> None:
        """It is given the whole session, and what it puts into the adoption the new session has."""

        async def with_cart(adoption: Adoption, session: Json) -> Adoption:
            return Adoption(adoption.user_id, adoption.deadline, session_data={"cart": session["cart"]})

        browser = moved.browser(moved.serve(check=with_cart), user_id="7", cart="9")
        browser.get("/me")
        assert browser.portal is not None
        [session] = browser.portal.call(moved.sessions.of_user, "7")

        assert {"cart": "9"} == session.session_data


def test_going_back(moved: Moved) -> None:
    """A cookie that stays is there when the old application is back; by then it brings no second session."""
    browser = moved.browser(moved.serve(cookie=OldCookie("session", stays=True), middleware=("within",)), user_id="ada")
    browser.get("/me")
    with TestClient(old_application(), cookies=browser.cookies) as back:
        session = back.get("/kept").json()

    assert {"user_id": "ada"} == session
