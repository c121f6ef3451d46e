"""Sockets on a real server: who may open one, and that each ends with its session, without a line in the endpoint."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import timedelta
from http.cookies import SimpleCookie
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.types import Message
from starlette.websockets import WebSocketDisconnect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from fastapi_session import SessionConfig, Sessions, TokenTheftError
from fastapi_session.core import access_token
from fastapi_session.engine.tokens.issuing import IssuedSession
from fastapi_session.testing import HandClock
from fastapi_session.web import session_watch
from fastapi_session.web.sockets import CLOSE_CODE
from tests.engines import SECRET, engine
from tests.moments import HOUR, PAST_GRACE
from tests.web.socket_app import Role, Served, bearer, closed, cookie, handle, serving, socket_app, until
from tests.wire import ACCESS_COOKIE, FRONT_TOKEN, SIGN_OUT_PATH

UNAUTHORISED = {"message": "unauthorised"}
TRY_REFRESH_TOKEN = {"message": "try refresh token"}
WITHOUT_ROLE = {
    "message": "invalid claim",
    "claimValidationErrors": [
        {"id": "st-role", "reason": {"message": "wrong value", "expectedToInclude": "admin", "actualValue": []}}
    ],
}
REVOKED = (CLOSE_CODE, "unauthorised")
EXPIRED = (CLOSE_CODE, "try refresh token")
ENDPOINTS = ("/echo", "/catching", "/sending", "/both", "/idle")

Client = Callable[[Sessions, HandClock], Awaitable[Mapping[str, str]]]
End = Callable[[Sessions, IssuedSession, HandClock], Awaitable[object]]


@pytest.fixture
def sessions(clock: HandClock) -> Sessions:
    return engine(clock, access_token_validity=HOUR)


@pytest.fixture
async def served(sessions: Sessions, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Served]:
    """Every endpoint on a real server, which in the end has nothing left and has logged no error."""
    async with serving(socket_app(sessions), sessions) as served:
        yield served
    assert [] == [record.getMessage() for record in caplog.records if is_failure(record)]


def is_failure(record: logging.LogRecord) -> bool:
    """Say whether *record* tells of more than a client that left an endpoint which does not catch that."""
    error = record.exc_info[1] if record.exc_info else None
    has_left = isinstance(error, WebSocketDisconnect) and error.code == 1000
    return record.levelno >= logging.WARNING and not has_left


@pytest.fixture
async def ada(served: Served) -> IssuedSession:
    return await served.sessions.create("ada")


# Who may open a socket


@pytest.mark.parametrize("path", ["/echo", "/checked", "/admin"])
async def test_who_proves_a_session_may_open_a_socket(path: str, served: Served, ada: IssuedSession) -> None:
    """A socket is opened for a session, in cookies as in headers, and its endpoint is given the session."""
    for headers in (bearer(ada.tokens), cookie(ada.tokens)):
        opened = await served.connect(path, headers)
        await opened.send("hello")

        assert "ada: hello" == await opened.recv()


async def nobody(sessions: Sessions, clock: HandClock) -> Mapping[str, str]:
    return {}


async def late(sessions: Sessions, clock: HandClock) -> Mapping[str, str]:
    issued = await sessions.create("ada")
    clock.advance(HOUR)
    return bearer(issued.tokens)


async def revoked(sessions: Sessions, clock: HandClock) -> Mapping[str, str]:
    issued = await sessions.create("ada")
    await sessions.revoke(handle(issued))
    return bearer(issued.tokens)


async def without_role(sessions: Sessions, clock: HandClock) -> Mapping[str, str]:
    return bearer((await sessions.create("bob")).tokens)


refusals = pytest.mark.parametrize(
    ("path", "client", "expected"),
    [
        ("/echo", nobody, (401, UNAUTHORISED)),
        ("/optional", late, (401, TRY_REFRESH_TOKEN)),
        ("/checked", revoked, (401, UNAUTHORISED)),
        ("/admin", without_role, (403, WITHOUT_ROLE)),
    ],
)


@refusals
async def test_a_socket_is_refused_before_it_is_accepted(
    path: str, client: Client, expected: tuple[int, Any], served: Served, clock: HandClock
) -> None:
    """A real server answers the handshake as it would a request: with the status, and a body that says why."""
    with pytest.raises(InvalidStatus) as refused:
        await served.connect(path, await client(served.sessions, clock))

    assert expected == (refused.value.response.status_code, json_of(refused.value.response.body))


async def test_a_server_that_knows_no_refusal_is_told_to_close(sessions: Sessions) -> None:
    """Without the extension for denial responses the socket is closed before it is accepted, which is 403 on the wire."""
    assert [{"type": "websocket.close", "code": 3000, "reason": "unauthorised"}] == await sent_by(socket_app(sessions))


async def test_a_refusal_clears_the_tokens_of_an_ended_session(served: Served, ada: IssuedSession) -> None:
    """A session that was looked up and is gone is cleared from the client by the refusal, as in any response."""
    await served.sessions.revoke(handle(ada))
    with pytest.raises(InvalidStatus) as refused:
        await served.connect("/checked", cookie(ada.tokens))

    assert "remove" == refused.value.response.headers[FRONT_TOKEN]


async def test_without_a_session_an_optional_one_opens_a_socket_that_nobody_guards(served: Served) -> None:
    """If no session is required, an anonymous socket is opened, and no session waited for."""
    opened = await served.connect("/optional")
    await opened.send("hello")

    assert "nobody: hello" == await opened.recv()
    assert 0 == served.waiting


async def test_what_was_fetched_for_a_socket_is_sent_with_its_acceptance(served: Served, ada: IssuedSession) -> None:
    """A claim that has to be fetched before the socket may open reaches the client's cookies with the handshake."""
    opened = await served.connect("/admin", cookie(ada.tokens))

    assert opened.response is not None
    jar = SimpleCookie(opened.response.headers["set-cookie"])
    renewed = access_token.parse(jar[ACCESS_COOKIE].value)
    assert renewed is not None
    assert ["admin"] == Role.value(renewed.content.custom)


# Subprotocols


@pytest.mark.parametrize(
    ("path", "offered", "chosen"),
    [
        ("/echo", ["session", "session.bearer.{token}"], "session"),
        ("/chat", ["chat", "session", "session.bearer.{token}"], "chat"),
        ("/echo", ["session.bearer.{token}"], None),
    ],
)
async def test_a_token_may_come_as_a_subprotocol(
    path: str, offered: list[str], chosen: str | None, served: Served, ada: IssuedSession
) -> None:
    """Browsers offer "session" and the token; "session" is chosen where the endpoint chooses none, the token never."""
    offers = [Subprotocol(offer.format(token=ada.tokens.access_token)) for offer in offered]
    opened = await served.connect(path, subprotocols=offers)

    assert chosen == opened.subprotocol


# The end


async def sign_out(sessions: Sessions, issued: IssuedSession, clock: HandClock) -> None:
    await sessions.revoke(handle(issued))


async def sign_out_everywhere(sessions: Sessions, issued: IssuedSession, clock: HandClock) -> None:
    await sessions.revoke_all("ada")


async def theft(sessions: Sessions, issued: IssuedSession, clock: HandClock) -> None:
    first = issued.tokens.refresh_token or ""
    clock.advance(PAST_GRACE)
    second = await sessions.refresh(first)
    clock.advance(PAST_GRACE)
    await sessions.refresh(second.tokens.refresh_token or "")
    with pytest.raises(TokenTheftError):
        await sessions.refresh(first)


@pytest.mark.parametrize("end", [sign_out, sign_out_everywhere, theft])
async def test_a_socket_is_closed_however_its_session_is_revoked(
    end: End, served: Served, ada: IssuedSession, clock: HandClock
) -> None:
    """Signing out, here or everywhere, and theft each close its sockets."""
    opened = await served.connect("/echo", bearer(ada.tokens))
    await end(served.sessions, ada, clock)

    assert REVOKED == await closed(opened)


async def test_a_socket_of_a_superseded_session(served: Served, ada: IssuedSession) -> None:
    """If another session takes its place, the client has the tokens of that one, and opens its socket anew with them."""
    opened = await served.connect("/echo", bearer(ada.tokens))
    await served.sessions.create("ada", replacing=handle(ada))

    assert EXPIRED == await closed(opened)


@pytest.mark.parametrize("path", ENDPOINTS)
async def test_a_revoked_session_closes_sockets_of_any_endpoint(path: str, served: Served, ada: IssuedSession) -> None:
    """An endpoint that receives, sends, does both or neither, catches or does not: its socket is closed."""
    opened = await served.connect(path, bearer(ada.tokens))
    await served.sessions.revoke(handle(ada))

    assert REVOKED == await closed(opened)


@pytest.mark.parametrize("path", ENDPOINTS)
async def test_a_socket_ends_with_its_access_token(
    path: str, served: Served, ada: IssuedSession, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The session may go on, so the client is told to refresh, and to open its socket anew."""
    monkeypatch.setattr(session_watch, "LONGEST_WAIT", 0.01)
    opened = await served.connect(path, bearer(ada.tokens))
    clock.advance(HOUR)

    assert EXPIRED == await closed(opened)


async def test_a_short_access_token_ends_its_socket_in_time() -> None:
    """By a real clock the socket is closed when its token ends: not before, and no second later."""
    sessions = engine_of_a_second()
    async with serving(socket_app(sessions), sessions) as served:
        issued = await sessions.create("ada")
        opened = await served.connect("/echo", bearer(issued.tokens))

        assert EXPIRED == await closed(opened)
        assert 0 <= sessions.now() - issued.tokens.access_token_expires_at < 1000


async def test_every_socket_of_a_session_is_closed_and_no_other(served: Served, ada: IssuedSession) -> None:
    """Two sockets of one session end together; another session of the user and other users are left alone."""
    two = [await served.connect("/echo", bearer(ada.tokens)) for _ in range(2)]
    phone, bob = await served.sessions.create("ada"), await served.sessions.create("bob")
    others = [await served.connect("/echo", bearer(issued.tokens)) for issued in (phone, bob)]
    await served.sessions.revoke(handle(ada))

    assert [REVOKED, REVOKED] == [await closed(each) for each in two]
    for each in others:
        await each.send("still here")
    assert ["ada: still here", "bob: still here"] == [await each.recv() for each in others]


async def test_an_optional_session_that_came_is_guarded(served: Served, ada: IssuedSession) -> None:
    """A session that need not be there ends its socket like any other."""
    opened = await served.connect("/optional", bearer(ada.tokens))
    await served.sessions.revoke(handle(ada))

    assert REVOKED == await closed(opened)


async def test_a_sign_out_over_http_closes_the_socket(served: Served, ada: IssuedSession) -> None:
    """What another request of the same browser does reaches the socket."""
    opened = await served.connect("/echo", bearer(ada.tokens))
    async with served.client() as client:
        await client.post(SIGN_OUT_PATH, headers=bearer(ada.tokens))

    assert REVOKED == await closed(opened)


async def test_a_mounted_application_is_guarded(sessions: Sessions) -> None:
    """A socket of an application that is mounted in another ends with its session."""
    outer = socket_app(sessions)
    inner = FastAPI()
    inner.router.routes.extend(route for route in outer.routes if getattr(route, "path", "") == "/sending")
    outer.mount("/inner", inner)
    async with serving(outer, sessions) as served:
        issued = await sessions.create("ada")
        opened = await served.connect("/inner/sending", bearer(issued.tokens))
        await sessions.revoke(handle(issued))

        assert REVOKED == await closed(opened)


async def test_an_endpoint_sees_a_client_that_has_gone(served: Served, ada: IssuedSession) -> None:
    """An endpoint in the middle of receiving learns of the end as if its client had left, with the reason."""
    opened = await served.connect("/catching", bearer(ada.tokens))
    await served.sessions.revoke(handle(ada))
    await closed(opened)
    await until(lambda: served.app.state.seen)

    assert [REVOKED] == served.app.state.seen


# Claims that are changed while a socket is open

NO_ADMIN = (CLOSE_CODE, "invalid claim")


async def test_a_role_that_is_taken_closes_the_sockets_that_ask_for_it(served: Served, ada: IssuedSession) -> None:
    """A socket whose validators refuse the claims of now is closed with the reason; one that asked for nothing goes on."""
    admin, echo = [await served.connect(path, bearer(ada.tokens)) for path in ("/admin", "/echo")]
    await served.sessions.set_claim_value(handle(ada), Role, [])

    assert NO_ADMIN == await closed(admin)
    await echo.send("still here")
    assert "ada: still here" == await echo.recv()


async def test_a_change_that_the_validators_allow_closes_nothing(served: Served, ada: IssuedSession) -> None:
    """A socket whose validators hold for the claims of now goes on, and is asked again at the next change."""
    admin = await served.connect("/admin", bearer(ada.tokens))
    await served.sessions.set_claim_value(handle(ada), Role, ["admin", "editor"])
    await admin.send("still here")
    assert "ada: still here" == await admin.recv()
    await served.sessions.set_claim_value(handle(ada), Role, ["editor"])

    assert NO_ADMIN == await closed(admin)


async def test_an_endpoint_has_the_claims_of_now(served: Served, ada: IssuedSession) -> None:
    """What an endpoint reads of its session after a change is what the store has."""
    opened = await served.connect("/roles", bearer(ada.tokens))
    await opened.send("?")
    before = await opened.recv()
    await served.sessions.set_claim_value(handle(ada), Role, ["editor"])
    await opened.send("?")

    assert ("None", "['editor']") == (before, await opened.recv())


async def test_a_global_validator_is_asked_again(clock: HandClock) -> None:
    """So do the validators that hold for every route, of a socket that asks for nothing else."""
    sessions = engine(clock, access_token_validity=HOUR)
    sessions.validators = (Role.includes("admin"),)
    async with serving(socket_app(sessions), sessions) as served:
        issued = await sessions.create("ada")
        opened = await served.connect("/echo", bearer(issued.tokens))
        await sessions.set_claim_value(handle(issued), Role, [])

        assert NO_ADMIN == await closed(opened)


async def test_another_process_takes_a_role(clock: HandClock) -> None:
    """A socket hears of it as a request does, whichever process changed the claims."""
    sessions = engine(clock, access_token_validity=HOUR, revocation_feed_interval=0.1)
    elsewhere = engine(clock, store=sessions.store)
    async with serving(socket_app(sessions), sessions) as served:
        issued = await sessions.create("ada")
        opened = await served.connect("/admin", bearer(issued.tokens))
        await elsewhere.set_claim_value(handle(issued), Role, [])

        assert NO_ADMIN == await closed(opened)


# What the guard must not change


async def test_a_socket_that_its_endpoint_closes_is_closed_once(served: Served, ada: IssuedSession) -> None:
    """An endpoint that closed its socket and works on is left in peace when the session ends."""
    opened = await served.connect("/closing", bearer(ada.tokens))
    await opened.send("bye")

    assert (1000, "goodbye") == await closed(opened)
    await served.sessions.revoke(handle(ada))
    await asyncio.sleep(0.05)


async def test_a_client_that_has_gone_is_guarded_no_more(served: Served, ada: IssuedSession) -> None:
    """When a client leaves, its endpoint ends, and nobody waits for the session any more."""
    opened = await served.connect("/echo", bearer(ada.tokens))
    assert 1 == served.waiting
    await opened.close()
    await until(lambda: not served.waiting)

    assert 0 == served.waiting


def engine_of_a_second() -> Sessions:
    """Sessions by the real clock, their access tokens of one second."""
    config = SessionConfig(store="memory:", secret=SECRET, access_token_validity=timedelta(seconds=1))
    return Sessions(config.model_copy(update={"access_token_validity_jitter": 0}))


def json_of(body: bytes | bytearray | None) -> Any:
    return json.loads(body or b"null")


async def sent_by(app: FastAPI) -> list[Message]:
    """What *app* sends to a server without extensions that opens a socket without a session."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "websocket", "path": "/echo", "headers": [], "query_string": b"", "subprotocols": []}
    await app(scope, receive, send)
    return sent
