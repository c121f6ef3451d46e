"""Hostile tokens, cookies and headers by the thousand, through the ASGI application called directly."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from random import Random
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, WebSocket

from fastapi_session import Session, Sessions, verify_session
from fastapi_session.core import access_token, base64url
from fastapi_session.core.signatures import sign
from fastapi_session.core.signing_keys import SigningKey
from fastapi_session.engine.tokens.issuing import IssuedSession
from fastapi_session.testing import HandClock
from tests.conftest import Amount, Figures
from tests.engines import engine
from tests.web.deployment import application, finish_background, signing_key
from tests.web.hostility import EXTREME_BYTES, Forger, Header, attack, decoded, encoded
from tests.wire import REFRESH_PATH, SIGN_OUT_PATH

SEED = 20_260_801
REQUESTS, ALL_REQUESTS = 7_000, 51_000
"""For each of two deployments: of each kind of attack dozens at each endpoint, and in a full run hundreds."""
SOCKETS, ALL_SOCKETS = 1_000, 5_000
"""For each of two kinds of servers."""

ENDPOINTS = [
    ("GET", "/me"),
    ("POST", "/me"),
    ("GET", "/optional"),
    ("GET", "/checked"),
    ("POST", REFRESH_PATH),
    ("POST", SIGN_OUT_PATH),
    ("POST", "/login"),
]
DEPLOYMENTS: list[dict[str, Any]] = [
    {},
    {
        "api_domain": "https://api.example.com",
        "website_domain": "https://example.org",
        "anti_csrf": "VIA_TOKEN",
        "older_cookie_domain": "",
        "cookie_domain": "example.com",
        "expose_access_token_to_frontend_in_cookie_based_auth": True,
        "dpop": "optional",
        "dpop_nonces": True,
    },
]
DUPLICATES = "The request contains multiple session cookies."


@dataclass(frozen=True)
class Answer:
    """What came back: the status, the headers, and the body as JSON or as text."""

    status: int
    headers: list[Header]
    body: Any

    @property
    def outcome(self) -> str:
        message = self.body.get("message", "") if isinstance(self.body, dict) else str(self.body)[: len(DUPLICATES)]
        return f"{self.status} {message}".strip()

    @property
    def is_designed_500(self) -> bool:
        return (500, True) == (self.status, isinstance(self.body, str) and self.body.startswith(DUPLICATES))

    def brings_tokens(self) -> bool:
        """Say whether a token of any kind is in it."""
        return any(
            (name == b"set-cookie" and not value.split(b"=", 1)[1].startswith(b";"))
            or (name in {b"st-access-token", b"st-refresh-token", b"anti-csrf"} and value)
            or (name == b"front-token" and value != b"remove")
            for name, value in self.headers
        )


async def call(app: FastAPI, method: str, path: str, headers: Iterable[Header]) -> Answer:
    """Send one request as a server would, and answer what the application sends."""
    sent: list[Any] = []
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "https",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"user_id=mallory",
        "root_path": "",
        "headers": list(headers),
        "client": ("192.0.2.1", 1),
        "server": ("testserver", 443),
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    text = b"".join(message.get("body", b"") for message in sent[1:]).decode()
    is_json = (b"content-type", b"application/json") in sent[0]["headers"]
    return Answer(sent[0]["status"], sent[0]["headers"], json.loads(text) if is_json else text)


def is_right(path: str, answer: Answer) -> bool:
    """Say whether *answer* is one that a request without a genuine session may have."""
    if answer.outcome == "401 dpop proof refused":
        return not answer.brings_tokens()
    if path == "/login":
        return answer.status == 200
    if answer.brings_tokens():
        return False
    if path == "/optional" and answer.status == 200:
        return bool(answer.body == {"user_id": None})
    if path == REFRESH_PATH and (answer.is_designed_500 or answer.outcome.startswith("200 cookies of an older")):
        return True
    return answer.outcome in {"401 unauthorised", "401 try refresh token"}


def without_fingerprint(token: str) -> str:
    """Return *token* as somebody writes it who does not know the fingerprint in it, which proves a session if its key is gone."""
    header, payload, signature = token.split(".")
    claims = json.loads(decoded(payload)) | {"refreshTokenHash1": "0" * 64}
    return ".".join([header, encoded(json.dumps(claims)), signature])


async def victims(sessions: Sessions) -> list[IssuedSession]:
    return [await sessions.create(f"victim-{n}", access_token_payload={"n": n}, anti_csrf=True) for n in range(8)]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("options", DEPLOYMENTS, ids=["default", "every option"])
async def test_hostile_requests(options: dict[str, Any], clock: HandClock, amount: Amount, figures: Figures) -> None:
    """Of hostile requests, a hundred thousand in a full run, none is a server error, is let in, or ends a session."""
    requests = amount(REQUESTS, full=ALL_REQUESTS)
    sessions = engine(clock, **options)
    app = application(sessions)
    issued = await victims(sessions)
    access = [each.tokens.access_token for each in issued]
    refresh = [each.tokens.refresh_token or "" for each in issued]
    random = Random(SEED)
    forger = Forger(random, access=access, refresh=refresh)
    signing_in = Forger(random, access=[without_fingerprint(token) for token in access], refresh=refresh)
    counts: Counter[str] = Counter()
    began = time.perf_counter()
    for n in range(requests):
        method, path = ENDPOINTS[n % len(ENDPOINTS)]
        headers = attack(signing_in, duplicates=False) if path == "/login" else attack(forger, duplicates=True)
        answer = await call(app, method, path, headers)
        counts["200 logged in" if path == "/login" else answer.outcome] += 1

        assert is_right(path, answer), (n, method, path, answer, headers)
    figures(requests=requests, seconds=round(time.perf_counter() - began), **dict(counts.most_common()))

    checked = [await sessions.verify(each.tokens.access_token, check_database=True) for each in issued]
    assert [each.access_token for each in issued] == checked
    assert {"401 unauthorised", "401 try refresh token", "200"} <= counts.keys()


@pytest.mark.parametrize("extensions", [{"websocket.http.response": {}}, {}], ids=["denial", "close"])
async def test_hostile_sockets(extensions: dict[str, Any], clock: HandClock, amount: Amount) -> None:
    """Of hostile handshakes, ten thousand in a full run, none opens a socket: the server responds to it, or closes it."""
    sockets = amount(SOCKETS, full=ALL_SOCKETS)
    sessions = engine(clock)
    app = application(sessions)
    app.websocket("/socket")(socket)
    issued = await victims(sessions)
    forger = Forger(
        Random(SEED),
        access=[each.tokens.access_token for each in issued],
        refresh=[each.tokens.refresh_token or "" for each in issued],
    )
    answers: Counter[tuple[str, Any]] = Counter()
    for _ in range(sockets):
        for first in await handshake(app, [*attack(forger), *offer(forger)], extensions):
            answers[first["type"], first.get("status", first.get("code"))] += 1
    expected = ("websocket.http.response.start", 401) if extensions else ("websocket.close", 3000)

    assert {expected: sockets} == answers
    opened = await handshake(
        app, [(b"sec-websocket-protocol", f"session.bearer.{forger.access[0]}".encode())], extensions
    )
    assert ["websocket.accept"] == [message["type"] for message in opened]


async def socket(websocket: WebSocket, _session: Annotated[Session, Depends(verify_session())]) -> None:
    await websocket.accept()


async def handshake(app: FastAPI, headers: list[Header], extensions: dict[str, Any]) -> list[Any]:
    """Ask *app* to open a socket, and answer the first that it sends."""
    sent: list[Any] = []
    scope = {
        "type": "websocket",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": "wss",
        "path": "/socket",
        "raw_path": b"/socket",
        "query_string": b"",
        "root_path": "",
        "headers": headers,
        "client": ("192.0.2.1", 1),
        "server": ("testserver", 443),
        "subprotocols": [
            offer.strip(" \t")
            for name, value in headers
            if name == PROTOCOL
            for offer in value.decode("latin-1").split(",")
        ],
        "extensions": extensions,
    }

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent[:1]


PROTOCOL = b"sec-websocket-protocol"
"""The header from which a server reads the subprotocols that a client offers."""


def offer(forger: Forger) -> list[Header]:
    """A forged token among the subprotocols, as browsers bring one, or other junk there."""
    token = forger.token().encode("latin-1", "replace").replace(b",", b"x")
    offers = [
        b"session.bearer." + token,
        b"session, session.bearer." + token,
        b"session.bearer.",
        b"session.dpop." + token,
        b"session, session.dpop." + token + b", session.proof." + token,
        b",,,",
        EXTREME_BYTES,
    ]
    return [(PROTOCOL, forger.random.choice(offers))] if forger.random.random() < 0.5 else []


ODD: list[Any] = [
    *[
        None,
        True,
        False,
        0,
        -1,
        1.5,
        1e11,
        2**53,
        10**300,
        253_402_300_800,
        999_999_999_999,
        float("inf"),
        float("nan"),
    ],
    *["", "0", "0" * 63, "z" * 64, "\ud800", "\x00", "ü" * 64, "../..", "_", "a_b_c", "'--", [], {}, [[]], ["\ud800"]],
]
ENDPOINTS_THAT_END_NOTHING = [("GET", "/checked"), ("GET", "/facts"), ("POST", "/me")]
CLAIMS = [*sorted(access_token.RESERVED_CLAIMS), "plan", "aud"]


@pytest.mark.parametrize("value", ODD, ids=[f"{number}" for number in range(len(ODD))])
async def test_genuine_signatures_over_odd_claims(value: Any, clock: HandClock) -> None:
    """Whatever the key itself has signed, no claim of it makes a server error, and none ends another's session."""
    sessions = engine(clock, anti_csrf="VIA_TOKEN")
    app = application(sessions)
    app.get("/facts")(facts)
    issued = await sessions.create("ada")
    key = await signing_key(sessions)
    genuine = {**issued.access_token.claims(), "parentRefreshTokenHash1": "0" * 64}
    stranger = {**genuine, "sessionHandle": "other"}
    requests = [({**genuine, claim: value}, request) for claim in CLAIMS for request in ENDPOINTS_THAT_END_NOTHING]
    requests += [({**stranger, claim: value}, request) for claim in CLAIMS for request in ENDPOINTS]
    for claims, (method, path) in requests:
        token = signed(claims, key)
        for headers in ([(b"authorization", b"Bearer " + token)], [(b"cookie", b"sAccessToken=" + token)]):
            answer = await call(app, method, path, [*headers, (b"anti-csrf", b"\xed\xa0\x80")])

            assert answer.status in {200, 401}
    await finish_background(sessions)

    assert ["ada"] == [found.user_id for found in await sessions.of_user("ada")]


async def facts(session: Annotated[Session, Depends(verify_session(anti_csrf_check=False))]) -> dict[str, Any]:
    """Tell everything that a session knows of itself."""
    return {
        "user_id": session.user_id,
        "recipe_user_id": session.recipe_user_id,
        "tenant_id": session.tenant_id,
        "handle": session.handle,
        "expires_at": session.expires_at,
        "claims": dict(session.claims),
        "payload": dict(session.access_token_payload),
    }


def signed(claims: dict[str, Any], key: SigningKey) -> bytes:
    """A token with *claims* as they are, signed by *key*."""
    header = {"alg": key.algorithm, "kid": key.kid, "typ": "JWT", "version": "5"}
    payload = json.dumps(claims).replace("Infinity", "1e999")
    text = f"{base64url.encode(json.dumps(header).encode())}.{base64url.encode(payload.encode())}".encode()
    return text + b"." + base64url.encode(sign(text, key.private)).encode()
