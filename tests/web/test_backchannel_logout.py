"""The endpoint for an identity provider's logout tokens: what it answers, and which sessions have ended then."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any
from urllib.parse import urlencode

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from fastapi_session import (
    ConfigurationError,
    ExternalSession,
    MemoryStore,
    Sessions,
    StoreUnavailable,
    backchannel_logout,
    install,
    session_router,
)
from fastapi_session.audit import Audit
from fastapi_session.core.logout_token import MAX_AGE
from fastapi_session.engine.provider_keys import PAUSE
from fastapi_session.model import SessionRecord
from fastapi_session.testing import HandClock
from fastapi_session.testing.records import duration
from fastapi_session.web.form_body import LARGEST_BODY, MOST_FIELDS
from tests.core.provider import CLIENT, ISSUER, NOW, claims, jwks, provider_key, signed
from tests.engines import engine
from tests.web.asgi import ask

PATH = "/auth/backchannel-logout"
FORM = "application/x-www-form-urlencoded"
DONE, REFUSED = (200, b""), (400, b'{"error":"invalid_request"}')
COME_AGAIN = (503, b'{"error":"temporarily_unavailable"}')

BODIES: dict[str, tuple[str, str | bytes]] = {
    "nothing": (FORM, b""),
    "another field": (FORM, "token=" + signed(claims())),
    "two tokens": (FORM, f"logout_token={signed(claims())}&logout_token={signed(claims())}"),
    "no value": (FORM, "logout_token="),
    "no pair": (FORM, "logout_token"),
    "JSON": ("application/json", f'{{"logout_token": "{signed(claims())}"}}'),
    "no type": ("", "logout_token=" + signed(claims())),
    "multipart": ("multipart/form-data; boundary=x", "logout_token=" + signed(claims())),
    "no ASCII": (FORM, b"logout_token=\xff"),
    "NUL": (FORM, "logout_token=%00%ff"),
    "too large": (FORM, f"logout_token={signed(claims())}&x=" + "x" * LARGEST_BODY),
    "too many": (FORM, f"logout_token={signed(claims())}" + "&x=1" * MOST_FIELDS),
}
"""What is no form with one logout token."""


class TroubledStore(MemoryStore):
    """Is down while it is told to be, for the verbs named."""

    down: frozenset[str] = frozenset()

    async def is_remembered(self, digest: bytes) -> bool:
        self._ensure_up("is_remembered")
        return await super().is_remembered(digest)

    async def once(self, digest: bytes, *, until: int) -> bool:
        self._ensure_up("once")
        return await super().once(digest, until=until)

    async def delete_external(
        self, digest: bytes, *, limit: int, audit: Audit | None = None
    ) -> Sequence[SessionRecord]:
        self._ensure_up("delete_external")
        return await super().delete_external(digest, limit=limit, audit=audit)

    def _ensure_up(self, verb: str) -> None:
        if verb in self.down:
            raise StoreUnavailable("the store is down")


class Keys:
    """The application's function."""

    def __init__(self) -> None:
        self.asked = 0
        self.down = False

    async def __call__(self) -> dict[str, Any]:
        self.asked += 1
        if self.down:
            raise OSError("no route to host")
        return jwks()


@pytest.fixture
def clock() -> HandClock:
    return HandClock(NOW * 1000)


@pytest.fixture
def store(clock: HandClock) -> TroubledStore:
    return TroubledStore(clock=clock)


@pytest.fixture
def sessions(clock: HandClock, store: TroubledStore) -> Sessions:
    return engine(clock, store=store)


@pytest.fixture
def keys() -> Keys:
    return Keys()


@pytest.fixture
def client(sessions: Sessions, keys: Keys) -> Iterator[TestClient]:
    app = FastAPI()
    install(app, sessions)
    app.include_router(session_router())
    app.include_router(backchannel_logout(issuer=ISSUER, audience=CLIENT, keys=keys))
    with TestClient(app) as client:
        yield client


def send(client: TestClient, token: str, **header: str) -> tuple[int, bytes]:
    """Send *token* as a provider does, and return status and body."""
    response = client.post(PATH, data={"logout_token": token}, headers=header)
    assert "no-store" == response.headers["cache-control"]
    assert "set-cookie" not in response.headers
    assert ("retry-after" in response.headers) == (response.status_code == 503)
    return response.status_code, response.content


def begun(client: TestClient, sessions: Sessions, *, sid: str = "laptop", subject: str = "4711") -> str:
    """Return the handle of a new session that the provider signed in."""
    external = ExternalSession(ISSUER, sid=sid, subject=subject)
    assert client.portal is not None
    issued = client.portal.call(partial(sessions.create, "ada", external=external))
    return issued.access_token.session_handle


def alive(client: TestClient, sessions: Sessions) -> set[str]:
    assert client.portal is not None
    return {each.handle for each in client.portal.call(sessions.of_user, "ada")}


def test_the_session_ends(client: TestClient, sessions: Sessions) -> None:
    """A token that names a session ends what it signed in; one that names its user alone ends all of that; and 200 if nothing is left."""
    laptop, phone, other = (
        begun(client, sessions),
        begun(client, sessions, sid="phone"),
        begun(client, sessions, sid="tablet", subject="4712"),
    )

    assert DONE == send(client, signed(claims()))
    assert {phone, other} == alive(client, sessions), laptop
    assert DONE == send(client, signed(claims(jti="2", sid=...)))
    assert {other} == alive(client, sessions)
    assert DONE == send(client, signed(claims(jti="3")))


def test_a_form_with_other_fields(client: TestClient, sessions: Sessions) -> None:
    """What else is in the form, and how its type is written, does not count."""
    begun(client, sessions)
    body = urlencode({"state": "\u00e4", "logout_token": signed(claims())})
    response = client.post(PATH, content=body, headers={"content-type": f"{FORM.upper()}; charset=utf-8"})

    assert DONE == (response.status_code, response.content)
    assert set() == alive(client, sessions)


@pytest.mark.parametrize("body", BODIES)
def test_what_is_no_form(client: TestClient, sessions: Sessions, keys: Keys, body: str) -> None:
    """Whatever else comes is refused, and the provider is not asked for its keys."""
    handle = begun(client, sessions)
    media_type, content = BODIES[body]
    response = client.post(PATH, content=content, headers={"content-type": media_type})

    assert (*REFUSED, "no-store") == (response.status_code, response.content, response.headers["cache-control"])
    assert {handle} == alive(client, sessions)
    assert 0 == keys.asked


async def test_a_sender_that_hangs_up(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    """Half a form is no form: nothing is logged that would let anybody fill the log."""
    half = {"type": "http.request", "body": b"logout_token=", "more_body": True}
    coming: list[dict[str, Any]] = [half, {"type": "http.disconnect"}]

    async def receive() -> dict[str, Any]:
        return coming.pop(0)

    response = await ask(client.app, "POST", PATH, {"content-type": FORM}, receive=receive)

    assert (400, []) == (response.status_code, [each for each in caplog.records if each.levelno > logging.DEBUG])


def test_what_is_not_believed(
    client: TestClient, sessions: Sessions, keys: Keys, caplog: pytest.LogCaptureFixture
) -> None:
    """Forged, foreign, old and malformed tokens all have one answer; the log says which, and has no token."""
    handle = begun(client, sessions)
    caplog.set_level(logging.DEBUG, "fastapi_session")
    stranger = type(provider_key()).generate_key(2048, {"kid": "RS256"})
    tokens = {
        "no JWS": "e30.e30",
        "algorithm": signed(claims(), alg="HS256"),
        "signature": signed(claims(), key=stranger),
        "signature ": signed(claims(), kid="unheard of"),
        "issuer": signed(claims(iss="https://elsewhere.example")),
        "audience": signed(claims(aud="other")),
        "issued at": signed(claims(iat=NOW - MAX_AGE - 1)),
        "event": signed(claims(events={})),
        "nonce": signed(claims(nonce="n")),
        "session": signed(claims(sid=..., sub=...)),
    }
    answers = {send(client, token) for token in tokens.values()}
    reasons = [record.getMessage() for record in caplog.records if "logout token" in record.getMessage()]

    assert {REFUSED} == answers
    assert [f"a logout token is refused: {name.strip()}" for name in tokens] == reasons
    assert {handle} == alive(client, sessions)
    assert not [token for token in tokens.values() if token in caplog.text]
    assert 1 == keys.asked


def test_a_token_that_is_sent_again(client: TestClient, sessions: Sessions) -> None:
    """It is refused, and ends nothing that began since."""
    token = signed(claims(sid=...))
    begun(client, sessions)
    first = send(client, token)
    handle = begun(client, sessions)

    assert (DONE, REFUSED) == (first, send(client, token))
    assert {handle} == alive(client, sessions)


def test_two_that_come_at_once(sessions: Sessions, keys: Keys) -> None:
    """A provider that does not wait for its answer is answered twice alike, or the second time with a refusal."""
    app = FastAPI()
    install(app, sessions)
    app.include_router(backchannel_logout(issuer=ISSUER, audience=CLIENT, keys=keys))
    with TestClient(app) as client:
        begun(client, sessions)

        async def twice() -> list[int]:
            sending = (asyncio.to_thread(send, client, signed(claims())) for _ in range(2))
            return sorted(status for status, _ in await asyncio.gather(*sending))

        assert asyncio.run(twice()) in ([200, 200], [200, 400])
        assert set() == alive(client, sessions)


@pytest.mark.parametrize("verb", ["is_remembered", "delete_external", "once"])
def test_a_store_that_is_down(client: TestClient, sessions: Sessions, store: TroubledStore, verb: str) -> None:
    """The provider is told to come again, and what it then sends again does its work: it was not remembered too early."""
    begun(client, sessions)
    store.down = frozenset({verb})
    down = send(client, signed(claims()))
    store.down = frozenset()

    assert (COME_AGAIN, DONE) == (down, send(client, signed(claims())))
    assert set() == alive(client, sessions)


def test_keys_that_cannot_be_fetched(client: TestClient, sessions: Sessions, keys: Keys, clock: HandClock) -> None:
    """The provider is told to come again, and may have to wait until the application asks for its keys again."""
    begun(client, sessions)
    keys.down = True
    down = send(client, signed(claims()))
    keys.down = False
    early = send(client, signed(claims()))
    clock.advance(duration(PAUSE))

    assert (COME_AGAIN, COME_AGAIN, DONE) == (down, early, send(client, signed(claims())))
    assert set() == alive(client, sessions)


def test_no_browser_sends_it(client: TestClient, sessions: Sessions) -> None:
    """Neither anti-CSRF nor CORS concerns it, and a page of another site is told nothing about it."""
    begun(client, sessions)
    page = {"origin": "https://elsewhere.example", "sec-fetch-site": "cross-site", "cookie": "sAccessToken=x"}

    assert DONE == send(client, signed(claims()), **page)
    assert 405 == client.get(PATH).status_code
    assert "access-control-allow-origin" not in client.post(PATH, headers=page).headers


def test_it_is_in_the_document(client: TestClient) -> None:
    """The OpenAPI document has the form, and what is answered."""
    operation = client.get("/openapi.json").json()["paths"][PATH]["post"]

    assert [FORM] == [*operation["requestBody"]["content"]]
    assert {"200", "400", "503"} <= {*operation["responses"]}
    assert "security" not in operation


USUAL: dict[str, Any] = {"issuer": ISSUER, "audience": CLIENT, "keys": Keys()}


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"issuer": ""}, "issuer must be text"),
        ({"audience": None}, "audience must be text"),
        ({"keys": jwks}, "keys must be an async function"),
        ({"keys": {"keys": []}}, "keys must be an async function"),
        ({"forget": "all"}, "forget must be"),
    ],
)
def test_what_cannot_be(given: dict[str, Any], named: str) -> None:
    """What would fail at the first logout is told when the application is made."""
    with pytest.raises(ConfigurationError, match=named):
        backchannel_logout(**{**USUAL, **given})
