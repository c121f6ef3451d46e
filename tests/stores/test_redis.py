"""`RedisStore` keeps the contract on a real server, and nothing outlives its time there."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from fastapi_session.clock import system_clock
from fastapi_session.errors import ConfigurationError, StoreUnavailable
from fastapi_session.model import SessionRecord
from fastapi_session.stores.base import Store
from fastapi_session.stores.redis import RedisStore
from fastapi_session.stores.redis.reading import SESSIONS_PAGE
from fastapi_session.stores.redis.script import Script
from fastapi_session.stores.redis.scripts import LINGER
from fastapi_session.testing import (
    EventContract,
    HandClock,
    LimitContract,
    MovableContract,
    PagingContract,
    StoreContract,
)
from fastapi_session.testing.records import (
    DEBOUNCE,
    IDLE_TIMEOUT,
    digest,
    duration,
    new_session,
    new_signing_key,
    next_rotation,
)
from tests.stores.redis_servers import REDIS, VALKEY, patient, running

GIVEN_URL = os.environ.get("TEST_FASTAPI_SESSION_REDIS_URL")
SERVERS = {"valkey": VALKEY, "redis": REDIS, "given": GIVEN_URL}
"""Valkey always, redis-server if it is installed, and a server of your own if a URL is given."""


@pytest.fixture(scope="module", params=[name for name, place in SERVERS.items() if place])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    place = SERVERS[request.param]
    assert place is not None
    if request.param == "given":
        yield place
    else:
        with running(tmp_path_factory.mktemp(request.param), executable=place) as server:
            yield server.url


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def client(url: str) -> AsyncIterator[Redis]:
    client = Redis.from_url(url, decode_responses=True)
    yield client
    await client.aclose()


@pytest.fixture
async def prefix(client: Redis) -> AsyncIterator[str]:
    """Whatever else is on the server is none of a test's business."""
    prefix = f"test-{uuid4().hex}"
    yield prefix
    async for key in client.scan_iter(f"{{{prefix}*"):
        await client.delete(key)


@pytest.fixture
async def store(url: str, prefix: str, clock: HandClock) -> AsyncIterator[RedisStore]:
    store = RedisStore(patient(url), clock=clock, prefix=prefix)
    await store.open()
    yield store
    await store.close()


@pytest.fixture
async def timed_store(client: Redis, prefix: str) -> RedisStore:
    """A store that goes by the clock of its server."""
    return RedisStore(client, prefix=prefix)


async def keys_of(client: Redis, prefix: str) -> set[str]:
    return {key async for key in client.scan_iter(f"{{{prefix}*")}


async def expiry(client: Redis, key: str) -> int:
    left: int = await client.pttl(key)
    return system_clock() + left


async def key_of(client: Redis, prefix: str, record: SessionRecord) -> str:
    [key] = [key for key in await keys_of(client, prefix) if key.endswith(f":session:{record.session_id}")]
    return key


class TestRedisStore(StoreContract, LimitContract, EventContract, MovableContract, PagingContract):
    """The whole contract, on one server."""


class TestRedisStoreOnAClientOfOnesOwn(StoreContract):
    """The whole contract, through a client that decodes replies and that the store shares with others."""

    @pytest.fixture
    async def store(self, client: Redis, prefix: str, clock: HandClock) -> AsyncIterator[Store]:
        store = RedisStore(client, clock=clock, prefix=prefix, shards=4)
        yield store
        await store.close()
        assert await client.ping()


class TestExpiry:
    async def test_every_write_sets_the_expiry(self, timed_store: RedisStore, client: Redis, prefix: str) -> None:
        """The server lets go of a session a day after its deadline, wherever the deadline was moved to."""
        now = system_clock()
        record = new_session("a", now=now, lineage={"window_at": now - DEBOUNCE})
        await timed_store.insert(record)
        key = await key_of(client, prefix, record)
        expiries = [await expiry(client, key)]
        rotated = await timed_store.rotate(next_rotation(record, idle_timeout=2 * IDLE_TIMEOUT))
        assert rotated is not None
        expiries.append(await expiry(client, key))
        shorter = replace(rotated.lineage, absolute_expires_at=now + 5)
        await timed_store.replace(record.session_id, expected=rotated.lineage, lineage=shorter)
        expiries.append(await expiry(client, key))

        deadlines = [record.lineage.idle_expires_at, rotated.lineage.idle_expires_at, now + 5]
        late = [expiry - LINGER - deadline for expiry, deadline in zip(expiries, deadlines, strict=True)]
        assert late[:2] == pytest.approx([0, 0], abs=100)
        assert 0 <= late[2] < 10_000

    async def test_writes_without_a_deadline_keep_the_expiry(
        self, timed_store: RedisStore, client: Redis, prefix: str
    ) -> None:
        """Payload and acknowledgement do not make a session immortal."""
        record = new_session("a", now=system_clock(), lineage={"acknowledged": False})
        await timed_store.insert(record)
        key = await key_of(client, prefix, record)
        before = await expiry(client, key)
        await timed_store.update(record.session_id, version=0, access_token_payload={}, session_data={}, label=None)
        await timed_store.acknowledge(record.session_id, current=record.lineage.current, issue_id=b"used")

        assert await expiry(client, key) == pytest.approx(before, abs=100)

    async def test_what_the_server_let_go_is_cleared_from_the_indexes(
        self, store: RedisStore, client: Redis, prefix: str, clock: HandClock
    ) -> None:
        """A session that its server has expired is in no list, and the next clearing leaves nothing of it."""
        record = new_session("a", now=clock())
        await store.insert(record)
        await client.delete(await key_of(client, prefix, record))
        before = await store.sessions_of("user")
        clock.advance(duration(IDLE_TIMEOUT))
        cleared = await store.delete_expired(limit=10)

        assert ([], 1, set()) == (list(before), cleared, await keys_of(client, prefix))

    async def test_a_page_is_read_in_one_go(
        self, store: RedisStore, client: Redis, prefix: str, clock: HandClock
    ) -> None:
        """For a page no more names are read than it may have sessions, however many the server has let go: it has fewer then."""
        gone, there = [new_session(f"{n}", now=clock(), user_id="a") for n in range(6)], new_session("b", now=clock())
        for record in (*gone, there):
            await store.insert(record)
        for record in gone:
            await client.delete(await key_of(client, prefix, record))
        pages = [await store.session_page(after=None, limit=3)]
        while (place := pages[-1].after) is not None:
            pages.append(await store.session_page(after=place, limit=3))

        assert [[], [], [there]] == [[*page.records] for page in pages]

    async def test_the_server_keeps_time(self, timed_store: RedisStore) -> None:
        """If no clock is given, the server's own decides, to the millisecond."""
        before = system_clock()
        now = (await timed_store.get("0" * 32)).now

        assert before - 50 <= now <= system_clock() + 50


class TestKeeping:
    async def test_everything_is_deleted(self, store: RedisStore, client: Redis, prefix: str, clock: HandClock) -> None:
        """However sessions and keys go, no key of theirs remains when the feed has been cleared."""
        first, second, third, fourth = (new_session(name, now=clock()) for name in "abcd")
        await store.insert(first)
        await store.insert(second, replacing=[first.session_id])
        await store.insert(third)
        await store.insert(fourth)
        await store.insert_key(new_signing_key("k", now=clock()))
        await store.delete(second.session_id)
        await store.delete(third.session_id, expected=third.lineage)
        await store.delete_sessions_of("user", limit=100)
        await store.delete_key("k")
        cleared = await store.delete_notices(until=clock(), limit=10)

        assert (5, set()) == (cleared, await keys_of(client, prefix))

    async def test_numbers_are_written_as_integers(
        self, store: RedisStore, client: Redis, prefix: str, clock: HandClock
    ) -> None:
        """What a script has counted is written digit by digit, as JSON like everything else."""
        record = new_session("a", now=clock())
        await store.insert(record)
        await store.update(record.session_id, version=0, access_token_payload={}, session_data={}, label=None)
        await store.rotate(next_rotation(record, debounce=0))
        fields = await client.hgetall(await key_of(client, prefix, record))

        assert ("1", "1") == (fields["generation"], fields["version"])
        assert ("2000000000000", "2000003600000") == (fields["window_at"], fields["idle_expires_at"])
        numbers = ("version", "created_at", "generation", "current_kid", "window_at", "idle_expires_at")
        assert {int} == {type(json.loads(fields[name])) for name in numbers}

    async def test_nothing_late_brings_a_session_back(
        self, store: RedisStore, client: Redis, prefix: str, clock: HandClock
    ) -> None:
        """Whatever is written to a session that is gone, no key of it appears."""
        record = new_session("a", now=clock())
        await store.rotate(next_rotation(record, debounce=0))
        await store.replace(record.session_id, expected=record.lineage, lineage=record.lineage)
        await store.update(record.session_id, version=0, access_token_payload={}, session_data={}, label=None)
        await store.acknowledge(record.session_id, current=record.lineage.current, issue_id=b"used")
        await store.delete(record.session_id)

        assert set() == await keys_of(client, prefix)

    async def test_a_user_is_not_the_beginning_of_another(self, store: RedisStore, clock: HandClock) -> None:
        """Quotes, tenants and control characters in a user's id do not make it another user's."""
        users = ["a", 'a"', 'a"b', "a\0", "a~", "", "ä", "a]", "{a}"]
        records = [new_session(user, now=clock(), user_id=user) for user in users]
        for record in records:
            await store.insert(record)

        assert [[record] for record in records] == [list(await store.sessions_of(user)) for user in users]

    async def test_sessions_that_come_and_go_while_all_are_deleted(self, store: RedisStore, clock: HandClock) -> None:
        """Sessions that begin while others are being deleted are deleted once, or are there afterwards: none is half gone."""
        records = [new_session(f"{n}", now=clock()) for n in range(40)]
        deletions = [asyncio.create_task(store.delete_sessions_of("user", limit=7)) for _ in range(4)]
        await asyncio.gather(*(store.insert(record) for record in records))
        deleted = [record for deletion in deletions for record in await deletion]
        kept = await store.sessions_of("user")

        assert sorted(each.session_id for each in records) == sorted(each.session_id for each in [*deleted, *kept])
        read = [(await store.get(record.session_id)).record for record in records]
        assert sorted(each.session_id for each in kept) == sorted(each.session_id for each in read if each is not None)

    async def test_no_script_has_more_to_do_than_it_may(
        self, store: RedisStore, clock: HandClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """However many sessions a user has, no script reads or deletes more than a page of them."""
        records = [new_session(f"{n}", now=clock(), created_at=n) for n in range(2 * SESSIONS_PAGE + 1)]
        await asyncio.gather(*(store.insert(record) for record in records))
        keys: list[int] = []
        run = store._calls.run

        async def counted(script: Script, **asked: Any) -> Sequence[Any]:
            answer = await run(script, **asked)
            keys.append(len(asked["keys"]) + len(answer[0]))
            return answer

        monkeypatch.setattr(store._calls, "run", counted)

        assert records == list(await store.sessions_of("user"))
        assert SESSIONS_PAGE == len(await store.delete_sessions_of("user", limit=SESSIONS_PAGE))
        assert max(keys) <= 2 * SESSIONS_PAGE + len(store._keys.shards[0].keys())

    async def test_clients_write_one_successor(
        self, url: str, store: RedisStore, prefix: str, clock: HandClock
    ) -> None:
        """Of 32 tasks on two clients that present one token, exactly one hands the session on."""
        other = RedisStore(patient(url), clock=clock, prefix=prefix)
        record = new_session("a", now=clock())
        await store.insert(record)
        for generation in range(10):
            lineage = replace(record.lineage, generation=generation, current=digest(f"S{generation}"))
            rotation = next_rotation(replace(record, lineage=lineage), debounce=0)
            answers = await asyncio.gather(*(each.rotate(rotation) for each in [store, other] * 16))
            assert 1 == sum(answer is not None for answer in answers)
        await other.close()

        kept = (await store.get(record.session_id)).record
        assert kept is not None
        assert (10, digest("S10")) == (kept.lineage.generation, kept.lineage.current)

    async def test_scripts_that_were_forgotten_are_sent_again(
        self, store: RedisStore, client: Redis, clock: HandClock
    ) -> None:
        """A server whose script cache was emptied is told the script, and no caller notices."""
        record = new_session("a", now=clock())
        await store.insert(record)
        await client.script_flush()

        assert record == (await store.get(record.session_id)).record

    async def test_foreign_keys_are_unavailable(
        self, store: RedisStore, client: Redis, prefix: str, clock: HandClock
    ) -> None:
        """What somebody else put in the place of a session is told by the kind of failure alone."""
        record = new_session("a", now=clock())
        await store.insert(record)
        key = await key_of(client, prefix, record)
        await client.delete(key)
        await client.set(key, "secret")

        with pytest.raises(StoreUnavailable, match=r"^Redis failed: ResponseError$"):
            await store.get(record.session_id)


class TestConfiguration:
    @pytest.mark.parametrize(
        "url",
        [
            "redis",
            "http://localhost",
            "redis://localhost:port",
            "redis://localhost/name",
            "redis://localhost?no_option=1",
        ],
    )
    def test_a_url_names_a_server(self, url: str) -> None:
        """What no client understands is refused at once, with what is meant."""
        with pytest.raises(ConfigurationError, match="give redis://host:port/database"):
            RedisStore(url)

    @pytest.mark.parametrize("prefix", ["", "{tag}"])
    def test_a_prefix_leaves_the_tag_alone(self, prefix: str) -> None:
        """Braces would change which keys lie together."""
        with pytest.raises(ConfigurationError, match="prefix must not"):
            RedisStore("redis://localhost", prefix=prefix)

    def test_there_is_a_shard(self) -> None:
        """Sessions have to lie somewhere."""
        with pytest.raises(ConfigurationError, match="shards must be at least 1"):
            RedisStore("redis://localhost", shards=0)


class TestExternal:
    async def test_only_what_is_alive_is_in_the_index(
        self, store: RedisStore, client: Redis, prefix: str, clock: HandClock
    ) -> None:
        """Nothing is written for a session that no provider began, and nothing stays of one that ended or that the server let go."""
        index = f"{{{prefix}:0}}:by_external"
        deleted, expired = (new_session(name, now=clock(), external_session=digest("external")) for name in "ab")
        await store.insert(new_session("c", now=clock()))
        assert 0 == await client.zcard(index)
        for record in (deleted, expired):
            await store.insert(record)
        assert 4 == await client.zcard(index)
        await store.delete(deleted.session_id)
        await client.delete(await key_of(client, prefix, expired))
        clock.advance(duration(IDLE_TIMEOUT))
        await store.delete_expired(limit=10)

        assert 0 == await client.zcard(index)
