"""Adopters that are configured wrongly are refused when they are made, and texts that no system writes are no logins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import create_async_engine
from starlette.requests import HTTPConnection

from fastapi_session import ConfigurationError
from fastapi_session.model import Json
from fastapi_session.moving import (
    Adopter,
    Adoption,
    DjangoSessions,
    DjangoSignedCookies,
    DjangoTables,
    FastAPIUsersDatabase,
    FastAPIUsersJWT,
    StarletteSessions,
)
from tests.moments import HOUR

NOWHERE = create_async_engine("sqlite+aiosqlite:///:memory:")
KEY = "the-secret-of-another-system-0001, long enough"
PUBLIC_KEY = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----"


async def everybody(adoption: Adoption, _kept: Json) -> Adoption:
    return adoption


def jwts(key: str = KEY, **settings: Any) -> FastAPIUsersJWT:
    return FastAPIUsersJWT(key, check=everybody, **settings)


@pytest.mark.parametrize(
    ("made", "field"),
    [
        (lambda: StarletteSessions("", check=everybody), "secret_key"),
        (lambda: StarletteSessions(KEY, check=everybody, keys="role"), "keys"),
        (lambda: DjangoSessions(NOWHERE, KEY), "secret_keys"),
        (lambda: DjangoSessions(NOWHERE, []), "secret_keys"),
        (lambda: DjangoSignedCookies(NOWHERE, [KEY, ""]), "secret_keys"),
        (lambda: DjangoTables(backends="mine.Backend"), "backends"),
        (lambda: jwts(""), "key"),
        (lambda: jwts(PUBLIC_KEY), "key"),
        (lambda: jwts(algorithm="RS256"), "key"),
        (lambda: jwts(algorithm="none"), "algorithm"),
        (lambda: jwts(algorithm="HS"), "algorithm"),
        (lambda: jwts(audience="fastapi-users:auth"), "audience"),
    ],
    ids=[
        "empty secret",
        "keys no list",
        "secret no list",
        "no secret",
        "empty fallback",
        "backends no list",
        "empty key",
        "public key for HS256",
        "secret for RS256",
        "no algorithm",
        "unknown algorithm",
        "audience no list",
    ],
)
def test_what_is_wrong(made: Callable[[], object], field: str) -> None:
    """It is said which setting it is, and nothing secret. An empty secret, or one text taken for its characters, lets anybody sign."""
    with pytest.raises(ConfigurationError, match=f"^{field}: ") as caught:
        made()

    assert KEY not in str(caught.value)


@pytest.mark.parametrize("value", [b'"\\000abc"', b'"abc\\012"', b"caf\xe9", b'"\\377"'])
@pytest.mark.parametrize(
    "adopter",
    [DjangoSessions(NOWHERE, [KEY]), FastAPIUsersDatabase(NOWHERE, check=everybody, lifetime=HOUR)],
    ids=["django", "fastapi-users"],
)
def test_what_no_system_writes(adopter: Adopter, value: bytes) -> None:
    """It is no login, and no database is asked for it: PostgreSQL would fail for a NUL."""
    headers = [(b"cookie", name + b"=" + value) for name in (b"sessionid", b"fastapiusersauth")]

    assert adopter.presented(HTTPConnection({"type": "http", "headers": headers})) is None


def test_what_a_bearer_brings() -> None:
    """So it is of what comes in a header."""
    adopter = FastAPIUsersDatabase(NOWHERE, check=everybody, lifetime=HOUR, cookie=None)
    scope = {"type": "http", "headers": [(b"authorization", b"Bearer caf\xe9")]}

    assert adopter.presented(HTTPConnection(scope)) is None
