"""One request's dealings: read once, and of what is recorded the last word counts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.requests import HTTPConnection

from fastapi_session import ConfigurationError, Tokens, TryRefreshTokenError, UnauthorisedError
from fastapi_session.testing import HandClock
from fastapi_session.web.exchange import SCOPE_KEY, Exchange, exchange_of
from fastapi_session.web.header_cache import HeaderCache
from fastapi_session.web.transport import Transport
from tests.web.deployment import engine

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
    return Exchange(sessions, Transport(sessions.config), HeaderCache())


def tokens(**fields: Any) -> Tokens:
    given = {"access_token": "a", "access_token_expires_at": 1, "claims": {"sub": "ada"}, "anti_csrf_token": None}
    return Tokens(**{**given, **fields})


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
    assert exchange.refuse(TryRefreshTokenError()) is not None
    assert START is exchange.write(START, {})


def test_the_last_word_counts(exchange: Exchange) -> None:
    """What is recorded last of a method is what goes out."""
    exchange.send(tokens(access_token="first", refresh_token="r"), "header")
    exchange.clear()
    exchange.send(tokens(access_token="second", refresh_token="r"), "header")

    assert b"second" == written(exchange)[b"st-access-token"]

    exchange.refuse(UnauthorisedError(clears_tokens=True))

    assert b"" == written(exchange)[b"st-access-token"]


def test_a_new_access_token_keeps_the_refresh_token(exchange: Exchange) -> None:
    """An access token that follows a whole set takes its place in it, and the rest is still sent."""
    exchange.send(tokens(access_token="first", refresh_token="r", claims={"sub": "ada", "n": 1}), "header")
    exchange.send(tokens(access_token="second", claims={"sub": "ada", "n": 2}), "header")
    headers = written(exchange)

    assert (b"second", b"r") == (headers[b"st-access-token"], headers[b"st-refresh-token"])


def test_the_exchange_of_a_request(exchange: Exchange) -> None:
    """A request finds its exchange in its scope, and where there is none is told the fix."""
    scope: dict[str, Any] = {"type": "http", "headers": [], SCOPE_KEY: exchange}

    assert exchange is exchange_of(HTTPConnection(scope))
    with pytest.raises(ConfigurationError, match="install"):
        exchange_of(HTTPConnection({"type": "http", "headers": []}))
