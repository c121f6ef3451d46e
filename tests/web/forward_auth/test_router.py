"""A proxy of each kind asks whether a request may pass."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Annotated, Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from fastapi import Depends, FastAPI
from httpx2 import Response
from starlette.requests import HTTPConnection

from fastapi_session import (
    Authentication,
    ConfigurationError,
    CreateSession,
    Fresh,
    MemoryStore,
    PayloadRule,
    PrimitiveClaim,
    Rule,
    Sessions,
    StoreUnavailable,
    create_session,
    forward_auth_router,
    safe_next,
    verify_session,
)
from fastapi_session.model import Reading
from fastapi_session.testing import HandClock
from fastapi_session.web.forward_auth.original import PROXIES, Proxy, original_of
from tests.engines import ORIGIN, config, engine
from tests.moments import DAY, HOUR
from tests.web.deployment import Deployment, Verified, application, deployed
from tests.web.forward_auth.shapes import ASKED_BY, HOST, SECRET, Headers
from tests.web.proving import Prover
from tests.web.wire import KEPT, TRY_REFRESH_TOKEN, UNAUTHORISED, change
from tests.wire import ANTI_CSRF, AUTH_MODE

MAX = PayloadRule("plan", lambda payload: payload.get("plan") == "max")
HTML = {"accept": "text/html,*/*;q=0.8", "sec-fetch-mode": "navigate"}
SPOOFED = {
    "x-auth-user": "root",
    "x-auth-tenant": "root",
    "x-auth-session": "root",
    "x-auth-actor": "root",
    "x-auth-acr": "root",
}
NOBODY = dict.fromkeys(SPOOFED, "")

RULES = [
    Rule("/open", verify_session(session_required=False)),
    Rule("/closed", "nobody"),
    Rule("/max", verify_session(MAX)),
    Rule("/fresh", verify_session(Fresh(minutes=5))),
    Rule("/form", verify_session(anti_csrf_check=True)),
    Rule("/checked", verify_session(check_database=True)),
    Rule("/read", verify_session(), methods=["GET", "HEAD"]),
    Rule("/few", verify_session(), methods=["PROPFIND", "PURGE", "VERSION-CONTROL"]),
    Rule("/elsewhere", verify_session(), host="elsewhere.example"),
    Rule("/here", verify_session(), host=HOST),
    Rule("/app", verify_session()),
]


class Proxied:
    """An application with sessions, asked by one proxy."""

    def __init__(self, deployment: Deployment, proxy: Proxy) -> None:
        self.deployment = deployment
        self.proxy = proxy

    def ask(self, target: str, *headers: Headers, method: str = "GET") -> Response:
        """What the proxy is answered about a request to *target* with *headers*."""
        given = {name: value for each in headers for name, value in each.items()}
        question = ASKED_BY[self.proxy](method, target, given)
        return self.deployment.request(question.method, question.path, question.headers)

    def user(self, target: str, *headers: Headers, method: str = "GET") -> str:
        response = self.ask(target, *headers, method=method)
        assert 200 == response.status_code, response.text
        return str(response.headers["x-auth-user"])


Serve = Callable[..., Proxied]


@pytest.fixture
def serve(clock: HandClock) -> Iterator[Serve]:
    with ExitStack() as served:

        def serve(proxy: Proxy, *rules: Rule, sessions: Sessions | None = None, **options: Any) -> Proxied:
            sessions = sessions or engine(clock)
            app = application(sessions)
            _log_in(app)
            given = {"proxy": proxy, "proxy_secret": SECRET, **options}
            app.include_router(forward_auth_router(rules or RULES, **given))
            return Proxied(served.enter_context(deployed(app, sessions, clock)), proxy)

        yield serve


def _log_in(app: FastAPI) -> None:
    @app.post("/login-as")
    async def login(create: Annotated[CreateSession, Depends(create_session())]) -> None:
        await create("J\u00fcrgen 100%", tenant_id="acme", authentication=Authentication(("pwd",), acr="aal1"))

    @app.post("/act")
    async def act(session: Verified) -> None:
        await session.impersonate("bob", reason="ticket 7")


@pytest.fixture(params=PROXIES)
def proxied(request: pytest.FixtureRequest, serve: Serve) -> Proxied:
    return serve(request.param)


def told(response: Response) -> dict[str, str]:
    """What a service would be told of whose request it is."""
    return {name: response.headers[name] for name in SPOOFED if name in response.headers}


@pytest.mark.parametrize("method", ["cookie", "header"])
def test_a_session(method: str, proxied: Proxied) -> None:
    """A request with a session passes, and the service is told whose it is, whatever the client has written there."""
    held = proxied.deployment.login(method)
    response = proxied.ask("/app/x?y=1", held.to_call(), SPOOFED)
    handle = proxied.deployment.ask(proxied.deployment.sessions.of_user, "ada")[0].handle

    assert (200, b"", KEPT) == (response.status_code, response.content, change(response))
    assert NOBODY | {"x-auth-user": "ada", "x-auth-tenant": "public", "x-auth-session": handle} == told(response)
    assert ("no-store", "Cookie, Authorization") == (response.headers["cache-control"], response.headers["vary"])
    assert not {"set-cookie", "authorization"} & {*response.headers}


@pytest.mark.parametrize("name", ["x_auth_user", "X_Auth-User", "x-auth_acr", "x.auth.session"])
def test_a_name_that_is_read_as_another(name: str, proxied: Proxied) -> None:
    """A header that WSGI or PHP would read as one of identity does not get in: a proxy replaces it under its one name alone."""
    response = proxied.ask("/app", proxied.deployment.login().to_call(), {name: "admin"})

    assert (403, {}) == (response.status_code, told(response))
    assert 200 == proxied.ask("/open", {"x_auth_users": "x", "x-auth": "y"}).status_code


def test_names(serve: Serve) -> None:
    """What is no visible ASCII is percent-encoded, and so is the percent sign; who acts is told."""
    proxied = serve("caddy")
    login = proxied.deployment.post("/login-as", {AUTH_MODE: "header"}).headers["st-access-token"]
    acting = proxied.deployment.post("/act", {"authorization": f"Bearer {login}"}).headers["st-access-token"]
    first, second = (told(proxied.ask("/app", {"authorization": f"Bearer {each}"})) for each in (login, acting))

    assert ("J%C3%BCrgen%20100%25", "acme", "aal1", "") == tuple(
        first[f"x-auth-{name}"] for name in ("user", "tenant", "acr", "actor")
    )
    assert ("bob", "J%C3%BCrgen%20100%25", "") == tuple(second[f"x-auth-{name}"] for name in ("user", "actor", "acr"))


def test_nobody(proxied: Proxied) -> None:
    """Where no session is required, whoever has none passes, and every header is sent empty."""
    response = proxied.ask("/open", SPOOFED)

    assert (200, NOBODY) == (response.status_code, told(response))
    assert "ada" == proxied.user("/open", proxied.deployment.login().to_call())


def test_refusals(proxied: Proxied) -> None:
    """Who would be refused by a route is refused here by the same response, and no token is cleared."""
    deployment = proxied.deployment
    held = deployment.login()
    max_only = proxied.ask("/max", held.to_call())
    fresh = proxied.ask("/fresh", held.to_call())
    deployment.ask(deployment.sessions.revoke_all, "ada")
    ended = proxied.ask("/checked", held.to_call())
    expired = deployment.login()
    deployment.clock.advance(HOUR)
    responses = {
        "nobody": proxied.ask("/app"),
        "expired": proxied.ask("/app", expired.to_call()),
        "ended": ended,
        "claims": max_only,
        "step-up": fresh,
    }

    assert [(401, UNAUTHORISED), (401, TRY_REFRESH_TOKEN), (401, UNAUTHORISED)] == [
        (responses[each].status_code, responses[each].json()) for each in ("nobody", "expired", "ended")
    ]
    assert (403, [{"id": "plan"}]) == (max_only.status_code, max_only.json()["claimValidationErrors"])
    assert (401, True) == (fresh.status_code, fresh.headers["www-authenticate"].startswith("Bearer error="))
    for each in responses.values():
        assert (KEPT, "no-store", {}) == (change(each), each.headers["cache-control"], told(each))
        assert "set-cookie" not in each.headers


@pytest.mark.parametrize(
    ("target", "method", "status"),
    [
        ("/", "GET", 403),
        ("/apple", "GET", 403),
        ("/closed", "GET", 403),
        ("/closed/x", "GET", 403),
        ("/read", "GET", 200),
        ("/read", "HEAD", 200),
        ("/read", "DELETE", 403),
        ("/here", "GET", 200),
        ("/elsewhere", "GET", 403),
        ("/app/../closed", "GET", 403),
        ("/app/%2e%2e/closed", "GET", 403),
        ("/app%2fx", "GET", 403),
        ("/app/..;/closed", "GET", 403),
        ("/app/%252e%252e/closed", "GET", 403),
        ("/%61pp", "GET", 200),
        ("/%63losed", "GET", 403),
        ("/app?x=/../%2f", "GET", 200),
    ],
)
def test_rules(target: str, method: str, status: int, proxied: Proxied) -> None:
    """The first rule about a request decides, and what none is about does not pass; neither does a path with two readings."""
    response = proxied.ask(target, proxied.deployment.login().to_call(), {"rid": "x"}, method=method)

    assert status == response.status_code, response.text


@pytest.mark.parametrize("proxy", ["nginx", "traefik", "caddy"])
def test_a_fragment(proxy: Proxy, serve: Serve) -> None:
    """A path with a fragment has two readings, so it does not pass."""
    proxied = serve(proxy)

    assert 403 == proxied.ask("/app#/../closed", proxied.deployment.login().to_call()).status_code


def test_a_fragment_in_the_path_of_the_question() -> None:
    """Neither does one behind Envoy, which refuses it by itself, if the server leaves it there."""
    # Not by a client: it leaves a fragment out of what it sends.
    asked = {"type": "http", "method": "GET", "path": "", "raw_path": b"/auth/verify/app#/../closed", "headers": []}

    assert original_of(HTTPConnection(asked), "envoy", asked_at="/auth/verify").path is None


class TestForgery:
    """Whether another site may have sent the request is asked by its own method, not by that of the question."""

    @pytest.mark.parametrize("proxy", PROXIES)
    @pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE"])
    @pytest.mark.parametrize("mode", ["NONE", "VIA_CUSTOM_HEADER", "VIA_TOKEN"])
    def test_a_cookie(self, mode: str, method: str, proxy: Proxy, clock: HandClock, serve: Serve) -> None:
        """A token in a cookie needs the proof that a route asks for, and a bearer token none."""
        proxied = serve(proxy, sessions=engine(clock, anti_csrf=mode))
        held, bearer = proxied.deployment.login(), proxied.deployment.login("header")
        bare = {"cookie": held.to_call()["cookie"]}
        asked = mode != "NONE" and method != "GET"

        assert (401 if asked else 200) == proxied.ask("/app", bare, method=method).status_code
        proof = {"rid": "x"} | ({} if held.anti_csrf is None else {ANTI_CSRF: held.anti_csrf})
        assert 200 == proxied.ask("/app", held.to_call(), proof, method=method).status_code
        assert 200 == proxied.ask("/app", bearer.to_call(), method=method).status_code

    @pytest.mark.parametrize("proxy", ["nginx", "traefik", "caddy"])
    @pytest.mark.parametrize("method", ["", "get", "GET ", "GET, POST", "\u00e4", None])
    def test_an_unknown_method(self, method: str | None, proxy: Proxy, clock: HandClock, serve: Serve) -> None:
        """A method that is not known counts as one that changes something, and rules that name methods are not about it."""
        proxied = serve(proxy, sessions=engine(clock, anti_csrf="VIA_CUSTOM_HEADER"))
        name = "x-original-method" if proxy == "nginx" else "x-forwarded-method"
        cookie = {"cookie": proxied.deployment.login().to_call()["cookie"]}

        for target, status in (("/app", 401), ("/read", 403)):
            question = ASKED_BY[proxy]("GET", target, cookie)
            headers: Any = {key: value for key, value in question.headers.items() if key != name}
            if method is not None:
                headers[name] = method.encode("latin-1")
            assert status == proxied.deployment.request("GET", question.path, headers).status_code

    @pytest.mark.parametrize("proxy", PROXIES)
    @pytest.mark.parametrize("method", ["post", "Post", "POST"])
    def test_a_method_with_two_readings(self, method: str, proxy: Proxy, serve: Serve) -> None:
        """A method that some services read as another one passes by no rule for it, and by none that comes after."""
        rules = [Rule("/app", "nobody", methods=["POST"]), Rule("/app", verify_session())]
        proxied = serve(proxy, *rules)
        bearer = proxied.deployment.login("header").to_call()

        assert 403 == proxied.ask("/app", bearer, method=method).status_code
        assert 200 == proxied.ask("/app", bearer, method="PUT").status_code

    @pytest.mark.parametrize("proxy", PROXIES)
    @pytest.mark.parametrize("port", [":https", ":123456", "..", ":"])
    def test_a_host_with_two_readings(self, port: str, proxy: Proxy, serve: Serve) -> None:
        """A host that the proxy knows, and that is not read here, passes by no rule for it, and by none that comes after."""
        proxied = serve(
            proxy, Rule("/app", "nobody", host=HOST), Rule("/app", verify_session()), Rule("/here", verify_session())
        )
        bearer = proxied.deployment.login("header").to_call()

        for target, host, status in (
            ("/app", HOST, 403),
            ("/app", f"{HOST}{port}", 403),
            ("/app", "of_another.example", 200),
            ("/here", f"{HOST}{port}", 200),
        ):
            question = ASKED_BY[proxy]("GET", target, bearer)
            headers = {name: value.replace(HOST, host) for name, value in question.headers.items()}
            assert status == proxied.deployment.request("GET", question.path, headers).status_code, (target, host)

    @pytest.mark.parametrize("proxy", PROXIES)
    def test_other_headers(self, proxy: Proxy, clock: HandClock, serve: Serve) -> None:
        """What a client writes into the headers of another proxy counts for nothing."""
        proxied = serve(proxy, sessions=engine(clock, anti_csrf="VIA_CUSTOM_HEADER"))
        cookie = {"cookie": proxied.deployment.login().to_call()["cookie"]}
        written = {
            "x-original-method": "GET",
            "x-original-url": f"https://{HOST}/open",
            "x-original-uri": "/open",
            "x-forwarded-method": "GET",
            "x-forwarded-uri": "/open",
            "x-http-method-override": "GET",
            "x-rewrite-url": "/open",
        }

        assert 401 == proxied.ask("/app", written, cookie, method="POST").status_code
        assert 401 == proxied.ask("/app", written).status_code

    @pytest.mark.parametrize(
        ("origin", "status"),
        [
            (None, 200),
            (f"https://{HOST}", 200),
            (f"https://{HOST}:443", 200),
            (f"http://{HOST}", 401),
            (f"https://{HOST}:8443", 401),
            (f"https://evil.{HOST}", 401),
            ("https://evil.example", 401),
            ("null", 401),
            (ORIGIN, 200),
        ],
    )
    @pytest.mark.parametrize("named", [{"sec-websocket-key": "x"}, {"sec-websocket-version": "13"}])
    def test_a_socket(self, named: Headers, origin: str | None, status: int, proxied: Proxied) -> None:
        """A socket is opened by a page of its own host, of the website or of the API; by a bearer token from anywhere."""
        headers = {**named, **({} if origin is None else {"origin": origin})}
        cookie, bearer = proxied.deployment.login().to_call(), proxied.deployment.login("header")
        offered = {"sec-websocket-protocol": f"session, session.bearer.{bearer.access}"}

        assert status == proxied.ask("/app", headers, cookie).status_code
        assert 200 == proxied.ask("/app", headers, bearer.to_call()).status_code
        assert 200 == proxied.ask("/app", headers, offered).status_code


class TestTrust:
    """Who is believed."""

    @pytest.mark.parametrize("proxy", PROXIES)
    @pytest.mark.parametrize(
        "secret",
        ["", "x", SECRET[:-1], f"{SECRET}x", f"{SECRET}, {SECRET}", SECRET.upper()],
        ids=["none", "a letter", "one letter less", "one letter more", "twice", "in capitals"],
    )
    def test_a_stranger(self, secret: str, proxy: Proxy, serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
        """Whoever does not know the secret is told nothing, and one warning says so, without the secret."""
        proxied = serve(proxy)
        held = proxied.deployment.login()
        question = ASKED_BY[proxy]("GET", "/app", held.to_call())
        caplog.clear()
        for _ in range(2):
            response = proxied.deployment.request(
                question.method, question.path, {**question.headers, "x-proxy-secret": secret}
            )
            assert (403, {}) == (response.status_code, told(response))
        warned = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]

        assert 1 == len(warned)
        assert SECRET not in caplog.text

    @pytest.mark.parametrize("asks", PROXIES)
    @pytest.mark.parametrize("proxy", PROXIES)
    def test_another_proxy(self, proxy: Proxy, asks: Proxy, serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
        """If another proxy asks than the one that is configured, nothing passes, and one warning says so, without any token."""
        are_alike = proxy == asks or {proxy, asks} == {"traefik", "caddy"}
        proxied = serve(proxy)
        held = proxied.deployment.login()
        question = ASKED_BY[asks]("GET", "/app", held.to_call())
        caplog.clear()
        statuses = {
            proxied.deployment.request(question.method, question.path, question.headers).status_code for _ in range(2)
        }
        warned = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]

        assert {200 if are_alike else 403} == statuses
        assert (0 if are_alike else 1) == len([said for said in warned if f"as {proxy} would" in said])
        assert not [each for each in (SECRET, *held.to_call().values()) if each in caplog.text]

    @pytest.mark.parametrize(
        ("trusted", "client", "status"),
        [
            (["10.0.0.0/8"], "10.1.2.3", 200),
            (["10.0.0.0/8", "192.0.2.7"], "192.0.2.7", 200),
            (["10.0.0.0/8"], "11.1.2.3", 403),
            (["fd00::/8"], "fd00::1", 200),
            (["fd00::/8"], "10.1.2.3", 403),
            (["10.0.0.0/8"], "::ffff:10.1.2.3", 200),
            (["10.0.0.0/8"], "::ffff:11.1.2.3", 403),
            (["10.0.0.0/8"], "testclient", 403),
            (["10.0.0.0/8"], None, 403),
        ],
    )
    def test_an_address(self, trusted: list[str], client: str | None, status: int, serve: Serve) -> None:
        """A proxy may be known by its address, as the server says it, and by no header."""
        proxied = serve("traefik", proxy_secret=None, trusted_proxies=trusted)
        proxied.deployment.client._transport.client = client and (client, 1)  # type: ignore[attr-defined]
        held = proxied.deployment.login()

        assert status == proxied.ask("/app", held.to_call(), {"x-real-ip": "10.1.1.1"}).status_code

    def test_what_is_wrong(self) -> None:
        """Settings by which nobody would be believed, or anybody, are refused at once, and no secret is shown."""
        for options, match in (
            ({}, "give proxy_secret"),
            ({"proxy_secret": "short"}, "at least 32"),
            ({"proxy_secret": "x" * 64}, "at least 32"),
            ({"proxy_secret": f"{SECRET}\n"}, "at least 32"),
            ({"trusted_proxies": ["10.0.0.1/8"]}, "addresses or networks"),
            ({"trusted_proxies": ["proxy"]}, "addresses or networks"),
        ):
            with pytest.raises(ConfigurationError, match=match) as raised:
                forward_auth_router(RULES, proxy="nginx", **options)
            assert SECRET not in str(raised.value)


class TestToken:
    """A token for the service."""

    RULES = (
        Rule("/with", verify_session(session_required=False), audience="https://reports.internal"),
        Rule("/without", verify_session()),
    )

    def test_it_is_sent(self, serve: Serve) -> None:
        """The service is sent a token for itself, for a minute; where it has none, what the client wrote there is replaced."""
        proxied = serve("caddy", *self.RULES)
        held = proxied.deployment.login("header")
        scheme, _, token = proxied.ask("/with", held.to_call()).headers["authorization"].partition(" ")
        keys = jwt.PyJWKSet.from_dict(proxied.deployment.get("/auth/jwt/jwks.json").json())
        key = keys[jwt.get_unverified_header(token)["kid"]]
        options: Any = {"verify_exp": False, "verify_iat": False}
        claims = jwt.decode(token, key, audience="https://reports.internal", options=options)

        assert ("Bearer", "ada", 60) == (scheme, claims["sub"], claims["exp"] - claims["iat"])
        assert "" == proxied.ask("/with").headers["authorization"]
        assert "" == proxied.ask("/without", held.to_call()).headers["authorization"]
        assert 401 == proxied.ask("/without", {"authorization": f"Bearer {token}"}).status_code


class TestSignIn:
    """Browsers that are sent to sign in."""

    @pytest.mark.parametrize("proxy", ["traefik", "caddy", "envoy"])
    def test_a_page(self, proxy: Proxy, serve: Serve) -> None:
        """A page is sent to sign in, with its path; whatever else is refused as ever."""
        proxied = serve(proxy, login_url="/login")
        held = proxied.deployment.login()
        sent = proxied.ask("/app/x?y=%26", HTML)

        assert (303, "/login?next=/app/x?y=%2526") == (sent.status_code, sent.headers["location"])
        assert ("no-store", False) == (sent.headers["cache-control"], "set-cookie" in sent.headers)
        assert 401 == proxied.ask("/app", {"accept": "*/*"}).status_code
        assert 401 == proxied.ask("/app", HTML, method="POST").status_code
        assert 401 == proxied.ask("/app", HTML, {"sec-websocket-key": "x"}).status_code
        assert 403 == proxied.ask("/max", HTML, held.to_call()).status_code
        assert 403 == proxied.ask("/nowhere", HTML).status_code
        proxied.deployment.clock.advance(HOUR)
        assert 303 == proxied.ask("/app", HTML, held.to_call()).status_code

    def test_a_forged_request(self, clock: HandClock, serve: Serve) -> None:
        """Who is signed in, but may have been sent by another site, is not sent to sign in."""
        proxied = serve("caddy", sessions=engine(clock, anti_csrf="VIA_CUSTOM_HEADER"), login_url="/login")
        response = proxied.ask("/form", HTML, proxied.deployment.login().to_call())

        assert (401, TRY_REFRESH_TOKEN) == (response.status_code, response.json())

    @pytest.mark.parametrize(
        "target", ["/here//evil.example", "/here/\\evil.example", "/here/%2f%2fevil.example", "//evil.example/here"]
    )
    def test_an_open_redirect(self, target: str, serve: Serve) -> None:
        """No path leads the browser to another host."""
        proxied = serve("caddy", Rule("/", verify_session()), login_url="/login")
        response = proxied.ask(target, HTML)

        assert 403 == response.status_code
        assert "location" not in response.headers

    def test_another_host(self, serve: Serve) -> None:
        """A sign-in page elsewhere is told the whole address, if the rule names its host; it lets in the origins that it knows."""
        proxied = serve("caddy", login_url="https://login.example/in?x=1")
        location = proxied.ask("/here?y=1", HTML).headers["location"]
        (back,) = parse_qs(urlsplit(location).query)["next"]

        assert f"https://{HOST}/here?y=1" == back
        assert "https://login.example/in?x=1" == proxied.ask("/app", HTML).headers["location"]
        assert (back, "/") == (safe_next(back, origins=[f"https://{HOST}"]), safe_next(back))

    def test_what_is_wrong(self) -> None:
        """nginx passes no redirect on, and a sign-in page is a path or is served by https."""
        with pytest.raises(ConfigurationError, match="error_page 401"):
            forward_auth_router(RULES, proxy="nginx", proxy_secret=SECRET, login_url="/login")
        for login_url in ("login", "//evil.example", "http://login.example/", "javascript:alert(1)", "https://a b/"):
            with pytest.raises(ConfigurationError, match="give login_url as a path"):
                forward_auth_router(RULES, proxy="caddy", proxy_secret=SECRET, login_url=login_url)
        for login_url in ("https://login.example", "http://localhost:8000/login"):
            forward_auth_router(RULES, proxy="caddy", proxy_secret=SECRET, login_url=login_url)


def test_a_store_that_is_down(clock: HandClock, serve: Serve) -> None:
    """503 with `Retry-After` where the store is needed, 200 where it is not, and no token is touched."""

    class DownStore(MemoryStore):
        down = False

        async def get(self, session_id: str) -> Reading:
            if self.down:
                raise StoreUnavailable("the store is down")
            return await super().get(session_id)

    store = DownStore(clock=clock)
    proxied = serve("caddy", sessions=Sessions(config(store=store), clock=clock))
    held = proxied.deployment.login()
    store.down = True
    needed, not_needed = (proxied.ask(path, held.to_call(), HTML) for path in ("/checked", "/app"))

    assert (503, "1", KEPT) == (needed.status_code, needed.headers["retry-after"], change(needed))
    assert 200 == not_needed.status_code


def test_a_claim_that_is_fetched_again(clock: HandClock, serve: Serve) -> None:
    """A claim may be fetched for a rule, but the new token is not sent: a proxy would lose it, and the client refreshes anyway."""
    levels = iter([1, 2])

    async def level(_user_id: str, _tenant_id: str, _payload: Any) -> int:
        return next(levels)

    claim = PrimitiveClaim[int]("level", level)
    sessions = Sessions(config(), claims=[claim], clock=clock)
    proxied = serve("caddy", Rule("/", verify_session(claim.has_value(2, max_age=DAY))), sessions=sessions)
    held = proxied.deployment.refreshed(proxied.deployment.login())
    clock.advance(DAY)
    response = proxied.ask("/", proxied.deployment.refreshed(held).to_call())

    assert (200, KEPT) == (response.status_code, change(response))


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (("reports", verify_session()), "path_prefix"),
        (("", verify_session()), "path_prefix"),
        (("/a/../b", verify_session()), "path_prefix"),
        (("/a%2fb", verify_session()), "path_prefix"),
        (("/a//b", verify_session()), "path_prefix"),
        ((None, verify_session()), "path_prefix"),
        (("/", None), "what it requires"),
        (("/", verify_session), "what it requires"),
        (("/", verify_session(), "Reports.example"), "host in lower case"),
        (("/", verify_session(), "reports.example:443"), "host in lower case"),
        (("/", verify_session(), None, "GET"), "methods as a list"),
        (("/", verify_session(), None, ["get"]), "methods as a list"),
        (("/", verify_session(), None, (), ""), "audience"),
    ],
)
def test_a_rule_that_cannot_be(arguments: Any, match: str) -> None:
    """A rule that no request can meet, or that says less than it seems to, is refused when it is made."""
    with pytest.raises(ConfigurationError, match=match):
        Rule(*arguments)


@pytest.mark.parametrize(("rules", "proxy"), [([], "nginx"), (["/"], "nginx"), (RULES, "apache")])
def test_no_rules(rules: Any, proxy: Any) -> None:
    """Without rules, and for a proxy that is not known, there is no router."""
    with pytest.raises(ConfigurationError, match="forward_auth_router: give"):
        forward_auth_router(rules, proxy=proxy, proxy_secret=SECRET)


@pytest.mark.parametrize(
    "url",
    [
        "https://reports.example?x=/app",
        "https://reports.example#/app",
        "https://a@b/app",
        "https://reports.example\\/app",
        "https:///app",
        "/app",
        "reports.example/app",
        "https://reports.example",
        "file:///app",
    ],
)
def test_an_address_with_two_readings(url: str, serve: Serve) -> None:
    """nginx puts the client's `Host` into the address as it came: what could be read as another path is not read."""
    proxied = serve("nginx", Rule("/", verify_session(), host=HOST))
    headers = {**proxied.deployment.login().to_call(), "x-original-method": "GET", "x-proxy-secret": SECRET}

    assert 403 == proxied.deployment.get("/auth/verify", {**headers, "x-original-url": url}).status_code
    assert (
        200 == proxied.deployment.get("/auth/verify", {**headers, "x-original-url": f"https://{HOST}/app"}).status_code
    )


def test_a_request_without_a_host(serve: Serve) -> None:
    """HTTP/1.0 has none, and nginx before 1.29.5 tells none of HTTP/3: such a request passes by a rule that names no host."""
    proxied = serve("nginx", Rule("/here", verify_session(), host=HOST), Rule("/", verify_session()))
    headers = {**proxied.deployment.login().to_call(), "x-original-method": "GET", "x-proxy-secret": SECRET}
    responses = {
        target: proxied.deployment.get("/auth/verify", {**headers, "x-original-url": f"https://{target}"})
        for target in ("/app", "/here", "//app")
    }

    assert {"/app": 200, "/here": 403, "//app": 403} == {
        target: response.status_code for target, response in responses.items()
    }


@pytest.mark.parametrize("method", ["PROPFIND", "PURGE", "VERSION-CONTROL"])
def test_a_method_of_few(method: str, proxied: Proxied) -> None:
    """Methods that few services have pass by a rule that names them or none, whichever proxy asks."""
    bearer = proxied.deployment.login("header").to_call()

    assert "ada" == proxied.user("/app", bearer, method=method)
    assert "ada" == proxied.user("/few", bearer, method=method)
    assert 403 == proxied.ask("/few", bearer).status_code


@pytest.mark.parametrize(
    ("target", "headers", "said"),
    [
        ("/none?token=secret", {}, "no rule lets this request pass; could not be read: nothing"),
        ("/app//x", {}, "no rule lets this request pass; could not be read: path"),
        ("/app", {"x_auth_user": "ada"}, "a header has the name of one of identity, but for its dashes"),
    ],
)
def test_the_log(target: str, headers: Headers, said: str, proxied: Proxied, caplog: pytest.LogCaptureFixture) -> None:
    """Why a request does not pass is in the log, since nginx replaces the response; nothing that came is."""
    caplog.set_level(logging.DEBUG, "fastapi_session")

    assert 403 == proxied.ask(target, headers).status_code
    assert said in caplog.text
    assert "secret" not in caplog.text


def test_two_of_a_header(serve: Serve) -> None:
    """What comes twice is not known."""
    proxied = serve("caddy")
    asked = ASKED_BY["caddy"]("GET", "/app", proxied.deployment.login().to_call()).headers
    for name in ("x-forwarded-uri", "x-proxy-secret"):
        headers = [*asked.items(), (name, asked[name])]
        assert 403 == proxied.deployment.client.get("/auth/verify", headers=headers).status_code


@pytest.mark.parametrize("proxy", PROXIES)
class TestBound:
    """A session that is bound by DPoP."""

    def test_the_owner(self, proxy: Proxy, serve: Serve, clock: HandClock) -> None:
        """Its client proves the request that it makes, at the host that the rule names, or else at that of the API."""
        proxied = serve(proxy, sessions=engine(clock, dpop="optional"))
        client = Prover(proxied.deployment)
        held = client.login()
        asked: dict[str, Any] = {
            "/app/x?y=1": {},
            "/app/a%20b": {},
            "/here/x": {"htu": f"https://{HOST}/here/x"},
        }

        for target, claims in asked.items():
            proof = client.proof("PUT", target.partition("?")[0], token=held.access, **claims)
            sent = {"authorization": f"DPoP {held.access}", "dpop": proof}
            assert "ada" == proxied.user(target, sent, method="PUT")
            assert 'error_description="replay"' in proxied.ask(target, sent, method="PUT").headers["www-authenticate"]

    def test_a_thief(self, proxy: Proxy, serve: Serve, clock: HandClock) -> None:
        """Without the key, or with a proof of another request, nothing passes, and no proof of the question itself counts."""
        proxied = serve(proxy, sessions=engine(clock, dpop="optional"))
        client = Prover(proxied.deployment)
        held = client.login()
        path, bound = "/app/x", {"authorization": f"DPoP {held.access}"}
        thief = Prover(proxied.deployment, private=ec.generate_private_key(ec.SECP256R1()))
        question = ASKED_BY[proxy]("GET", path, {}).path
        brought: dict[str, Headers] = {
            "as a bearer": held.to_call() | {"dpop": client.proof("GET", path, token=held.access)},
            "in a cookie": {"cookie": f"sAccessToken={held.access}"},
            "no proof": bound,
            "another key": bound | {"dpop": thief.proof("GET", path, token=held.access)},
            "another method": bound | {"dpop": client.proof("POST", path, token=held.access)},
            "another path": bound | {"dpop": client.proof("GET", "/app/y", token=held.access)},
            "another host": bound | {"dpop": client.proof("GET", path, token=held.access, htu=f"https://{HOST}{path}")},
            "the question": bound | {"dpop": client.proof("GET", question, token=held.access)},
        }

        assert dict.fromkeys(brought, 401) == {
            way: proxied.ask(path, each).status_code for way, each in brought.items()
        }
        assert "ada" == proxied.user(path, bound, {"dpop": client.proof("GET", path, token=held.access)})

    def test_what_the_client_is_told(self, proxy: Proxy, serve: Serve, clock: HandClock) -> None:
        """A refusal has the challenge, and the nonce if one is asked for."""
        proxied = serve(proxy, sessions=engine(clock, dpop="optional", dpop_nonces=True))
        client = Prover(proxied.deployment)
        client.nonce = client.log_in().headers["dpop-nonce"]
        held, nonce, client.nonce = client.login(), client.nonce, None
        sent = {"authorization": f"DPoP {held.access}", "dpop": client.proof("GET", "/app/x", token=held.access)}
        response = proxied.ask("/app/x", sent)

        assert response.headers["www-authenticate"].startswith('DPoP error="use_dpop_nonce"')
        assert nonce == response.headers["dpop-nonce"]
        clock.advance(2 * HOUR)
        client.nonce = client.log_in().headers["dpop-nonce"]
        late = {"authorization": f"DPoP {held.access}", "dpop": client.proof("GET", "/app/x", token=held.access)}
        assert proxied.ask("/app/x", late).headers["www-authenticate"].startswith('DPoP error="invalid_token"')
