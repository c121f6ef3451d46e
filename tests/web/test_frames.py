"""Error reporters send the local variables of every frame: nothing that opens a session is in those of this package."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Annotated, Any, NoReturn

import pytest
from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import StreamingResponse
from httpx2 import Response as Received
from starlette.types import Receive, Scope, Send

from fastapi_session import (
    CreateSession,
    PrimitiveClaim,
    Session,
    SessionConfig,
    Sessions,
    StoreUnavailable,
    attach_session_to_request,
    create_session,
    get_sessions,
    verify_session,
)
from fastapi_session.testing import HandClock
from tests.engines import SECRET
from tests.moments import PAST_GRACE
from tests.web.deployment import Deployment, Verified, application, deployed
from tests.web.frames import Told, of_access_token, of_refresh_token, pieces, report
from tests.web.test_outcomes import CASES, Row
from tests.web.wire import Held, set_cookies
from tests.wire import (
    ACCESS_COOKIE,
    ACCESS_HEADER,
    ANTI_CSRF,
    AUTH_MODE,
    REFRESH_COOKIE,
    REFRESH_HEADER,
    REFRESH_PATH,
    SIGN_OUT_PATH,
)

VERBS = ["insert", "rotate", "get", "replace", "delete", "update", "acknowledge", "signing_keys", "notices"]
"""The verbs of a store that a request may come to."""


class Mishap(Exception):
    """What nobody designed."""


async def mishap(*_: Any, **__: Any) -> NoReturn:
    raise Mishap


async def outage(*_: Any, **__: Any) -> NoReturn:
    raise StoreUnavailable("the store is down")


def raising(*_: Any, **__: Any) -> NoReturn:
    raise Mishap


@dataclass
class Reported(Deployment):
    """A deployment, all that its clients are given, and what is told of every error, answered or not, and of those that are logged."""

    secrets: set[str] = field(default_factory=lambda: pieces(SECRET))
    told: list[Told] = field(default_factory=list)

    def request(self, method: str, path: str, *headers: Mapping[str, str]) -> Received:
        received = super().request(method, path, *headers)
        for name, value in given(received):
            if name.endswith((ACCESS_COOKIE, ACCESS_HEADER)):
                self.secrets |= of_access_token(value)
            elif name.endswith((REFRESH_COOKIE, REFRESH_HEADER)):
                self.secrets |= of_refresh_token(value)
            elif name == ANTI_CSRF:
                self.secrets |= pieces(value)
        return received

    def leaks(self) -> set[str]:
        """Where any error tells what a client was given, or the configured secret."""
        return {each.place for each in self.told if each.tells(self.secrets)}


def given(received: Received) -> Iterator[tuple[str, str]]:
    """The names and values of the tokens that a response brings."""
    named = [*received.headers.multi_items(), *((name, text.partition(";")[0]) for name, text in set_cookies(received))]
    return ((name, value) for name, value in named if value)


@contextmanager
def reporting(clock: HandClock, **options: Any) -> Iterator[Reported]:
    """Serve an application in which much goes wrong, and listen to that."""
    chosen = {"store": "memory:", "api_domain": "http://testserver", "secret": SECRET, **options}
    sessions = Sessions(SessionConfig(**chosen), clock=clock, subscribers=[mishap])
    app, told = application(sessions), list[Told]()
    add_routes(app)
    for kind, handler in [*app.exception_handlers.items(), (Exception, crashed)]:
        app.exception_handlers[kind] = partial(heard, told, handler)
    log = Listening(told)
    logging.getLogger().addHandler(log)
    try:
        with deployed(app, sessions, clock, sessions.config.api_domain) as served:
            yield Reported(served.app, served.sessions, served.clock, served.client, told=told)
    finally:
        logging.getLogger().removeHandler(log)


class Listening(logging.Handler):
    """Hears of the errors that are logged."""

    def __init__(self, told: list[Told]) -> None:
        super().__init__()
        self._told = told

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1]:
            self._told += report(record.exc_info[1])


async def heard(told: list[Told], handler: Callable[..., Any], connection: Request, error: Exception) -> Any:
    told += report(error)
    return await handler(connection, error)


async def crashed(_request: Request, _error: Exception) -> Response:
    return Response("crashed", 500)


@pytest.mark.parametrize(("row", "method"), CASES)
def test_designed_errors(row: Row, method: str, clock: HandClock) -> None:
    """No refusal that a client may be given tells in its frames what came, or what the client was given before."""
    with reporting(clock, **row.options) as reported:
        response = row.request(reported, method)

    assert set() == reported.leaks()
    assert reported.told or response.status_code < 400


def test_two_cookies_under_a_prefix(clock: HandClock) -> None:
    """Cookies that were looked at closely, since another host may have planted them, are told no more than others."""
    with reporting(clock, api_domain="https://testserver", cookie_prefix="__Host-") as reported:
        signed_in = reported.post("/login?user_id=ada", {AUTH_MODE: "cookie"})
        access, refresh = (f"{name}={text.partition(';')[0]}" for name, text in set_cookies(signed_in))
        response = reported.post(REFRESH_PATH, {"cookie": f"{access}; {refresh}; {refresh}"})

    assert 500 == response.status_code
    assert reported.told
    assert set() == reported.leaks()


def proof(held: Held) -> dict[str, str]:
    """The anti-CSRF token of *held*, if it has one."""
    return {ANTI_CSRF: held.anti_csrf} if held.anti_csrf else {}


def everything(reported: Reported, held: Held) -> None:
    """Every request of a session's life, whether or not the one before has failed."""
    reported.get("/me", held.to_call())
    reported.get("/checked", held.to_call())
    reported.post("/merge", held.to_call(), proof(held))
    reported.post("/data", held.to_call(), proof(held))
    reported.post("/login?user_id=eve", held.to_call(), {AUTH_MODE: held.method})
    reported.clock.advance(PAST_GRACE)
    for _ in range(3):
        reported.refresh(held, proof(held))
        reported.clock.advance(PAST_GRACE)
    reported.post(SIGN_OUT_PATH, held.to_call(), proof(held))


@pytest.mark.parametrize("method", ["cookie", "header"])
@pytest.mark.parametrize("failure", [outage, mishap], ids=["outage", "mishap"])
@pytest.mark.parametrize("verb", VERBS)
def test_a_store_that_fails(
    verb: str, failure: Any, method: str, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever verb of the store fails, and however, nothing that came with the request is in a frame of ours."""
    with reporting(clock, anti_csrf="VIA_TOKEN", revocation_feed_max_age=timedelta(seconds=10)) as reported:
        held = reported.login(method)
        monkeypatch.setattr(reported.sessions.store, verb, failure)
        everything(reported, held)
        reported.ask(asyncio.sleep, 0)

    assert reported.told
    assert set() == reported.leaks()


def add_routes(app: FastAPI) -> None:
    """Routes in which something goes wrong, each by its name."""
    app.post("/data")(_data)
    for route in (_large, _late, _unattached, _claimed, _crash, _odd, _overridden, _not_json):
        app.post(f"/{route.__name__}")(route)


async def _data(session: Verified) -> None:
    await session.change_session_data(lambda data: {**data, "seen": True})


async def _large(session: Verified) -> None:
    await session.merge_into_access_token_payload({"essay": "a" * 5_000})


async def _not_json(create: Annotated[CreateSession, Depends(create_session())]) -> None:
    await create("bob", access_token_payload={"x": float("nan")})


async def _late(create: Annotated[CreateSession, Depends(create_session())]) -> StreamingResponse:
    async def body() -> AsyncIterator[bytes]:
        yield b"begun"
        await create("bob")

    return StreamingResponse(body())


async def _unattached(
    request: Request, _session: Verified, sessions: Annotated[Sessions, Depends(get_sessions())]
) -> None:
    attach_session_to_request(request, await sessions.create("ada", anti_csrf=False), method="cookie")


async def _claimed(
    _session: Annotated[Session, Depends(verify_session(PrimitiveClaim[str]("role", mishap).has_value("admin")))],
) -> None:
    """Not reached: the claim cannot be fetched."""


async def _crash(session: Verified) -> None:
    await session.merge_into_access_token_payload({"plan": "max"})
    raise Mishap


async def _overridden(
    _session: Annotated[Session, Depends(verify_session(override_global_claim_validators=raising))],
) -> None:
    """Not reached: what chooses the validators fails."""


async def _odd(session: Verified) -> Response:
    await session.merge_into_access_token_payload({"plan": "max"})
    return OddResponse()


class OddResponse(Response):
    """One whose headers are none, as an application of pure ASGI may send it by mistake."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [("content-type", 1)]})


@pytest.mark.parametrize("method", ["cookie", "header"])
@pytest.mark.parametrize(
    "route", ["_large", "_not_json", "_late", "_unattached", "_claimed", "_crash", "_odd", "_overridden"]
)
def test_an_application_that_errs(route: str, method: str, clock: HandClock) -> None:
    """Whatever an application does wrong, nothing that came with the request is in a frame of ours."""
    with reporting(clock, anti_csrf="VIA_TOKEN") as reported:
        held = reported.login(method)
        reported.told.clear()
        reported.post(f"/{route}", held.to_call(), proof(held))

    assert reported.told
    assert set() == reported.leaks()


@pytest.mark.parametrize("method", ["cookie", "header"])
@pytest.mark.parametrize("calls", range(12))
def test_a_transfer_method_that_fails(calls: int, method: str, clock: HandClock) -> None:
    """The function that says how tokens travel may fail at any of its calls."""
    left = iter(range(calls))

    def say(_connection: object, for_create: bool) -> str:
        if next(left, None) is None:
            raise Mishap
        return "any"

    with reporting(clock, token_transfer_method=say, anti_csrf="VIA_TOKEN") as reported, suppress(KeyError):
        everything(reported, reported.login(method))

    assert reported.told
    assert set() == reported.leaks()
