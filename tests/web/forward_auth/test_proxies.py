"""The configurations of the page on real proxies, before the application of the page and a service that knows nothing of sessions."""

from __future__ import annotations

import re
import secrets
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx2
import jwt
import pytest
import yaml
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from fastapi_session.web.forward_auth.identity import identity_headers, imitates_identity
from tests.authority import Authority
from tests.browser.server import Server, serve
from tests.browser.waiting import PATIENCE
from tests.pages import examples_of, run_examples
from tests.recipes.serving import PORT, free_port, is_served
from tests.web.caddy import caddy
from tests.web.nginx import nginx
from tests.wire import ACCESS_COOKIE, ACCESS_HEADER, AUTH_MODE

PAGE = "docs/forward-authentication.md"
SERVICE_PORT = "9000"
IDENTITY = [name.lower() for name in identity_headers(None)]
SPOOFED = {
    **dict.fromkeys(IDENTITY, "root"),
    "authorization": "Bearer root",
    "x-auth-token": "Bearer root",
    "x-auth-groups": "root",
}
OF_OTHER_PROXIES = {
    "x-original-method": "GET",
    "x-original-url": "https://localhost/reports/public",
    "x-forwarded-method": "GET",
    "x-forwarded-uri": "/reports/public",
    "x-forwarded-host": "evil.example",
    "x-forwarded-proto": "http",
}
HTML = {"accept": "text/html"}

Kind = Literal["nginx", "caddy"]
HOSTS = {"nginx": "127.0.0.1", "caddy": "localhost"}
"""For what each has a certificate."""


async def _echo(request: Request) -> JSONResponse:
    """Say what came: method, path, and the headers."""
    target = f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path
    return JSONResponse({"method": request.method, "target": target, "headers": dict(request.headers)})


async def _live(live: WebSocket) -> None:
    await live.accept()
    await live.send_text(live.headers.get("x-auth-user", ""))


def _service() -> Starlette:
    methods = ["GET", "POST", "DELETE"]
    return Starlette(routes=[WebSocketRoute("/reports/live", _live), Route("/{path:path}", _echo, methods=methods)])


@dataclass
class Edge:
    """A proxy that runs, at *origin*, in front of the application *app* and a service."""

    kind: Kind
    origin: str
    app: Server
    module: Any
    client: httpx2.Client
    trusted: ssl.SSLContext

    def headers_of(self, path: str, headers: dict[str, str], method: str = "GET") -> dict[str, str]:
        """What headers the service was sent by a request that passes."""
        response = self.client.request(method, path, headers=headers)
        assert 200 == response.status_code, response.text
        return dict(response.json()["headers"])

    def status(self, path: str, headers: dict[str, str], method: str = "GET") -> int:
        return int(self.client.request(method, path, headers=headers).status_code)

    def signed_in(self) -> dict[str, str]:
        """The headers of a browser with a session."""
        response = self.client.post("/login", headers={AUTH_MODE: "cookie"})
        cookie = {"cookie": f"{ACCESS_COOKIE}={response.cookies[ACCESS_COOKIE]}"}
        self.client.cookies.clear()
        return cookie


@pytest.fixture(params=["nginx", "caddy"])
def edge(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Edge]:
    secret = secrets.token_urlsafe(48)
    own = free_port()
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "FASTAPI_SESSION_SECRET": secrets.token_urlsafe(48),
        "FASTAPI_SESSION_API_DOMAIN": f"https://{HOSTS[request.param]}:{own}",
        "PROXY_SECRET": secret,
    }.items():
        monkeypatch.setenv(name, value)
    with ExitStack() as running:
        module = run_examples(PAGE, instead={'proxy="nginx"': f'proxy="{request.param}"'})
        app = running.enter_context(serve(lambda _origin: module.app))
        service = running.enter_context(serve(lambda _origin: _service()))
        places = {PORT: str(app.port), SERVICE_PORT: str(service.port)}
        run = _nginx if request.param == "nginx" else _caddy
        certificate = running.enter_context(run(tmp_path, own, places=places, secret=secret))
        trusted, origin = ssl.create_default_context(cafile=certificate), f"https://{HOSTS[request.param]}:{own}"
        client = httpx2.Client(base_url=origin, verify=trusted, trust_env=False, timeout=PATIENCE)
        yield Edge(request.param, origin, app, module, running.enter_context(client), trusted)


@contextmanager
def _nginx(folder: Path, own: int, *, places: dict[str, str], secret: str) -> Iterator[Path]:
    authority = Authority(folder)
    certificate, key = authority.certify(HOSTS["nginx"])
    files = {
        "/etc/letsencrypt/live/example.com/fullchain.pem": str(certificate),
        "/etc/letsencrypt/live/example.com/privkey.pem": str(key),
        '"PROXY_SECRET"': f'"{secret}"',
        "listen 443": f"listen 127.0.0.1:{own}",
    }
    servers = _placed(examples_of(PAGE, "nginx")[0], {**places, **files})
    with nginx(servers, folder=folder, serves=lambda: is_served(own)):
        yield authority.file


@contextmanager
def _caddy(folder: Path, own: int, *, places: dict[str, str], secret: str) -> Iterator[Path]:
    sites = _placed(examples_of(PAGE, "text")[0], {**places, "example.com": f"{HOSTS['caddy']}:{own}"})
    with caddy(sites, folder=folder, port=own) as certificate:
        yield certificate


def _placed(configuration: str, places: dict[str, str]) -> str:
    for here, there in places.items():
        assert here in configuration
        configuration = configuration.replace(here, there)
    return configuration


def test_who_is_told(edge: Edge) -> None:
    """A service is told whose request it is, by headers and by a token for itself, and gets nothing by which it could be that user."""
    sent = edge.headers_of("/reports/may?x=1&y=%2F", edge.signed_in() | SPOOFED | {"authorization": ""})
    scheme, _, token = sent["authorization"].partition(" ")
    claims = jwt.decode(token, audience="https://reports.internal", options={"verify_signature": False})

    assert ("ada", "public") == (sent["x-auth-user"], sent["x-auth-tenant"])
    assert sent["x-auth-session"] == claims["sid"]
    assert ("Bearer", "ada", 60) == (scheme, claims["sub"], claims["exp"] - claims["iat"])
    assert [] == [name for name in sent if "secret" in name or name == "cookie"]


def test_spoofed_headers(edge: Edge) -> None:
    """What a client writes into the headers of identity never arrives: with a session, and above all with none."""
    for headers in ({}, edge.signed_in()):
        spoofed = {**SPOOFED, **({} if not headers else {"authorization": ""})}
        sent = edge.headers_of("/reports/public", {**headers, **spoofed, "x_auth_user": "root"})
        assert [] == [name for name in (*IDENTITY, "x_auth_user", "authorization") if "root" in sent.get(name, "")]
        assert ("ada" if headers else "") == sent.get("x-auth-user", "")
        assert "" == sent.get("x-auth-actor", "")
        assert {"", "Bearer"} >= {sent.get("authorization", "").partition(" ")[0]}


def test_refusals(edge: Edge) -> None:
    """Nobody gets in without a session, to what is nobody's, and by a path that could be read in two ways."""
    ada = edge.signed_in()

    assert 401 == edge.status("/reports/may", {})
    assert [403, 403] == [edge.status("/reports/internal", each) for each in ({}, ada)]
    raw = ["/reports/public/..%2finternal", "/reports/;/internal", "/reports//internal", "/reports/public/../internal"]
    assert [403, 403, 403, 403] == [_raw_status(edge, path, ada) for path in raw]
    assert 404 == _raw_status(edge, "/reports/%2e%2e/x", ada)  # by the application, as `/x`


def test_other_headers(edge: Edge) -> None:
    """What a client writes into the headers by which a proxy describes a request counts for nothing."""
    assert 401 == edge.status("/reports/may", OF_OTHER_PROXIES)
    assert 403 == edge.status("/reports/internal", edge.signed_in() | OF_OTHER_PROXIES)


def test_methods(edge: Edge) -> None:
    """A method that changes something arrives with its body, and needs what a route would ask for."""
    ada = edge.signed_in()
    response = edge.client.post("/reports/may", headers=ada, content=b"x" * 100_000)

    assert (200, "POST") == (response.status_code, response.json()["method"])
    assert "100000" == response.json()["headers"]["content-length"]
    assert 401 == edge.status("/reports/may", {}, "DELETE")


def test_nobody_asks_from_outside(edge: Edge) -> None:
    """The endpoint is not served to the world."""
    assert [404, 404] == [edge.status(path, edge.signed_in()) for path in ("/auth/verify", "/auth/verify/x")]


def test_a_socket(edge: Edge) -> None:
    """A socket is opened by a session, from its own host and from no other."""
    address = edge.origin.replace("https", "wss") + "/reports/live"
    ada = edge.signed_in()
    for origin in (edge.origin, None):
        headers = ada if origin is None else ada | {"origin": origin}
        with connect(address, ssl=edge.trusted, additional_headers=headers, proxy=None) as live:
            assert "ada" == live.recv()
    for refused in ({}, ada | {"origin": "https://evil.example"}):
        with pytest.raises(InvalidStatus) as error:
            connect(address, ssl=edge.trusted, additional_headers=refused, proxy=None)
        assert 401 == error.value.response.status_code


def test_a_program(edge: Edge) -> None:
    """A bearer token gets in too, and the service does not see it."""
    token = edge.client.post("/login", headers={AUTH_MODE: "header"}).headers[ACCESS_HEADER]
    sent = edge.headers_of("/reports/may", {"authorization": f"Bearer {token}"}, "POST")

    assert ("ada", False) == (sent["x-auth-user"], token in str(sent))


def test_a_session_that_has_ended(edge: Edge) -> None:
    """After a sign-out nobody gets in."""
    ada = edge.signed_in()
    assert 200 == edge.status("/reports/may", ada)
    edge.client.post("/auth/signout", headers=ada)

    assert 401 == edge.status("/reports/may", ada)


def test_a_browser_at_nginx(edge: Edge) -> None:
    """nginx sends who opens a page to sign in, and says 503 if it cannot ask."""
    if edge.kind != "nginx":
        pytest.skip("the page has this for nginx alone")
    sent = edge.client.get("/reports/may?x=1", headers=HTML)
    edge.module.app.router.routes.clear()  # as if it were broken: whatever nginx is answered, it is not what it asked for

    assert (303, "/login?next=/reports/may?x=1") == (
        sent.status_code,
        sent.headers["location"].removeprefix(edge.origin),
    )
    assert (503, "1") == (edge.status("/reports/may", {}), edge.client.get("/reports/may").headers["retry-after"])


def _raw_status(edge: Edge, path: str, headers: dict[str, str]) -> int:
    """The status of the response to a request for *path*, as it stands there: clients would tidy it up."""
    host = urlsplit(edge.origin).netloc
    lines = [f"GET {path} HTTP/1.1", f"Host: {host}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    with (
        socket.create_connection(("127.0.0.1", urlsplit(edge.origin).port)) as plain,
        edge.trusted.wrap_socket(plain, server_hostname=HOSTS[edge.kind]) as connection,
    ):
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        return int(connection.recv(1_000).split()[1])


def test_what_is_not_run() -> None:
    """The configurations of Traefik and Envoy copy each header of identity, and name what they refer to."""
    traefik, envoy = (yaml.safe_load(each) for each in examples_of(PAGE, "yaml"))
    router = traefik["http"]["routers"]["reports"]
    copied = traefik["http"]["middlewares"]["sessions"]["forwardAuth"]["authResponseHeaders"]
    asked = envoy["typed_config"]["http_service"]
    patterns = asked["authorization_response"]["allowed_upstream_headers"]["patterns"]

    assert [*IDENTITY, "authorization"] == [name.lower() for name in copied]
    assert ([*traefik["http"]["middlewares"]], [router["service"]]) == (
        router["middlewares"],
        [*traefik["http"]["services"]],
    )
    assert {"prefix": "x-auth-"} in patterns
    assert ("/auth/verify", False) == (asked["path_prefix"], envoy["typed_config"]["failure_mode_allow"])


def test_envoy_tells_of_imitated_headers() -> None:
    """By the configuration of Envoy each name that is refused for its separators comes along."""
    envoy = yaml.safe_load(examples_of(PAGE, "yaml")[1])
    patterns = [
        each["safe_regex"]["regex"]
        for each in envoy["typed_config"]["allowed_headers"]["patterns"]
        if "safe_regex" in each
    ]
    imitated = [re.sub("-", separator, name) for name in IDENTITY for separator in "_.~|"]

    assert all(imitates_identity([name]) for name in imitated)
    assert [] == [name for name in imitated if not any(re.fullmatch(each, name) for each in patterns)]


def test_the_page_names_every_header() -> None:
    """Each configuration of the page names each header of identity."""
    for language in ("nginx", "text"):
        configuration = examples_of(PAGE, language)[0]
        assert [] == [name for name in identity_headers(None) if not re.search(rf"\b{name}\b", configuration)]
