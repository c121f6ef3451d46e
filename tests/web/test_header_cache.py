"""A request with the headers of an earlier one has the same token from the cache, for as long as that is valid."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from fastapi_session import SessionError, Sessions, TryRefreshTokenError, UnauthorisedError
from fastapi_session.testing import HandClock
from fastapi_session.web.client_addresses import ClientAddresses
from fastapi_session.web.exchange import SCOPE_KEY, Exchange
from fastapi_session.web.header_cache import MAX_BYTES, HeaderCache, what_came
from fastapi_session.web.token_choice import presented_access_token
from fastapi_session.web.transport import Transport
from fastapi_session.web.verifying import SessionProvider
from tests.engines import engine
from tests.wire import ACCESS_COOKIE, LEGACY_COOKIE

Headers = list[tuple[bytes, bytes]]


class Client:
    """Requests to one application."""

    def __init__(self, sessions: Sessions) -> None:
        self.sessions = sessions
        self.header_cache = HeaderCache()

    def counts(self, headers: Headers) -> object:
        """Return which token counts, and how it came; or why none does."""
        try:
            method, token = presented_access_token(*self._request(headers))
        except SessionError as error:
            return str(error)
        return method, None if token is None else token.text

    async def verify(self, headers: Headers) -> str:
        """Return whose session the request has."""
        session = await SessionProvider()(self._request(headers)[0])
        assert session is not None
        return session.user_id

    def _request(self, headers: Headers) -> tuple[Request, Exchange]:
        exchange = Exchange(
            self.sessions, Transport(self.sessions.config), self.header_cache, ClientAddresses(self.sessions.config)
        )
        return Request({"type": "http", "method": "GET", "headers": headers, SCOPE_KEY: exchange}), exchange


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


async def test_only_verified_tokens_are_cached(client: Client) -> None:
    """A token is cached once it was verified; nothing else that has the structure of one is, nor what is too long."""
    token = (await client.sessions.create("ada")).tokens.access_token
    client.counts(bearer(token))
    client.counts(bearer("e30.e30.e30"))
    client.counts(bearer("of another kind"))
    client.counts([])
    assert 0 == len(client.header_cache)
    await client.sessions.verify(token)
    client.counts(cookie(token, more=f"; other={'x' * MAX_BYTES}"))
    assert 0 == len(client.header_cache)
    client.counts(bearer(token))

    assert 1 == len(client.header_cache)


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


PIECES = ["BEARER", "bearer-other", "basic", ACCESS_COOKIE, "sAccessToken-other", LEGACY_COOKIE, "theme", "rid"]
"""What a request may bring, by name."""


@given(requests=st.lists(st.lists(st.sampled_from(PIECES), max_size=4), min_size=2, max_size=6))
def test_the_cache_returns_what_would_be_read(requests: list[list[str]]) -> None:
    """Whatever came before, a request's token is the one that its headers alone would give."""

    async def both() -> tuple[list[object], list[object]]:
        client = Client(engine(HandClock()))
        mine, others = await token_of(client), await token_of(client, "bob")
        brought = {
            "BEARER": bearer(mine),
            "bearer-other": bearer(others),
            "basic": [(b"authorization", b"Basic YTpi")],
            ACCESS_COOKIE: cookie(mine),
            "sAccessToken-other": cookie(others, more="; theme=dark"),
            LEGACY_COOKIE: [(b"cookie", b"sIdRefreshToken=1")],
            "theme": [(b"cookie", b"theme=dark")],
            "rid": [(b"rid", b"session")],
        }
        headers = [[header for piece in pieces for header in brought[piece]] for pieces in requests]
        alone = [Client(client.sessions).counts(each) for each in headers]
        return alone, [client.counts(each) for each in headers * 3]

    alone, together = asyncio.run(both())

    assert alone * 3 == together


@pytest.mark.parametrize(
    ("headers", "came"),
    [
        ([], (None, None, "any")),
        ([(b"host", b"a"), (b"rid", b"b")], (None, None, "any")),
        ([(b"authorization", b"a"), (b"authorization", b"b")], (b"a", None, "any")),
        ([(b"cookie", b"a"), (b"x", b"y"), (b"cookie", b"b")], (None, b"a; b", "any")),
        ([(b"cookie", b"a"), (b"authorization", b"b")], (b"b", b"a", "any")),
    ],
)
def test_what_came(headers: Headers, came: tuple[bytes | None, bytes | None, str]) -> None:
    """The first Authorization header counts, and all Cookie headers, as in `transport.read`."""
    assert came == what_came(headers, "any")
