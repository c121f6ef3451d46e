"""The npm client `supertokens-website`, unmodified, against sessions of this library."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page
from starlette.types import ASGIApp

from example_app.certificate import Certificate
from fastapi_session import SessionConfig
from tests.browser.client_app import api_app, page_app
from tests.browser.conftest import started
from tests.browser.server import Server, serve
from tests.browser.setup import CLIENT, Missing, npm_package
from tests.browser.waiting import until
from tests.wire import ACCESS_COOKIE, ACCESS_HEADER, REFRESH_COOKIE, REFRESH_HEADER, REFRESH_PATH

Method = Literal["cookie", "header"]
Lock = Literal["own", "browser", "none"]
"""Which lock the tabs have, of those in `client_page.html`: the client's, a sound one, or none that locks."""
ServeApi = Callable[..., AbstractContextManager[Server]]
ACCESS_TOKEN_VALIDITY = timedelta(seconds=3)
GRACE_PERIOD = timedelta(seconds=1)

TOKENS = {
    "cookie": {(ACCESS_COOKIE, True), (REFRESH_COOKIE, True)},
    "header": {(ACCESS_HEADER, False), (REFRESH_HEADER, False)},
}
"""Which cookies carry the tokens, and whether they are HttpOnly. In header mode the client itself made them."""


@dataclass(frozen=True)
class Client:
    """A page that carries the npm client, and the API that it was started for."""

    page: Page
    server: Server
    method: Method
    trust = True
    """Whether the server's certificate has to be one that everybody trusts."""

    def start(self, page_origin: str, *, lock: Lock = "own") -> Client:
        self.page.goto(f"{page_origin}/client")
        self.page.evaluate(
            "([api, method, lock]) => start(api, method, { lock })", [self.server.origin, self.method, lock]
        )
        return self

    def call(self, method: str, path: str) -> tuple[int, Any]:
        answer = self.page.evaluate("([method, path]) => call(method, path)", [method, path])
        return answer["status"], answer["json"]

    def ask(self, question: str) -> Any:
        """Return what the client's function called *question* says."""
        return self.page.evaluate(f"Session.{question}()")

    def sign_in(self) -> None:
        assert 200 == self.call("POST", "/login")[0]

    def wait_for_expiry(self) -> None:
        self.page.wait_for_function("accessTokenEnds() < Date.now()")

    @property
    def events(self) -> list[str]:
        return [event["action"] for event in self.page.evaluate("events")]

    @property
    def refresh_token(self) -> str:
        """The refresh token, as whoever copies this browser's storage finds it."""
        name = {"cookie": REFRESH_COOKIE, "header": REFRESH_HEADER}[self.method]
        return next(cookie["value"] for cookie in self.page.context.cookies() if cookie["name"] == name)

    def rotate(self) -> str:
        """Refresh until the refresh token is of the next generation, use the new tokens once, and return the old."""
        old = self.refresh_token
        until(lambda: self.ask("attemptRefreshingSession") and generation(self.refresh_token) > generation(old))
        assert 200 == self.call("GET", "/me")[0]
        return old

    def replay(self, token: str) -> tuple[int, Any]:
        """Present a stolen *token* as another client would, which has nothing else."""
        stolen = {"cookie": {"cookie": f"{REFRESH_COOKIE}={token}"}, "header": {"authorization": f"Bearer {token}"}}
        answer = httpx.post(self.server.origin + REFRESH_PATH, headers=stolen[self.method], verify=self.trust)
        return answer.status_code, answer.json()

    def replay_until_refused(self, token: str) -> tuple[int, Any]:
        """Return the refusal of the stolen *token*. Within the window there is none: the successor stays the same."""
        answers: list[tuple[int, Any]] = []

        def refused() -> bool:
            answers.append(self.replay(token))
            return answers[-1] != (200, {})

        until(refused)
        return answers[-1]


def generation(refresh_token: str) -> int:
    """Return how often the session was rotated before *refresh_token* was handed out."""
    return int.from_bytes(base64.urlsafe_b64decode(refresh_token)[18:22])


@pytest.fixture(autouse=True)
def package() -> None:
    """Skip what needs the npm client where it could not be had."""
    try:
        npm_package(CLIENT)
    except Missing as missing:
        pytest.skip(str(missing))


@pytest.fixture(params=["cookie", "header"])
def method(request: pytest.FixtureRequest) -> Method:
    """How the client asks for its tokens to travel."""
    return "cookie" if request.param == "cookie" else "header"


@pytest.fixture
def certificate() -> Certificate | None:
    """With what pages and API are served over https, if they are."""
    return None


@pytest.fixture
def new_client() -> type[Client]:
    """How a client is made of a page, a server and a method."""
    return Client


@pytest.fixture
def serve_api(tmp_path: Path, certificate: Certificate | None) -> ServeApi:
    """How the API is served."""
    return partial(served_api, tmp_path, certificate=certificate)


@pytest.fixture
def client(page: Page, method: Method, new_client: type[Client], serve_api: ServeApi) -> Iterator[Client]:
    """The client, signed in, on a page of the API's own origin."""
    with serve_api() as server:
        client = new_client(page, server, method).start(server.origin)
        client.sign_in()
        yield client


@contextmanager
def served_api(folder: Path, *, certificate: Certificate | None = None, **settings: Any) -> Iterator[Server]:
    """Serve the API with lifetimes of seconds and further *settings*."""

    def build(origin: str) -> ASGIApp:
        return api_app(
            SessionConfig(
                api_domain=origin,
                store=f"sqlite:///{folder / 'sessions.db'}",
                access_token_validity=ACCESS_TOKEN_VALIDITY,
                refresh_token_rotation_grace_period=GRACE_PERIOD,
                **settings,
            )
        )

    with serve(build, certificate=certificate) as server:
        yield server


def test_the_client_sees_who_signed_in(client: Client) -> None:
    """After signing in the client knows whose session it is, and its tokens are where it asked for them, and only there."""
    assert client.ask("doesSessionExist")
    assert "alice" == client.ask("getUserId")
    assert "free" == client.ask("getAccessTokenPayloadSecurely")["plan"]
    assert (200, {"user_id": "alice"}) == client.call("GET", "/me")
    assert ["SESSION_CREATED"] == client.events
    assert TOKENS[client.method] == {
        (cookie["name"], cookie["httpOnly"])
        for cookie in client.page.context.cookies()
        if cookie["name"].endswith((ACCESS_COOKIE, REFRESH_COOKIE, "access-token", "refresh-token"))
    }


def test_ten_parallel_calls_need_one_refresh(client: Client) -> None:
    """Ten calls at once with an expired access token all succeed, after exactly one refresh."""
    client.wait_for_expiry()
    answers = client.page.evaluate("Promise.all(Array.from({ length: 10 }, () => call('GET', '/me')))")

    assert [{"status": 200, "json": {"user_id": "alice"}}] * 10 == answers
    assert 1 == client.server.refreshes
    assert 1 == client.events.count("REFRESH_SESSION")


def test_a_changed_payload_reaches_the_client(client: Client) -> None:
    """A claim changed by an endpoint is in the payload that the client reads next, and survives a refresh."""
    assert (200, {"plan": "pro"}) == client.call("POST", "/plan")

    assert "pro" == client.ask("getAccessTokenPayloadSecurely")["plan"]
    assert "ACCESS_TOKEN_PAYLOAD_UPDATED" in client.events
    client.wait_for_expiry()
    assert "pro" == client.ask("getAccessTokenPayloadSecurely")["plan"]
    assert 1 == client.server.refreshes


def test_a_changed_payload_tells_the_client_the_time(client: Client) -> None:
    """The client sets its clock by the token of a changed payload, so that token is issued when it is sent."""
    client.page.wait_for_function("accessTokenEnds() - 1000 < Date.now()")
    before = client.page.evaluate("Date.now()")
    client.call("POST", "/plan")

    assert before < client.ask("getAccessTokenPayloadSecurely")["iat"] * 1000 + 1000


def test_a_step_up_is_shown_once(client: Client) -> None:
    """The client shows the refusal to the page, and neither refreshes for it nor sends the request again."""
    status, body = client.call("GET", "/vault")
    assert (403, "invalid claim", ["st-factor"]) == (
        status,
        body["message"],
        [failure["id"] for failure in body["claimValidationErrors"]],
    )
    assert (1, 0) == (client.server.answers.count("GET /vault 403"), client.server.refreshes)


def test_a_replayed_refresh_token_ends_the_session(client: Client) -> None:
    """A copy of a used refresh token is theft, and the client learns that its session has ended."""
    answer = client.replay_until_refused(client.rotate())
    assert (401, {"message": "token theft detected"}) == answer
    assert (401, {"message": "unauthorised"}) == client.replay(client.refresh_token)

    client.wait_for_expiry()
    assert 401 == client.call("GET", "/me")[0]
    assert not client.ask("doesSessionExist")
    assert {"action": "UNAUTHORISED", "sessionExpiredOrRevoked": True} in client.page.evaluate(
        "events.map(({ action, sessionExpiredOrRevoked }) => ({ action, sessionExpiredOrRevoked }))"
    )


def test_signing_out_ends_the_session(client: Client) -> None:
    """After `signOut` the client has no session, and its last refresh token is worth nothing."""
    last = client.refresh_token
    client.ask("signOut")

    assert not client.ask("doesSessionExist")
    assert "SIGN_OUT" in client.events
    assert 401 == client.call("GET", "/me")[0]
    assert (401, {"message": "unauthorised"}) == client.replay(last)


@pytest.mark.parametrize(("is_remembered", "status"), [(True, 200), (False, 401)], ids=["remembered", "not remembered"])
def test_the_browser_ends_and_starts_again(
    is_remembered: bool, status: int, browser: Browser, serve_api: ServeApi, tmp_path: Path
) -> None:
    """One refresh tells the client whether its session is still there, of which it has kept what scripts can read either way."""
    with serve_api() as server:
        with started(browser, profile=tmp_path / "profile") as before:
            client = Client(before.new_page(), server, "cookie").start(server.origin)
            client.call("POST", f"/login?remember={is_remembered}")
        server.answers.clear()
        with started(browser, profile=tmp_path / "profile") as after:
            client = Client(after.new_page(), server, "cookie").start(server.origin)
            client.wait_for_expiry()

            assert [is_remembered] * 2 == [client.ask("doesSessionExist") for _ in range(2)]
            assert status == client.call("GET", "/me")[0]
            assert [f"POST {REFRESH_PATH} {status}", f"GET /me {status}"] == [
                each for each in server.answers if "/client" not in each
            ]
            assert is_remembered == ("sFrontToken" in {cookie["name"] for cookie in after.cookies()})
            assert ("UNAUTHORISED" in client.events) != is_remembered


def test_an_anti_csrf_token_proves_the_client(page: Page, new_client: type[Client], serve_api: ServeApi) -> None:
    """With VIA_TOKEN the client's calls carry the token, also after a refresh, and a call without it is refused."""
    with serve_api(anti_csrf="VIA_TOKEN") as server:
        client = new_client(page, server, "cookie").start(server.origin)
        client.sign_in()
        assert (200, {"plan": "pro"}) == client.call("POST", "/plan")
        forged = "__supertokensOriginalFetch('/plan', { method: 'POST' }).then((answer) => answer.json())"
        assert {"message": "try refresh token"} == page.evaluate(forged)
        client.wait_for_expiry()
        assert (200, {"plan": "pro"}) == client.call("POST", "/plan")
        assert 1 == server.refreshes


def test_an_anti_csrf_token_of_a_moment_ago(context: BrowserContext, serve_api: ServeApi) -> None:
    """A tab reads its anti-CSRF token, another one refreshes, and the browser adds the new cookies: nobody is signed out."""
    with serve_api(anti_csrf="VIA_TOKEN") as server:
        pages = [context.new_page() for _ in range(2)]
        late, quick = (Client(page, server, "cookie").start(server.origin, lock="none") for page in pages)
        quick.sign_in()
        assert (200, {"user_id": "alice"}) == late.call("GET", "/me")
        late.page.evaluate("beforeRefresh = () => new Promise((go) => { window.go = go; }); undefined")
        late.wait_for_expiry()
        late.page.evaluate("window.answer = call('GET', '/me'); undefined")
        late.page.wait_for_function("() => window.go !== undefined")
        assert (200, {"user_id": "alice"}) == quick.call("GET", "/me")
        late.page.evaluate("window.go()")

        assert 200 == late.page.evaluate("window.answer")["status"]
        assert 2 == server.refreshes
        assert [True, True] == [tab.ask("doesSessionExist") for tab in (late, quick)]
        assert "UNAUTHORISED" not in late.events + quick.events


@pytest.mark.parametrize(
    ("method", "page_host"),
    [
        pytest.param("cookie", "localhost", id="cookie-same-site"),
        pytest.param("header", "localhost", id="header-same-site"),
        pytest.param("header", "127.0.0.1", id="header-cross-site"),
    ],
)
def test_a_page_of_another_origin_signs_in_and_refreshes(
    page: Page,
    new_client: type[Client],
    serve_api: ServeApi,
    certificate: Certificate | None,
    method: Method,
    page_host: str,
) -> None:
    """Across origins, with the CORS headers that the library names, the client works as on its own origin."""
    with (
        serve(lambda _: page_app(), host=page_host, certificate=certificate) as website,
        serve_api(website_domain=website.origin) as server,
    ):
        client = new_client(page, server, method).start(website.origin)
        client.sign_in()
        client.wait_for_expiry()
        assert (200, {"plan": "pro"}) == client.call("POST", "/plan")
        assert 1 == server.refreshes
        assert "pro" == client.ask("getAccessTokenPayloadSecurely")["plan"]
        client.ask("signOut")
        assert not client.ask("doesSessionExist")
