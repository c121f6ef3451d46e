"""Rows of a database that were changed by another hand. What its types and constraints let stand is less than elsewhere."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from fastapi_session.model import SessionRecord
from fastapi_session.stores.sql import SqlStore
from fastapi_session.testing import HandClock
from tests.stores.damage import SECRET_VALUE, Damage, DamagedKeysAndFeed, DamagedSessions, DamageFeed, DamageKey
from tests.stores.sql.conftest import PATIENCE


@pytest.fixture
async def store(engine: AsyncEngine, clock: HandClock) -> AsyncIterator[SqlStore]:
    store = SqlStore(engine, clock=clock, timeout=PATIENCE)
    yield store
    await store.close()


async def run(engine: AsyncEngine, statement: str, **parameters: object) -> None:
    async with engine.begin() as connection:
        await connection.execute(text(statement), parameters)


class TestSessions(DamagedSessions):
    @pytest.fixture(params=[SECRET_VALUE, "[1]", '{"a":1e999}'])
    def damage(self, request: pytest.FixtureRequest, engine: AsyncEngine) -> Damage:
        async def damage(record: SessionRecord) -> None:
            statement = "UPDATE fastapi_session SET session_data = :value WHERE session_id = :id"
            await run(engine, statement, value=request.param, id=record.session_id)

        return damage


class TestKeysAndFeed(DamagedKeysAndFeed):
    @pytest.fixture
    def damage_key(self, engine: AsyncEngine) -> DamageKey:
        async def damage(kid: str) -> None:
            await run(engine, "UPDATE fastapi_session_signing_key SET public_jwk = 'x' WHERE kid = :kid", kid=kid)

        return damage

    @pytest.fixture
    def damage_feed(self, engine: AsyncEngine) -> DamageFeed:
        if engine.dialect.name == "postgresql":
            pytest.skip("PostgreSQL keeps nothing but text as text")

        async def damage(at: int) -> None:
            statement = "INSERT INTO fastapi_session_notice (subject, kind, at) VALUES (x'ff', 'session_revoked', :at)"
            await run(engine, statement, at=at)

        return damage
