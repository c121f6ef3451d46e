"""`RedisStore` keeps the contract on a cluster of three nodes, its sessions spread over all of them."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import pytest
from redis.asyncio import Redis, RedisCluster

from fastapi_session.clock import system_clock
from fastapi_session.stores.base import Store
from fastapi_session.stores.redis import RedisStore, connections
from fastapi_session.stores.redis.keys import Keyspace
from fastapi_session.testing import EventContract, HandClock, MovableContract, PagingContract, StoreContract
from fastapi_session.testing.records import new_session, next_rotation
from tests.stores.redis_servers import Server, cluster

SHARDS = 16


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Server]]:
    if connections.VERSION < connections.VERSION_FOR_CLUSTERS:
        pytest.skip("THIS redis-py DOES NOT SURVIVE THE FAILOVER OF A CLUSTER")
    try:
        with cluster(tmp_path_factory.mktemp("cluster")) as servers:
            yield servers
    except (AssertionError, OSError, subprocess.SubprocessError) as error:
        pytest.skip(f"NO CLUSTER OF THREE NODES CAN BE HAD HERE: {type(error).__name__}")


@pytest.fixture
async def client(servers: list[Server]) -> AsyncIterator[RedisCluster]:
    client = RedisCluster.from_url(servers[0].url)
    yield client
    await client.aclose()


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def store(client: RedisCluster, clock: HandClock) -> AsyncIterator[Store]:
    store = RedisStore(client, clock=clock, prefix=uuid4().hex, shards=SHARDS)
    await store.open()
    yield store
    await store.close()


class TestRedisCluster(StoreContract, EventContract, MovableContract, PagingContract):
    """The whole contract, on a cluster, in many shards."""


async def test_shards_spread_over_the_nodes(servers: list[Server], client: RedisCluster) -> None:
    """Each of the nodes keeps a part of the sessions, and together they keep them all."""
    store = RedisStore(client, shards=SHARDS)
    await asyncio.gather(*(store.insert(new_session(f"{n}", now=system_clock())) for n in range(200)))
    counts = []
    for server in servers:
        node = Redis.from_url(server.url)
        counts.append(len([key async for key in node.scan_iter("{fastapi_session:*:session:*")]))
        await node.aclose()

    assert 200 == sum(counts)
    assert 0 < min(counts)


async def test_a_shard_that_was_moved_is_followed(servers: list[Server], client: RedisCluster) -> None:
    """A shard whose slot another node has taken over is found there, and its sessions go on."""
    keys = Keyspace("moved", shards=1).shards[0].keys()
    store = RedisStore(client, prefix="moved")
    await store.open()
    slot = client.keyslot(keys[0])
    old = client.get_node_from_key(keys[0])
    assert old is not None
    new = next(server for server in servers if server.port != old.port)
    new_id = new.ask("CLUSTER", "MYID").strip()
    new.ask("CLUSTER", "BUMPEPOCH")  # or what the old owner still tells of the slot may win again
    for server in sorted(servers, key=lambda server: server is not new):
        server.ask("CLUSTER", "SETSLOT", str(slot), "NODE", new_id)
    record = new_session("a", now=system_clock())
    await store.insert(record)
    rotated = await store.rotate(next_rotation(record, debounce=0))

    assert rotated is not None
    assert rotated == (await store.get(record.session_id)).record
    assert new.ask("--raw", "CLUSTER", "COUNTKEYSINSLOT", str(slot)).strip() == "3"
