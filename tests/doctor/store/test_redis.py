"""What is found of Redis and Valkey, each on a server that is set up so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis, RedisCluster
from redis.asyncio.connection import Connection, ConnectionPool

from fastapi_session.errors import ConfigurationError, StoreUnavailable
from fastapi_session.stores.opening import WRONG_USER
from fastapi_session.stores.redis import RedisStore, connections, facts_scripts
from tests.doctor.store.deployments import found, ids, started
from tests.engines import config
from tests.stores.redis_servers import REDIS, Server, caught_up, cluster, following, running, wait_until

Start = Callable[..., Server]

RULES = "~{fastapi_session* +@hash +@sortedset +eval +evalsha +exists +del +pexpire +time".split()
"""What the page on stores says a user needs."""
FOR_AN_AUDIT = "+xadd +xdel +xrange +xrevrange".split()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts servers whose *settings* differ from what the page on stores says."""
    with ExitStack() as stack:

        def starting(*settings: str, **options: Any) -> Server:
            folder = tmp_path / f"server-{len(list(tmp_path.iterdir()))}"
            return stack.enter_context(running(folder, settings=settings, **options))

        yield starting


async def seen(server: Server, **options: Any) -> list[tuple[str, str]]:
    """What is found on *server*, after an application has started there."""
    deployment = config(store=server.url, **options)
    await started(deployment)
    return await found(deployment)


async def test_eviction(start: Start) -> None:
    """FS121 for a policy that evicts, and FS122 for what it has evicted, also if it does not any more."""
    server = start("--maxmemory-policy", "allkeys-lru", "--maxmemory", "3mb")
    evicting = ("FS121", f"{server.address} has maxmemory-policy allkeys-lru")
    assert [evicting] == await seen(server)

    for number in range(40):
        server.ask("SET", f"other-{number}", "x" * 100_000)
    server.ask("CONFIG", "SET", "maxmemory", "0")
    [first, (id_, told), *_] = await found(config(store=server.url))  # the signing keys may be among them
    assert (evicting, "FS122", True) == (first, id_, " has evicted_keys " in told)

    server.ask("CONFIG", "SET", "maxmemory-policy", "noeviction")
    assert ["FS122"] == ids(await seen(server))


async def test_what_is_kept_on_the_disk(start: Start) -> None:
    """FS123 if nothing is, FS124 if only snapshots are; a log alone is enough."""
    server = start("--appendonly", "no")
    assert [("FS123", f"{server.address} has appendonly no and no save")] == await seen(server)

    server.ask("CONFIG", "SET", "save", "60 1")
    assert [("FS124", f"{server.address} has appendonly no and save 60 1")] == await seen(server)


async def test_a_replica(start: Start) -> None:
    """FS125 for a replica; its primary should wait for it, FS131, and if it does, all is well."""
    primary = start()
    replica = start(*following(primary))
    wait_until(lambda: caught_up([primary, replica]))
    # Before its first log is written, it cannot be stopped.
    wait_until(lambda: "aof_rewrite_in_progress:0" in replica.ask("INFO", "PERSISTENCE"))
    deployment = config(store=primary.url)
    await started(deployment)

    wait_until(lambda: caught_up([primary, replica]))
    assert [("FS125", replica.address)] == await found(config(store=replica.url))
    assert [("FS131", f"{primary.address} has 1 replicas and min-replicas-to-write 0")] == await found(deployment)

    primary.ask("CONFIG", "SET", "min-replicas-to-write", "1")
    assert [] == await found(deployment)


async def test_an_old_server(start: Start) -> None:
    """FS126, by the version that the server says."""
    server = start()
    await started(config(store=server.url))

    async with saying(server, {b"redis_version:7.2.4": b"redis_version:6.0.9"}) as address:
        assert [("FS126", f"{address} is 6.0.9")] == await found(config(store=f"redis://{address}/0"))


@pytest.mark.parametrize(("audit", "refused"), [(False, "PEXPIRE"), (True, "PEXPIRE, XADD, XDEL, XRANGE, XREVRANGE")])
async def test_a_user_without_rights(start: Start, audit: bool, refused: str) -> None:
    """FS127 names the commands that are refused; those of an audit only if there is one."""
    server = start()
    await started(config(store=server.url))
    server.ask("ACL", "SETUSER", "app", "on", ">password", *RULES, "-pexpire", "+info", "+config|get")

    assert [("FS127", refused)] == await found(config(store=as_user(server), audit=audit, audit_retention=timedelta(1)))


async def test_a_user_with_just_the_rights(start: Start) -> None:
    """A user with the rights that the page on stores says may not look at settings, which is said, FS128, and no harm."""
    server = start()
    server.ask("ACL", "SETUSER", "app", "on", ">password", *RULES)
    deployment = config(store=as_user(server))
    await started(deployment)
    assert [("FS128", server.address)] == await found(deployment)

    server.ask("ACL", "SETUSER", "app", *FOR_AN_AUDIT)
    audited = config(store=as_user(server), audit=True, audit_retention=timedelta(1))
    await started(audited)
    assert [("FS128", server.address)] == await found(audited)
    page = (Path(__file__).parents[3] / "docs" / "stores.md").read_text("utf-8")
    assert " ".join(RULES) in page
    assert f"`{' '.join(FOR_AN_AUDIT)}`" in page


async def test_a_server_that_cannot_be_asked(start: Start) -> None:
    """Where it is looked for is said, and no password: of one that is not there, and of one that refuses the user."""
    server = start()
    server.ask("CONFIG", "SET", "requirepass", "password")
    for url in (server.url, f"redis://app:wrong@{server.address}/0"):
        with pytest.raises(ConfigurationError, match=rf"^store: {WRONG_USER} \({server.address}\)$"):
            await found(config(store=url))

    server.kill()
    with pytest.raises(StoreUnavailable, match=rf"^Redis failed: ConnectionError, at {server.address}$"):
        await found(config(store=f"redis://:password@{server.address}/0"))


async def test_a_server_without_config(start: Start) -> None:
    """What a managed server says without CONFIG is enough."""
    server = start("--rename-command", "CONFIG", "")

    assert [] == await seen(server)


def test_all_commands_are_asked_about() -> None:
    """What is asked of the rights of the user is what the scripts call, but for what copying to another store needs."""
    folder = Path(facts_scripts.__file__).parent
    called = {
        line.split("'")[1]
        for path in folder.glob("*.py")
        for line in path.read_text("utf-8").replace("redis.pcall(", "redis.call(").split("redis.call(")[1:]
    }

    assert called - {"SCAN", "TIME"} == {*facts_scripts.NEEDED, *facts_scripts.NEEDED_FOR_EVENTS}


async def test_shards(start: Start) -> None:
    """FS129 for shards on one server, where they only cost."""
    server = start()
    deployment = config(store=RedisStore(server.url, shards=4))
    await started(deployment)
    assert [("FS129", "4 shards")] == await found(deployment)


async def test_shards_of_a_cluster(tmp_path: Path) -> None:
    """On a cluster they are what they are for, and each primary is looked at."""
    if connections.VERSION < connections.VERSION_FOR_CLUSTERS:
        pytest.skip("THIS redis-py DOES NOT SURVIVE THE FAILOVER OF A CLUSTER")
    with cluster(tmp_path) as nodes:
        client = RedisCluster(host="127.0.0.1", port=nodes[0].port)
        deployment = config(store=RedisStore(client, shards=4))
        await started(deployment)
        assert [] == await found(deployment)

        nodes[1].ask("CONFIG", "SET", "maxmemory-policy", "allkeys-random")
        assert [("FS121", f"{nodes[1].address} has maxmemory-policy allkeys-random")] == await found(deployment)
        await client.aclose()


async def test_a_password_in_the_open(start: Start) -> None:
    """FS130 for a password that goes to a public address without TLS: here, by a connection that leads back to this machine."""
    server = start()
    server.ask("ACL", "SETUSER", "app", "on", ">password", *RULES, "+info", "+config|get")

    async def through(**options: Any) -> list[tuple[str, str]]:
        pool = ConnectionPool(connection_class=leading_to(server), **options)
        client = Redis.from_pool(pool)
        deployment = config(store=RedisStore(client))
        await started(deployment)
        findings = await found(deployment)
        await client.aclose()
        return findings

    user = {"username": "app", "password": "password"}
    assert [("FS130", "9.9.9.9")] == await through(host="9.9.9.9", **user)
    assert [] == await through(host="10.1.2.3", **user)
    assert [] == await through(host="9.9.9.9")


async def test_idle_connections_that_the_server_closes(start: Start) -> None:
    """A `timeout` of the server is no fault: a connection that it closed is opened again."""
    server = start("--timeout", "1")

    assert [] == await seen(server)


@pytest.mark.skipif(REDIS is None, reason="redis-server is not installed")
async def test_redis_itself(start: Start) -> None:
    """Redis says of itself what Valkey does."""
    assert [] == await seen(start(executable=REDIS))


async def test_events_in_memory(start: Start) -> None:
    """FS184 if events are kept for months in memory; for days they may be."""
    server = start()

    assert [("FS184", "audit_retention is 90 days")] == await seen(server, audit=True)
    assert [] == await seen(server, audit=True, audit_retention=timedelta(days=7))


def as_user(server: Server) -> str:
    return f"redis://app:password@{server.address}/0"


def leading_to(server: Server) -> type[Connection]:
    """A connection that leads to *server*, whatever address it was told."""

    class Led(Connection):
        def _connection_arguments(self) -> Mapping[str, Any]:
            return {"host": "127.0.0.1", "port": server.port}

    return Led


@asynccontextmanager
async def saying(server: Server, words: Mapping[bytes, bytes]) -> AsyncIterator[str]:
    """Where *server* responds with other *words*, each as long as those in whose place they are."""

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(65_536):
            for before, after in words.items():
                piece = piece.replace(before, after)
            writer.write(piece)
            await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection("127.0.0.1", server.port)
        await asyncio.gather(pass_on(reader, there[1]), pass_on(there[0], writer))

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        port: int = listening.sockets[0].getsockname()[1]
        yield f"127.0.0.1:{port}"
