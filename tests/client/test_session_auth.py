"""The `Auth` classes of httpx and httpx2, sync and async, against an application that is served."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, Protocol

import httpx
import httpx2
import pytest

from fastapi_session import SessionConfig
from fastapi_session.client import httpx as for_httpx
from fastapi_session.client import httpx2 as for_httpx2
from fastapi_session.client.dpop import DpopKey
from fastapi_session.client.held import SessionTokens
from tests.browser.script_app import ScriptApp
from tests.browser.server import Server, serve
from tests.moments import HOUR
from tests.wire import AUTH_MODE, SIGN_OUT_PATH

MANY = 20
TLS = ssl.create_default_context()
"""Made once: that takes longer than a test, none of which needs it."""
PACKAGES: dict[str, tuple[Any, Any]] = {
    "httpx": (httpx, for_httpx.SessionAuth),
    "httpx2": (httpx2, for_httpx2.SessionAuth),
}
Method = Literal["header", "cookie"]
Api = tuple[ScriptApp, Server]


class Caller(Protocol):
    """A client, sync or async, as a test drives it."""

    client: Any

    def __init__(self, package: Any, **options: Any) -> None: ...

    def call(self, method: str, path: str, **options: Any) -> Any: ...

    def many(self, path: str) -> list[Any]:
        """Call *path* many times at once."""

    def close(self) -> None: ...


class Sync:
    def __init__(self, package: Any, **options: Any) -> None:
        self.client = package.Client(trust_env=False, verify=TLS, **options)

    def call(self, method: str, path: str, **options: Any) -> Any:
        return self.client.request(method, path, **options)

    def many(self, path: str) -> list[Any]:
        with ThreadPoolExecutor(MANY) as threads:
            return [*threads.map(self.client.get, [path] * MANY)]

    def close(self) -> None:
        self.client.close()


class Async:
    def __init__(self, package: Any, **options: Any) -> None:
        self.runner = asyncio.Runner()
        self.client = package.AsyncClient(trust_env=False, verify=TLS, **options)

    def call(self, method: str, path: str, **options: Any) -> Any:
        return self.runner.run(self.client.request(method, path, **options))

    def many(self, path: str) -> list[Any]:
        async def gather() -> list[Any]:
            return await asyncio.gather(*(self.client.get(path) for _ in range(MANY)))

        return self.runner.run(gather())

    def close(self) -> None:
        self.runner.run(self.client.aclose())
        self.runner.close()


@contextmanager
def serve_api(folder: Path, **settings: Any) -> Iterator[Api]:
    apps: list[ScriptApp] = []

    def build(origin: str) -> Any:
        given = {"api_domain": origin, "website_domain": origin, "access_token_validity": HOUR, **settings}
        apps.append(ScriptApp(SessionConfig(store=f"sqlite:///{folder / 'sessions.db'}", **given)))
        return apps[0].app

    with serve(build, host="127.0.0.1") as server:
        yield apps[0], server


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with serve_api(tmp_path) as api:
        yield api


@pytest.fixture(params=[*PACKAGES])
def package(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    """An HTTP package, and its `SessionAuth`."""
    return PACKAGES[request.param]


@pytest.fixture(params=["header", "cookie"])
def method(request: pytest.FixtureRequest) -> Method:
    return "cookie" if request.param == "cookie" else "header"


Start = Callable[..., Caller]


@pytest.fixture(params=[Sync, Async])
def start(request: pytest.FixtureRequest, package: tuple[Any, Any]) -> Iterator[Start]:
    """Start a client of *server* whose `SessionAuth` is made with *options*."""
    started: list[Caller] = []

    def start(server: Server, *, client: dict[str, Any] | None = None, **options: Any) -> Caller:
        auth = package[1](server.origin, **options)
        started.append(request.param(package[0], base_url=server.origin, auth=auth, **(client or {})))
        return started[-1]

    yield start
    for each in started:
        each.close()


def test_calls_refresh_once(start: Start, api: Api, method: Method) -> None:
    """Of many calls at once whose token has ended all succeed, after one refresh; and so on for hours."""
    app, server = api
    caller = start(server, method=method)
    assert 200 == caller.call("POST", "/login").status_code
    for hours in range(3):
        assert ["ada"] * MANY == [response.json() for response in caller.many("/me")]
        assert hours == server.refreshes
        app.clock.advance(HOUR)


def test_a_refresh_says_which_program(start: Start, api: Api, method: Method) -> None:
    """A refresh has the user agent of the client, so that the session is still shown as that program's."""
    app, server = api
    caller = start(server, method=method, client={"headers": {"user-agent": "ledger/1.0"}})
    caller.call("POST", "/login")
    app.clock.advance(HOUR)
    sent = [each.request for each in caller.call("GET", "/me").history]

    assert ["/me", "/auth/session/refresh"] == [each.url.path for each in sent]
    assert ["ledger/1.0"] * 2 == [each.headers.get("user-agent") for each in sent]


def test_signing_out(start: Start, api: Api, method: Method) -> None:
    """A sign-out with a token that has ended signs out, and nothing is held any more."""
    app, server = api
    caller = start(server, method=method)
    caller.call("POST", "/login")
    app.clock.advance(HOUR)

    assert {"status": "OK"} == caller.call("POST", SIGN_OUT_PATH).json()
    assert {"message": "unauthorised"} == caller.call("GET", "/me").json()
    assert 1 == server.refreshes


def test_a_session_that_was_ended_elsewhere(start: Start, api: Api, method: Method) -> None:
    """A session that is over is told by the refusal of the refresh, once."""
    app, server = api
    caller = start(server, method=method)
    caller.call("POST", "/login")
    caller.call("POST", "/end-all")
    app.clock.advance(HOUR)

    for _ in range(2):
        assert (401, "unauthorised") == ((said := caller.call("GET", "/me")).status_code, said.json()["message"])
    assert 1 == len([line for line in server.answers if "/session/refresh" in line])


def test_a_store_that_is_down(start: Start, api: Api, method: Method) -> None:
    """A refresh that finds the store down is the answer, and the session goes on when it is back."""
    app, server = api
    caller = start(server, method=method)
    caller.call("POST", "/login")
    app.clock.advance(HOUR)
    app.sessions.outages = 1

    assert [503, 200] == [caller.call("GET", "/me").status_code for _ in range(2)]


def test_tokens_outlive_the_program(start: Start, api: Api) -> None:
    """What `keep` was told an earlier run's session goes on with; when it is over, `keep` is told so."""
    app, server = api
    kept: list[SessionTokens | None] = []
    start(server, keep=kept.append).call("POST", "/login")
    app.clock.advance(HOUR)
    later = start(server, tokens=kept[-1], keep=kept.append)

    assert "ada" == later.call("GET", "/me").json()
    assert 2 == len({each.refresh_token for each in kept if each is not None})
    later.call("POST", "/sudo")
    later.call("POST", SIGN_OUT_PATH)
    assert [SessionTokens] * 3 + [type(None)] == [type(each) for each in kept]


def test_other_origins_see_nothing(start: Start, api: Api, method: Method) -> None:
    """A call of another origin carries no token, and its refusal is left alone."""
    server = api[1]
    caller = start(server, method=method)
    caller.call("POST", "/login")
    foreign = server.origin.replace("127.0.0.1", "localhost")

    assert (401, "unauthorised") == ((said := caller.call("GET", f"{foreign}/me")).status_code, said.json()["message"])
    assert "authorization" not in said.request.headers
    assert AUTH_MODE not in said.request.headers
    assert "ada" == caller.call("GET", "/me").json()


def test_a_body_that_is_read_once(start: Start, api: Api) -> None:
    """A call whose body is a stream is made again with the same body."""
    app, server = api
    caller = start(server)
    caller.call("POST", "/login")
    app.clock.advance(HOUR)

    async def chunks() -> Any:
        yield b"0123"
        yield b"456789"

    content = chunks() if isinstance(caller, Async) else iter([b"0123", b"456789"])
    assert 10 == caller.call("POST", "/size", content=content).json()


def test_a_redirect_that_signs_in(start: Start, api: Api, method: Method) -> None:
    """Tokens that come with a redirect that is followed are taken."""
    caller = start(api[1], method=method, client={"follow_redirects": True})

    caller.call("POST", "/login-and-go")
    assert "ada" == caller.call("GET", "/me").json()


def test_cookies_of_the_application(start: Start, api: Api) -> None:
    """Cookies that the client holds for other reasons are sent beside those of the session."""
    app, server = api
    caller = start(server, method="cookie", client={"cookies": {"theme": "dark"}})
    caller.call("POST", "/login")
    app.clock.advance(HOUR)

    assert "dark ada" == caller.call("GET", "/theme").json()


def test_anti_csrf(start: Start, tmp_path: Path) -> None:
    """In cookies the anti-CSRF token goes with each call, before and after a refresh."""
    with serve_api(tmp_path, anti_csrf="VIA_TOKEN") as (app, server):
        caller = start(server, method="cookie")
        caller.call("POST", "/login")
        for _ in range(2):
            assert caller.call("POST", "/sudo").json()
            app.clock.advance(HOUR)


def test_a_stream_is_not_read(start: Start, api: Api) -> None:
    """An answer that is no refusal is left for the program to read."""
    caller = start(api[1])
    caller.call("POST", "/login")
    request = caller.client.build_request("GET", "/me")
    sent = caller.client.send(request, stream=True)
    response = caller.runner.run(sent) if isinstance(caller, Async) else sent

    assert not response.is_stream_consumed
    if isinstance(caller, Async):
        caller.runner.run(response.aclose())
    else:
        response.close()


def test_tokens_are_not_shown(package: tuple[Any, Any]) -> None:
    """Neither what keeps tokens nor what they are kept in shows one."""
    tokens = SessionTokens("s3cret", "s3cret")

    assert "s3cret" not in repr([tokens, package[1]("http://127.0.0.1", tokens=tokens)])


def test_tokens_are_no_cookies(package: tuple[Any, Any]) -> None:
    """Tokens cannot be given to a client whose tokens are cookies, and the error says so."""
    with pytest.raises(ValueError, match='in method="cookie" they are cookies'):
        package[1]("http://127.0.0.1", method="cookie", tokens=SessionTokens("a", "b"))


def test_a_refusal_of_another_origin(start: Start, api: Api) -> None:
    """A call that is led to another origin, which says "try refresh token", is not refreshed for: that is none of ours."""
    server = api[1]
    caller = start(server, client={"follow_redirects": True})
    caller.call("POST", "/login")
    foreign = server.origin.replace("127.0.0.1", "localhost")

    assert 401 == caller.call("GET", f"/led?to={foreign}/stale").status_code
    assert 0 == server.refreshes


def test_a_refusal_that_stays(start: Start, api: Api, method: Method) -> None:
    """A call that is refused after every refresh has its refusal for an answer, and not that of the last refresh."""
    server = api[1]
    caller = start(server, method=method)
    caller.call("POST", "/login")

    assert (401, "try refresh token") == ((said := caller.call("GET", "/stale")).status_code, said.json()["message"])
    assert 3 == server.refreshes


@pytest.mark.parametrize("nonces", [False, True])
def test_a_session_that_is_bound(nonces: bool, start: Start, tmp_path: Path) -> None:
    """A client with a key is served for hours, alone and with many calls at once; its tokens are of no use without the key."""
    with serve_api(tmp_path, dpop="required", dpop_nonces=nonces) as (app, server):
        key = DpopKey(clock=app.clock)
        caller = start(server, dpop=key)
        assert 200 == caller.call("POST", "/login").status_code
        for hours in range(3):
            assert ["ada"] * MANY == [response.json() for response in caller.many("/me")]
            assert hours == server.refreshes
            app.clock.advance(HOUR)
        tokens = caller.client.auth.tokens
        thieves = [start(server, tokens=tokens), start(server, tokens=tokens, dpop=DpopKey(clock=app.clock))]

        assert [401, 401] == [thief.call("GET", "/me").status_code for thief in thieves]
        assert "ada" == start(server, tokens=tokens, dpop=key).call("GET", "/me").json()
        assert 401 == start(server).call("POST", "/login").status_code


def test_a_key_where_nothing_is_bound(start: Start, api: Api) -> None:
    """An application that binds no session gives tokens as to any client, and they are brought as a bearer brings them."""
    app, server = api
    caller = start(server, dpop=DpopKey(clock=app.clock))
    assert 200 == caller.call("POST", "/login").status_code
    app.clock.advance(HOUR)

    assert "ada" == caller.call("GET", "/me").json()
    assert "ada" == start(server, tokens=caller.client.auth.tokens).call("GET", "/me").json()


def test_a_key_for_a_session_from_before(start: Start, api: Api, tmp_path: Path) -> None:
    """A client that had a session before it had a key signs in again, and that session is bound."""
    _, before = api
    unbound = start(before)
    assert 200 == unbound.call("POST", "/login").status_code
    with serve_api(tmp_path, dpop="required", token_transfer_method="header") as (app, server):
        caller = start(server, tokens=unbound.client.auth.tokens, dpop=DpopKey(clock=app.clock))

        app.clock.advance(HOUR)
        assert 401 == caller.call("GET", "/me").status_code
        assert 200 == caller.call("POST", "/login").status_code
        assert "ada" == caller.call("GET", "/me").json()
        assert 401 == start(server, tokens=caller.client.auth.tokens).call("GET", "/me").status_code


def test_a_key_is_for_headers(package: tuple[Any, Any]) -> None:
    """A key in cookie mode is a mistake, and said so."""
    with pytest.raises(ValueError, match="dpop: a key is proved for tokens in headers"):
        package[1]("http://localhost", method="cookie", dpop=DpopKey())
