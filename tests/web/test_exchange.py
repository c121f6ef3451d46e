"""One request's dealings: read once, and of what is recorded the last word counts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from starlette.requests import HTTPConnection

from fastapi_session import ConfigurationError, IssuedSession, TryRefreshTokenError, UnauthorisedError
from fastapi_session.testing import HandClock
from fastapi_session.web.client_addresses import ClientAddresses
from fastapi_session.web.exchange import SCOPE_KEY, Begun, Exchange, exchange_of
from fastapi_session.web.transport import Transport
from tests.engines import engine

START = {"type": "http.response.start", "status": 200, "headers": []}


class Headers(list[tuple[bytes, bytes]]):
    """Headers that count how often they are read."""

    read = 0

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        self.read += 1
        return super().__iter__()


@pytest.fixture
def exchange(clock: HandClock) -> Exchange:
    sessions = engine(clock)
    return Exchange(sessions, Transport(sessions.config), ClientAddresses(sessions.config))


async def issued(exchange: Exchange, access_token: str, refresh_token: str | None = None) -> IssuedSession:
    """Return a new session of which the client is sent these tokens."""
    session = await exchange.sessions.create("ada")
    return replace(session, tokens=replace(session.tokens, access_token=access_token, refresh_token=refresh_token))


def written(exchange: Exchange) -> dict[bytes, bytes]:
    return dict(exchange.write(START, {"type": "http", "scheme": "http"})["headers"])


def test_headers_are_read_once(exchange: Exchange) -> None:
    """What a request brought is read when it is first asked for, and not again."""
    headers = Headers([(b"authorization", b"Bearer abc")])
    connection = HTTPConnection({"type": "http", "headers": headers, SCOPE_KEY: exchange})
    before = headers.read
    asked = [exchange_of(connection).credentials(connection).bearer for _ in range(3)]

    assert (0, 1) == (before, headers.read)
    assert ["abc", "abc", "abc"] == asked


def test_nothing_recorded(exchange: Exchange) -> None:
    """An exchange in which nothing was recorded leaves the response alone."""
    exchange.clear([])

    assert START is exchange.write(START, {})
    exchange.refuse(TryRefreshTokenError())
    assert START is exchange.write(START, {})


async def test_the_last_word_counts(exchange: Exchange) -> None:
    """What is recorded last of a method is what goes out."""
    exchange.record(await issued(exchange, "first", "r"), "header")
    exchange.clear()
    exchange.record(await issued(exchange, "second", "r"), "header")

    assert b"second" == written(exchange)[b"st-access-token"]

    exchange.refuse(UnauthorisedError(clears_tokens=True))

    assert b"" == written(exchange)[b"st-access-token"]


async def test_a_new_access_token_keeps_the_refresh_token(exchange: Exchange) -> None:
    """An access token that follows a whole set takes its place in it, and the rest is still sent."""
    exchange.record(await issued(exchange, "first", "r"), "header")
    exchange.record(await issued(exchange, "second"), "header")
    headers = written(exchange)

    assert (b"second", b"r") == (headers[b"st-access-token"], headers[b"st-refresh-token"])


async def test_a_session_that_gave_way_is_sent_no_more(exchange: Exchange) -> None:
    """Once a session has begun in the request, a change of the one that was there before sends nothing."""
    before, begun = await issued(exchange, "before", "r"), await issued(exchange, "begun", "r")
    exchange.begin(begun, Begun(begun.access_token.session_handle, "header", exchange.sessions))
    exchange.record(before, "header")

    assert b"begun" == written(exchange)[b"st-access-token"]
    assert begun is exchange.issued


def test_the_exchange_of_a_request(exchange: Exchange) -> None:
    """A request finds its exchange in its scope; if there is none, the error says the fix."""
    scope: dict[str, Any] = {"type": "http", "headers": [], SCOPE_KEY: exchange}

    assert exchange is exchange_of(HTTPConnection(scope))
    with pytest.raises(ConfigurationError, match="install"):
        exchange_of(HTTPConnection({"type": "http", "headers": []}))
