"""Whoever copies the store, and has not the secret, can neither be somebody nor sign for anybody (R17)."""

from __future__ import annotations

import base64
import os
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from redis.asyncio import Redis
from sqlalchemy import select
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from fastapi_session import IssuedSession, Sessions, UnauthorisedError
from fastapi_session.clock import system_clock
from fastapi_session.core import refresh_token
from fastapi_session.core.key_encryption import decrypted
from fastapi_session.core.refresh_token import RefreshToken
from fastapi_session.core.secret import Secret
from fastapi_session.errors import ConfigurationError
from fastapi_session.model import SessionRecord
from fastapi_session.stores.sql import METADATA
from tests.conftest import Place
from tests.engines import SECRET, WRONG_SECRET, engine, refresh_token_of, secrets

RING = secrets(SECRET)


async def copied(place: Place) -> bytes:
    """Return all that is kept at *place*, bytes as they are and text as UTF-8."""
    values = {"sqlite": of_sqlite, "valkey": of_valkey}.get(place.kind, of_sql)(place.url)
    return b"\n".join([value if isinstance(value, bytes) else str(value).encode() async for value in values])


async def of_sqlite(url: str) -> AsyncIterator[Any]:
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for row in connection.execute(f"SELECT * FROM {table}"):
                for value in row:
                    yield value


async def of_sql(url: str) -> AsyncIterator[Any]:
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.connect() as connection:
        for table in METADATA.tables.values():
            for row in (await connection.execute(select(table))).all():
                for value in row:
                    yield value
    await engine.dispose()


async def of_valkey(url: str) -> AsyncIterator[Any]:
    async with Redis.from_url(url) as client:
        async for key in client.scan_iter():
            yield key
            if await client.type(key) == b"hash":
                for field, value in (await client.hgetall(key)).items():
                    yield field
                    yield value
            else:
                for member in await client.zrange(key, 0, -1):
                    yield member


def forms(secret: bytes) -> Iterator[bytes]:
    """Return how *secret* may be written."""
    yield secret
    yield secret.hex().encode()
    yield base64.b64encode(secret).rstrip(b"=")
    yield base64.urlsafe_b64encode(secret).rstrip(b"=")


def made_from(issued: IssuedSession) -> dict[str, bytes]:
    """Return what nobody but the client and the deployment may know of *issued*."""
    token = refresh_token.read(refresh_token_of(issued), RING)
    assert token is not None
    anti_csrf = issued.tokens.anti_csrf_token
    assert anti_csrf is not None
    return {
        "the refresh token": refresh_token_of(issued).encode(),
        "its secret": token.secret,
        "its fingerprint": token.fingerprint,
        "the access token": issued.tokens.access_token.encode(),
        "its signature": issued.tokens.access_token.rpartition(".")[2].encode(),
        "the anti-CSRF token": anti_csrf.encode(),
    }


@pytest.fixture
async def sessions(place: Place) -> AsyncIterator[Sessions]:
    sessions = engine(system_clock, store=place.url, refresh_token_rotation_grace_period=0)
    await sessions.open()
    yield sessions
    await sessions.close()


async def test_nothing_that_opens_anything_is_kept(sessions: Sessions, place: Place) -> None:
    """A copy of the store has the session in it, but no token, nothing that a token is made of, no private key."""
    issued = await sessions.create("ada", anti_csrf=True)
    secret = {"the configured secret": SECRET.encode()}
    secret |= {f"sub-key {name}": getattr(RING.newest, name) for name in ("mac", "derive", "pepper", "encrypt")}
    secret |= {"a private key": decrypted((await sessions.store.signing_keys())[0], RING)}
    copy = await copied(place)
    kept = {name for name, value in {**secret, **made_from(issued)}.items() if any(f in copy for f in forms(value))}

    assert set() == kept
    assert issued.access_token.session_id.encode() in copy


async def test_nothing_can_be_forged_from_it(sessions: Sessions) -> None:
    """Refresh tokens made of a record, by whatever key but the secret's, are refused, and harm nobody."""
    victim = await sessions.create("ada")
    record = (await sessions.store.get(victim.access_token.session_id)).record
    assert record is not None
    strange = Secret.from_material(WRONG_SECRET.encode())
    guesses = [
        strange,
        replace(strange, kid=RING.newest.kid),
        replace(strange, kid=RING.newest.kid, mac=record.lineage.current),
        replace(strange, kid=RING.newest.kid, mac=bytes(32)),
        replace(strange, kid=RING.newest.kid, mac=os.urandom(32)),
    ]
    for guess in guesses:
        for token in forgeries(record, kid=guess.kid):
            with pytest.raises(UnauthorisedError):
                await sessions.refresh(refresh_token.mint(token, guess))

    assert refresh_token_of(await sessions.refresh(refresh_token_of(victim)))


def forgeries(record: SessionRecord, *, kid: int) -> Iterator[RefreshToken]:
    """Return tokens that stand where *record* does, or just before or after, made of what it says."""
    current = record.lineage.current
    for generation in (0, 1):
        yield RefreshToken(kid, record.session_id, generation, secret=current, parent=bytes(32), issue_id=bytes(9))
        yield RefreshToken(kid, record.session_id, generation, secret=bytes(32), parent=current, issue_id=bytes(9))


async def test_another_secret_opens_no_key(sessions: Sessions) -> None:
    """A deployment with another secret is refused the signing keys, and is told why."""
    await sessions.create("ada")
    thief = engine(system_clock, store=sessions.store, secret=WRONG_SECRET)

    with pytest.raises(ConfigurationError, match="secret"):
        await thief.create("ada")
