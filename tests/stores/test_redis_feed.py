"""The revocation feed of `RedisStore`: in as many places as there are shards, and complete all the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from itertools import count, pairwise

import pytest
from redis.asyncio import Redis

from fastapi_session.clock import system_clock
from fastapi_session.model import Notice, SessionRecord
from fastapi_session.stores.redis import RedisStore, notice_verbs
from fastapi_session.testing.records import new_session, new_signing_key
from tests.stores.redis_servers import Server, patient, running

SHARDS = 8


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture
async def client(server: Server) -> AsyncIterator[Redis]:
    client = Redis.from_url(server.url, decode_responses=True)
    await client.flushall()
    yield client
    await client.aclose()


@pytest.fixture
async def store(server: Server, client: Redis) -> AsyncIterator[RedisStore]:
    """A store in shards that goes by the clock of its server."""
    store = RedisStore(patient(server.url), shards=SHARDS)
    yield store
    await store.close()


async def kept_sessions(store: RedisStore, *, number: int) -> list[SessionRecord]:
    """So many sessions of one user, kept in *store*."""
    records = [new_session(f"{n}", now=system_clock()) for n in range(number)]
    await asyncio.gather(*(store.insert(record) for record in records))
    return records


async def delete_in_turn(store: RedisStore, records: list[SessionRecord]) -> None:
    for record in records:
        await store.delete(record.session_id)


async def heard(store: RedisStore) -> list[tuple[str, str]]:
    """Subject and kind of all that is in the feed, in the order of the subjects."""
    return sorted((notice.subject, notice.kind) for notice in (await store.notices(after=0)).notices)


def noted(records: list[SessionRecord], kind: str) -> list[tuple[str, str]]:
    return sorted((record.session_id, kind) for record in records)


def revoked(records: list[SessionRecord]) -> list[tuple[str, str]]:
    return noted(records, "session_revoked")


class TestAppending:
    async def test_every_shard_is_heard(self, store: RedisStore, client: Redis) -> None:
        """A user's sessions lie in many shards; all of them are noted, each where it lay."""
        records = await kept_sessions(store, number=100)
        await store.delete_sessions_of("user", limit=100)

        assert revoked(records) == await heard(store)
        assert SHARDS == len([key async for key in client.scan_iter("*:notices")])

    async def test_a_session_replaced_in_another_shard_is_noted(self, store: RedisStore) -> None:
        """Wherever the session lies that takes the place of another one, the end of that one is noted."""
        records = [new_session(f"{n}", now=system_clock()) for n in range(20)]
        await store.insert(records[0])
        for before, after in pairwise(records):
            await store.insert(after, replacing=[before.session_id])

        assert noted(records[:-1], "session_superseded") == await heard(store)

    async def test_what_the_server_let_go_is_not_noted(self, store: RedisStore, client: Redis) -> None:
        """A session that its server has expired ends long after its last access token: nobody has to hear of it."""
        first, second = await kept_sessions(store, number=2)
        for key in [key async for key in client.scan_iter("*:session:*")]:
            await client.pexpire(key, 1)
        await asyncio.sleep(0.01)
        await store.delete(first.session_id)
        await store.delete(second.session_id, expected=second.lineage)

        assert [] == list(await store.delete_sessions_of("user", limit=100))
        assert [] == await heard(store)

    async def test_what_the_server_let_go_is_superseded(self, store: RedisStore, client: Redis) -> None:
        """If a session takes the place of one that its server has expired, the client may have its tokens: it is noted."""
        [expired] = await kept_sessions(store, number=1)
        for key in [key async for key in client.scan_iter("*:session:*")]:
            await client.pexpire(key, 1)
        await asyncio.sleep(0.01)
        successor = new_session("successor", now=system_clock())
        await store.insert(successor, replacing=[expired.session_id])

        assert [successor] == list(await store.sessions_of("user"))
        assert noted([expired], "session_superseded") == await heard(store)

    async def test_a_long_feed_is_read_page_by_page(self, store: RedisStore, monkeypatch: pytest.MonkeyPatch) -> None:
        """Each notice is read once, however many are dated in one moment, and whatever the pages end with."""
        records = await kept_sessions(store, number=13)
        await store.delete_sessions_of("user", limit=100)
        for page in (1, 2, 5, 13, 100):
            monkeypatch.setattr(notice_verbs, "NOTICES_PAGE", page)
            assert revoked(records) == await heard(store)

    async def test_the_same_session_may_be_noted_often(self, store: RedisStore) -> None:
        """Each change that marks a session stale is told, though session and kind are the same."""
        [record] = await kept_sessions(store, number=1)
        for version in range(3):
            await store.update(
                record.session_id,
                version=version,
                access_token_payload={},
                session_data={},
                label=None,
                marks_stale=True,
            )
            await asyncio.sleep(0.002)

        assert [(record.session_id, "session_stale")] * 3 == await heard(store)

    async def test_a_kid_may_be_any_text(self, store: RedisStore) -> None:
        """Quotes and letters beyond ASCII in a kid come through the feed as they are."""
        await store.insert_key(new_signing_key('"ü"\\', now=system_clock()))
        await store.delete_key('"ü"\\')

        assert [('"ü"\\', "key_deleted")] == await heard(store)


class TestReading:
    async def test_the_server_dates_what_happens(self, store: RedisStore) -> None:
        """If no clock is given, notices and the reading are dated by the server's own, to the millisecond."""
        [record] = await kept_sessions(store, number=1)
        before = system_clock()
        await store.delete(record.session_id)
        reading = await store.notices(after=0)

        [notice] = reading.notices
        assert before - 50 <= notice.at <= reading.now <= system_clock() + 50

    async def test_the_earliest_clock_counts(self, server: Server, client: Redis) -> None:
        """If the clocks of the shards differ, the reading is as old as the earliest of them."""
        moments = count(1_000)
        store = RedisStore(patient(server.url), clock=lambda: next(moments), shards=SHARDS)
        reading = await store.notices(after=0)
        await store.close()

        assert 1_000 == reading.now

    async def test_shards_are_merged_by_time(self, server: Server, client: Redis) -> None:
        """What happened in many shards and to the keys comes in the order in which it happened."""
        moments = count(1_000)
        store = RedisStore(patient(server.url), clock=lambda: next(moments), shards=SHARDS)
        records = await kept_sessions(store, number=20)
        await store.insert_key(new_signing_key("k", now=0))
        for record in records:
            await store.delete(record.session_id)
        await store.delete_key("k")
        notices = (await store.notices(after=0)).notices
        await store.close()

        assert [*(record.session_id for record in records), "k"] == [notice.subject for notice in notices]
        assert sorted(notice.at for notice in notices) == [notice.at for notice in notices]

    async def test_a_reader_misses_nothing(self, store: RedisStore) -> None:
        """Who goes on from the clock of the last reading, that millisecond included, hears all that ever happens."""
        records = await kept_sessions(store, number=400)
        endings = asyncio.gather(*(delete_in_turn(store, records[start::4]) for start in range(4)))
        known: set[Notice] = set()
        after, readings = 0, 0
        while not endings.done():
            reading = await store.notices(after=after)
            known |= set(reading.notices)
            after, readings = reading.now - 1, readings + 1
        known |= set((await store.notices(after=after)).notices)

        assert readings > 10
        assert revoked(records) == sorted((notice.subject, notice.kind) for notice in known)


class TestClearing:
    async def test_all_places_are_cleared(self, store: RedisStore, client: Redis) -> None:
        """Old notices of every shard and of the keys are deleted, never more at once than was asked for."""
        await kept_sessions(store, number=30)
        await store.delete_sessions_of("user", limit=100)
        await store.insert_key(new_signing_key("k", now=0))
        await store.delete_key("k")
        until = (await store.notices(after=0)).now

        assert [20, 11, 0] == [await store.delete_notices(until=until, limit=20) for _ in range(3)]
        assert [] == [key async for key in client.scan_iter("*")]
