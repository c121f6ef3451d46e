"""A SQLite file in which single rows are damaged: whatever SQLite lets stand there."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fastapi_session.errors import TryRefreshTokenError
from fastapi_session.model import SessionRecord
from fastapi_session.stores.sqlite import SqliteStore
from fastapi_session.testing import HandClock
from tests.engines import engine, refresh_token_of
from tests.stores.damage import SECRET_VALUE, Damage, DamagedKeysAndFeed, DamagedSessions, DamageFeed, DamageKey

DAMAGES = [
    f"access_token_payload = '{SECRET_VALUE}'",
    "access_token_payload = NULL",
    "session_data = '[1]'",
    """session_data = '{"a":NaN}'""",
    """session_data = '{"a":1e999}'""",
    f"generation = '{SECRET_VALUE}'",
    "recipe_user_id = CAST(X'7365637265FF' AS TEXT)",
    f"current = '{SECRET_VALUE}'",
    "window_at = 1.5",
    "created_at = 1 << 60",
]


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sessions.db"


@pytest.fixture
async def store(path: Path, clock: HandClock) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(path, clock=clock)
    await store.open()
    yield store
    await store.close()


def run(path: Path, statement: str, *parameters: object) -> None:
    """Run *statement* on a file in which a value that is not there is nowhere forbidden."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA writable_schema = ON")
    db.execute("UPDATE sqlite_schema SET sql = replace(sql, 'NOT NULL', '') WHERE type = 'table'")
    db.close()
    db = sqlite3.connect(path, isolation_level=None)
    assert 1 == db.execute(statement, parameters).rowcount
    db.close()


class TestSessions(DamagedSessions):
    @pytest.fixture(params=DAMAGES)
    def damage(self, request: pytest.FixtureRequest, path: Path) -> Damage:
        async def damage(record: SessionRecord) -> None:
            run(path, f"UPDATE session SET {request.param} WHERE session_id = ?", record.session_id)

        return damage


class TestKeysAndFeed(DamagedKeysAndFeed):
    @pytest.fixture(params=["public_jwk = 'x'", "private_key = 'x'", "token_lifetime = NULL"])
    def damage_key(self, request: pytest.FixtureRequest, path: Path) -> DamageKey:
        async def damage(kid: str) -> None:
            run(path, f"UPDATE signing_key SET {request.param} WHERE kid = ?", kid)

        return damage

    @pytest.fixture(params=["NULL", "X'00'", "CAST(X'FF' AS TEXT)"])
    def damage_feed(self, request: pytest.FixtureRequest, path: Path) -> DamageFeed:
        async def damage(at: int) -> None:
            run(path, f"INSERT INTO notice VALUES ({request.param}, 'session_revoked', ?)", at)

        return damage


async def test_a_signing_key_that_cannot_be_read(store: SqliteStore, path: Path, clock: HandClock) -> None:
    """A deployment whose only key is damaged makes another one: its sessions go on with a refresh."""
    before = engine(clock, store=store)
    issued = await before.create("ada")
    await before.close()
    run(path, "UPDATE signing_key SET public_jwk = 'x' WHERE family = 'd'")
    after = engine(clock, store=store)
    await after.open()

    with pytest.raises(TryRefreshTokenError):
        await after.verify(issued.tokens.access_token)
    fresh = await after.refresh(refresh_token_of(issued))
    assert "ada" == (await after.verify(fresh.tokens.access_token)).user_id
    await after.close()
