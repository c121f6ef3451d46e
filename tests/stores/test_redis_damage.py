"""A Redis server in which single keys are damaged, or changed by another hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from redis.asyncio import Redis

from fastapi_session.errors import StoreUnavailable
from fastapi_session.model import SessionRecord
from fastapi_session.stores.redis import RedisStore, notice_verbs
from fastapi_session.testing import HandClock
from fastapi_session.testing.records import new_session
from tests.stores.damage import SECRET_VALUE, Damage, DamagedKeysAndFeed, DamagedSessions, DamageFeed, DamageKey
from tests.stores.redis_servers import VALKEY, running

SESSION, FEED, KEYS = "{test:0}:session:", "{test:0}:notices", "{test}:signing_keys"
DAMAGES = [
    ("access_token_payload", f'"{SECRET_VALUE}"'),
    ("access_token_payload", SECRET_VALUE),
    ("session_data", None),
    ("session_id", None),
    ("user_id", None),
    ("generation", f'"{SECRET_VALUE}"'),
    ("current", f'"{SECRET_VALUE}"'),
    ("tenant_id", "1],[2"),
]
"""A field, and what it is by another hand: `None` if it is gone."""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(tmp_path_factory.mktemp("valkey"), executable=VALKEY) as server:
        yield server.url


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def client(url: str) -> AsyncIterator[Redis]:
    client = Redis.from_url(url)
    yield client
    await client.flushall()
    await client.aclose()


@pytest.fixture
async def store(url: str, client: Redis, clock: HandClock) -> AsyncIterator[RedisStore]:
    store = RedisStore(url, clock=clock, prefix="test")
    yield store
    await store.close()


class TestSessions(DamagedSessions):
    @pytest.fixture(params=DAMAGES)
    def damage(self, request: pytest.FixtureRequest, client: Redis) -> Damage:
        field, value = request.param

        async def damage(record: SessionRecord) -> None:
            key = f"{SESSION}{record.session_id}"
            await (client.hdel(key, field) if value is None else client.hset(key, field, value))

        return damage


class TestKeysAndFeed(DamagedKeysAndFeed):
    @pytest.fixture(params=['["k1"]', '["k1","d",1,"ES256","x","00",1,1,1,1]'])
    def damage_key(self, request: pytest.FixtureRequest, client: Redis) -> DamageKey:
        async def damage(_: str) -> None:
            await client.hset(KEYS, "d 1", request.param)

        return damage

    @pytest.fixture(params=["x", "[\n]x", "7", "[1,2]", '[null,"session_revoked",1]'])
    def damage_feed(self, request: pytest.FixtureRequest, client: Redis, monkeypatch: pytest.MonkeyPatch) -> DamageFeed:
        # So that pages end at damaged notices, and in the middle of a moment.
        monkeypatch.setattr(notice_verbs, "NOTICES_PAGE", 2)

        async def damage(at: int) -> None:
            await client.zadd(FEED, {f"{request.param}": at})

        return damage


async def test_a_session_under_the_key_of_another(store: RedisStore, client: Redis, clock: HandClock) -> None:
    """Whoever asks for a session is never given what stands in its place."""
    mine, theirs = new_session("mine", now=clock()), new_session("theirs", now=clock(), user_id="them")
    for record in (mine, theirs):
        await store.insert(record)
    await client.copy(f"{SESSION}{theirs.session_id}", f"{SESSION}{mine.session_id}", replace=True)

    with pytest.raises(StoreUnavailable, match="for its owner"):
        await store.get(mine.session_id)
    assert [] == list(await store.sessions_of("user"))
    assert [theirs] == list(await store.sessions_of("them"))
