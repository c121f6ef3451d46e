"""The token of a usual request is found without reading all its headers, and is the one that they would give."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import HTTPConnection, Request

from fastapi_session import SessionError, Sessions, TryRefreshTokenError, UnauthorisedError
from fastapi_session.config import TokenTransferMethod
from fastapi_session.testing import HandClock
from fastapi_session.web.client_addresses import ClientAddresses
from fastapi_session.web.cookies import MAX_BYTES, MAX_COOKIES
from fastapi_session.web.exchange import SCOPE_KEY, Exchange
from fastapi_session.web.sole_token import sole_token
from fastapi_session.web.token_choice import _counting, presented_access_token
from fastapi_session.web.transport import Transport
from fastapi_session.web.verifying import SessionProvider
from tests.engines import engine
from tests.wire import ACCESS_COOKIE

Headers = list[tuple[bytes, bytes]]


class Client:
    """Requests to one application."""

    def __init__(self, sessions: Sessions) -> None:
        self.sessions = sessions

    def counts(self, headers: Headers) -> object:
        """Return which token counts, and how it came; or why none does."""
        return _told(presented_access_token, *self._request(headers))

    def read(self, headers: Headers, allowed: TokenTransferMethod) -> object:
        """Return the same after all *headers* were read."""
        return _told(_counting, *self._request(headers), allowed)

    def sole(self, headers: Headers, allowed: TokenTransferMethod) -> object:
        """Return what is decided without reading them all."""
        found = sole_token(headers, allowed, cookie_name=ACCESS_COOKIE.encode(), known=self.sessions.verified_tokens)
        return None if found is None else found[:2]

    async def verify(self, headers: Headers) -> str:
        """Return whose session the request has."""
        session = await SessionProvider()(self._request(headers)[0])
        assert session is not None
        return session.user_id

    def _request(self, headers: Headers) -> tuple[Request, Exchange]:
        config = self.sessions.config
        exchange = Exchange(self.sessions, Transport(config), ClientAddresses(config))
        return Request({"type": "http", "method": "GET", "headers": headers, SCOPE_KEY: exchange}), exchange


def _told(choose: Callable[..., Any], connection: HTTPConnection, exchange: Exchange, *more: object) -> object:
    try:
        method, token = choose(connection, exchange, *more)
    except SessionError as error:
        return str(error)
    return method, None if token is None else exchange.access_token


def bearer(token: str) -> Headers:
    return [(b"authorization", f"Bearer {token}".encode())]


def cookie(token: str, more: str = "") -> Headers:
    return [(b"cookie", f"{ACCESS_COOKIE}={token}{more}".encode())]


@pytest.fixture
def client(clock: HandClock) -> Client:
    return Client(engine(clock, access_token_validity_jitter=0))


async def token_of(client: Client, user_id: str = "ada") -> str:
    """Return a token that this process has verified."""
    token = (await client.sessions.create(user_id)).tokens.access_token
    await client.sessions.verify(token)
    return token


@pytest.mark.parametrize("bring", [bearer, cookie])
async def test_a_cached_token_is_valid_no_longer(client: Client, bring: type, clock: HandClock) -> None:
    """A token from the cache expires and is revoked as any other."""
    headers, other = bring(await token_of(client)), bring(await token_of(client, "bob"))
    for _ in range(3):
        assert ("ada", "bob") == (await client.verify(headers), await client.verify(other))
    await client.sessions.revoke_all("ada")

    with pytest.raises(UnauthorisedError):
        await client.verify(headers)
    clock.advance(timedelta(hours=1))
    with pytest.raises(TryRefreshTokenError, match="expired"):
        await client.verify(other)


async def test_a_cached_token_outlives_a_reading_of_other_keys(client: Client) -> None:
    """If the keys have changed, a cached token is verified anew; if its key was revoked, it is refused."""
    headers = bearer(await token_of(client))
    kid = (await client.sessions._parts.keyring.signing_key()).kid
    assert ["ada"] * 3 == [await client.verify(headers) for _ in range(3)]
    await client.sessions._parts.keyring.signing_key(static=True)

    assert ["ada"] * 2 == [await client.verify(headers) for _ in range(2)]
    await client.sessions.revoke_signing_key(kid)
    with pytest.raises(TryRefreshTokenError, match="no key"):
        await client.verify(headers)


async def test_where_tokens_may_travel_is_asked_each_time(clock: HandClock) -> None:
    """A deployment that decides by the request how tokens travel decides for cached headers, too."""
    allowed = ["any"]
    client = Client(engine(clock, token_transfer_method=lambda _request, _for_create: allowed[0]))
    token = await token_of(client)
    before = [client.counts(bearer(token)) for _ in range(3)]
    allowed[0] = "cookie"

    assert [("header", token)] * 3 == before
    assert ("cookie", token) == client.counts(bearer("other") + cookie(token))
    assert ("header", None) == client.counts(bearer(token))


FULL = "; ".join(["a=b"] * MAX_COOKIES)


@pytest.mark.parametrize(
    ("headers", "allowed", "decided"),
    [
        ("bearer", "any", "header"),
        ("bearer", "header", "header"),
        ("bearer", "cookie", None),
        ("cookie", "any", "cookie"),
        ("cookie", "cookie", "cookie"),
        ("cookie", "header", None),
        ("bearer cookie", "any", "header"),
        ("bearer cookie", "cookie", "cookie"),
        ("basic cookie", "any", "cookie"),
        ("junk-bearer cookie", "any", None),
        ("theme cookie theme", "any", "cookie"),
        ("one-of-many", "any", "cookie"),
        ("spaced", "any", "cookie"),
        ("twice", "any", None),
        ("cookie cookie", "any", None),
        ("blank-name", "any", None),
        ("longer-name", "any", None),
        ("quoted", "any", None),
        ("too-many", "any", None),
        ("too-long", "any", None),
        ("lower-case", "any", None),
        ("two-blanks", "any", None),
        ("theme", "any", None),
        ("", "any", None),
    ],
)
async def test_what_is_decided(client: Client, headers: str, allowed: TokenTransferMethod, decided: str | None) -> None:
    """The usual requests are, whatever else they bring; what two readers could understand in two ways is not."""
    token = await token_of(client)
    came = client.sole([header for piece in headers.split() for header in brought(token)[piece]], allowed)

    assert (None if decided is None else (decided, token)) == came


def brought(token: str) -> dict[str, Headers]:
    """Return what a request may bring of *token*, by name."""
    name = ACCESS_COOKIE
    values = {
        "cookie": f"{name}={token}",
        "one-of-many": f"theme=dark; {name}={token};lang=en",
        "spaced": f"theme=dark;\t {name}={token}",
        "twice": f"{name}=; {name}={token}",
        "blank-name": f"{name} ={token}",
        "longer-name": f"x{name}={token}",
        "in-a-value": f"x={name}={token}",
        "quoted": f'{name}="{token}"',
        "blank-after": f"{name}={token} ",
        "escaped": f"{name}={token.replace('.', '%2E')}",
        "too-many": f"{FULL}; {name}={token}",
        "too-long": f"{name}={token}; x={'x' * MAX_BYTES}",
        "without-value": f"{name}",
        "legacy": "sIdRefreshToken=1",
        "theme": "theme=dark",
    }
    schemes = {
        "bearer": f"Bearer {token}",
        "lower-case": f"bearer {token}",
        "two-blanks": f"Bearer  {token}",
        "tab": f"Bearer\t{token}",
        "blank-end": f"Bearer {token} ",
        "scheme-alone": "Bearer",
        "junk-bearer": "Bearer of another kind",
        "other-scheme": f"Bearers {token}",
        "basic": "Basic YTpi",
    }
    return {
        **{piece: [(b"cookie", value.encode())] for piece, value in values.items()},
        **{piece: [(b"authorization", value.encode())] for piece, value in schemes.items()},
        "rid": [(b"rid", b"session")],
    }


@given(
    requests=st.lists(st.lists(st.sampled_from(sorted(brought("a.b.c"))), max_size=4), min_size=2, max_size=8),
    allowed=st.sampled_from(["any", "header", "cookie"]),
)
def test_nothing_else_would_be_read(requests: list[list[str]], allowed: TokenTransferMethod) -> None:
    """Whatever came before, a token that is decided without reading all headers is the one that they would give."""

    async def both() -> list[tuple[object, object]]:
        client = Client(engine(HandClock()))
        mine, others = brought(await token_of(client)), brought(await token_of(client, "bob"))
        came = [
            [header for place, piece in enumerate(pieces) for header in (others if place % 2 else mine)[piece]]
            for pieces in requests
        ]
        return [(client.sole(headers, allowed), client.read(headers, allowed)) for headers in came]

    for sole, read in asyncio.run(both()):
        assert sole in (None, read)
