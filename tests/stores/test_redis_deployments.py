"""`RedisStore` where it is deployed in earnest: behind TLS and access rules, with replicas that take over, and full."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest
from redis.asyncio import Redis, RedisCluster
from redis.asyncio.connection import SSLConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff

from fastapi_session.audit import Audit, EventQuery
from fastapi_session.clock import system_clock
from fastapi_session.errors import ConfigurationError, StoreUnavailable
from fastapi_session.model import SessionRecord
from fastapi_session.stores.opening import WRONG_USER
from fastapi_session.stores.redis import RedisStore, connections
from fastapi_session.testing.event_contract import ENDED
from fastapi_session.testing.records import digest, new_session, new_signing_key, next_rotation
from tests.authority import Authority
from tests.reliability.proxy import Proxy, proxied, to_address
from tests.stores.redis_servers import (
    REDIS,
    Server,
    caught_up,
    cluster,
    following,
    free_port,
    patient,
    replication,
    running,
    wait_until,
    watched,
)

PATIENCE = 20.0
"""Seconds after which a failover that has not happened is a failure."""

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "stores.md"

Answer = TypeVar("Answer")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with running(tmp_path / "valkey") as server:
        yield server


def sessions(number: int) -> list[SessionRecord]:
    return [new_session(f"{n}", now=system_clock()) for n in range(number)]


@asynccontextmanager
async def using(url: str) -> AsyncIterator[RedisStore]:
    """The store at *url*, closed in the end, so that a test that fails leaves nothing to the next one."""
    store = RedisStore(patient(url))
    try:
        yield store
    finally:
        await store.close()


async def insert_all(store: RedisStore, records: Sequence[SessionRecord]) -> None:
    await asyncio.gather(*(store.insert(record) for record in records))


async def read_all(store: RedisStore, records: Sequence[SessionRecord]) -> list[SessionRecord | None]:
    readings = await asyncio.gather(*(store.get(record.session_id) for record in records))
    return [reading.record for reading in readings]


async def when_available(operation: Callable[[], Awaitable[Answer]]) -> tuple[Answer, int]:
    """The answer of *operation*, as soon as there is one, and how often the store was unavailable before."""
    give_up_at = time.monotonic() + PATIENCE
    for failures in range(10_000):
        try:
            return await operation(), failures
        except StoreUnavailable:
            assert time.monotonic() < give_up_at, "the store does not come back"
            await asyncio.sleep(0.05)
    raise AssertionError("the store does not come back")


def is_unavailable(answer: object) -> bool:
    return isinstance(answer, StoreUnavailable)


async def use_everything(store: RedisStore) -> None:
    """Let *store* run each of its scripts once."""
    record = sessions(1)[0]
    await store.insert(record)
    rotated = await store.rotate(next_rotation(record, debounce=0))
    assert rotated is not None
    assert await store.replace(
        record.session_id, expected=rotated.lineage, lineage=replace(rotated.lineage, window_at=1)
    )
    await store.acknowledge(record.session_id, current=rotated.lineage.current, issue_id=b"used")
    assert await store.update(
        record.session_id, version=0, access_token_payload={}, session_data={}, label=None, marks_stale=True
    )
    assert 1 == len(await store.sessions_of("user"))
    assert await store.delete(record.session_id)
    assert not await store.delete(record.session_id, expected=rotated.lineage)
    await store.insert(record)
    assert 1 == len(await store.delete_sessions_of("user", limit=100))
    assert 0 == await store.delete_expired(limit=1)
    await store.insert(replace(record, external_session=digest("external")))
    assert 1 == len(await store.delete_external(digest("external"), limit=100))
    assert await store.once(digest("once"), until=0)
    await store.is_remembered(digest("once"))
    key = new_signing_key("k", now=system_clock())
    assert await store.insert_key(key)
    assert await store.replace_key(key, expected_secret_kid=1)
    assert await store.delete_key("k")
    assert 5 == await store.delete_notices(until=(await store.notices(after=0)).now, limit=10)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@asynccontextmanager
async def tls_in_front(server: Server, files: tuple[Path, Path]) -> AsyncIterator[int]:
    """A port where TLS ends, in front of *server*."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*files)
    proxy = Proxy(to_address("127.0.0.1", server.port))
    front = await asyncio.start_server(proxy.accept, "127.0.0.1", ssl=context)
    try:
        yield front.sockets[0].getsockname()[1]
    finally:
        front.close()
        proxy.reset()
        await proxy.idle()


@asynccontextmanager
async def tls_of_its_own(directory: Path, files: tuple[Path, Path]) -> AsyncIterator[int]:
    """A port where a server itself speaks TLS."""
    if REDIS is None:
        pytest.skip("redis-server, WHICH SPEAKS TLS, IS NOT INSTALLED")
    port = free_port()
    settings = ("--tls-port", str(port), "--tls-cert-file", str(files[0]), "--tls-key-file", str(files[1]))
    with ExitStack() as stack:
        try:
            stack.enter_context(
                running(directory / "redis", executable=REDIS, settings=(*settings, "--tls-auth-clients", "no"))
            )
        except AssertionError:
            pytest.skip("THIS redis-server SPEAKS NO TLS")
        yield port


class TestTls:
    @pytest.fixture(params=["in front", "of its own"])
    async def port(
        self, request: pytest.FixtureRequest, server: Server, tmp_path: Path, authority: Authority
    ) -> AsyncIterator[int]:
        files = authority.certify("127.0.0.1")
        async with AsyncExitStack() as stack:
            if request.param == "in front":
                yield await stack.enter_async_context(tls_in_front(server, files))
            else:
                yield await stack.enter_async_context(tls_of_its_own(tmp_path, files))

    async def test_an_authority_of_ones_own(self, port: int, authority: Authority) -> None:
        """With its certificate in the URL, a server is trusted that an authority of one's own has certified."""
        async with using(f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={authority.file}") as store:
            await use_everything(store)
            readings = await asyncio.gather(*(store.get("0" * 32) for _ in range(100)))

        assert {None} == {reading.record for reading in readings}

    async def test_connections_share_what_they_know(self, port: int, authority: Authority) -> None:
        """Certificates are loaded once for all connections, since nothing else happens in the meantime."""
        async with using(f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={authority.file}") as store:
            await asyncio.gather(*(store.signing_keys() for _ in range(10)))
            [client] = store._calls._clients.values()
            assert isinstance(client, Redis)
            opened = [each for each in client.connection_pool._available_connections if isinstance(each, SSLConnection)]

        assert len(opened) > 1
        assert 1 == len({id(connection.ssl_context.get()) for connection in opened})

    async def test_an_unknown_authority(self, port: int) -> None:
        """A server that nobody known has certified is told nothing."""
        async with using(f"rediss://127.0.0.1:{port}/0") as store:
            with pytest.raises(StoreUnavailable):
                await store.open()

    async def test_the_certificate_of_another_server(self, server: Server, authority: Authority) -> None:
        """A server that shows the certificate of another one is told nothing, though the authority is known."""
        async with (
            tls_in_front(server, authority.certify("127.0.0.2")) as port,
            using(f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={authority.file}") as store,
        ):
            with pytest.raises(StoreUnavailable):
                await store.open()


class TestAccess:
    RULES = "~{fastapi_session* +@hash +@sortedset +eval +evalsha +exists +del +pexpire +time"

    async def test_a_user_with_the_rights_of_the_documentation(self, server: Server) -> None:
        """A user who may do what the documentation lists can do everything that the store does."""
        server.ask("ACL", "SETUSER", "app", "reset", "on", ">pass:w@rd", *self.RULES.split())
        async with using(f"redis://app:pass%3Aw%40rd@{server.address}/0") as store:
            await use_everything(store)

        assert self.RULES in DOCUMENTATION.read_text("utf-8")

    async def test_a_user_without_rights(self, server: Server) -> None:
        """A user who may not use our keys is a mistake of the configuration, and told as that."""
        server.ask("ACL", "SETUSER", "app", "reset", "on", ">secret", "~other*", "+@all")
        async with using(f"redis://app:secret@{server.address}/0") as store:
            with pytest.raises(ConfigurationError, match=rf"^store: {WRONG_USER} \({server.address}\)$"):
                await store.open()


@contextmanager
def six_nodes(directory: Path) -> Iterator[list[Server]]:
    """Three primaries and a replica of each. Skips the test if such a cluster cannot be made, or used."""
    if connections.VERSION < connections.VERSION_FOR_CLUSTERS:
        pytest.skip("THIS redis-py DOES NOT SURVIVE THE FAILOVER OF A CLUSTER")
    with ExitStack() as stack:
        try:
            servers = stack.enter_context(cluster(directory, replicas=1))
        except (AssertionError, OSError, subprocess.SubprocessError) as error:
            pytest.skip(f"NO CLUSTER OF SIX NODES CAN BE HAD HERE: {type(error).__name__}")
        yield servers


class TestFailover:
    async def test_a_sentinel_names_the_new_primary(self, tmp_path: Path) -> None:
        """When a primary dies, requests fail until its replica has taken over, and nothing that it had is lost."""
        records = sessions(20)
        with watched(tmp_path) as (primary, replica, sentinel):
            # redis-py has no types for it.
            manager = Sentinel([("127.0.0.1", sentinel.port)], socket_timeout=1)  # type: ignore[no-untyped-call]
            client = manager.master_for("sessions", socket_timeout=1, retry=Retry(NoBackoff(), 0))
            store = RedisStore(client)
            await insert_all(store, records)
            await store.delete(records[0].session_id)
            wait_until(lambda: caught_up([primary, replica]))
            primary.kill()
            kept, failures = await when_available(lambda: read_all(store, records))
            [notice] = (await store.notices(after=0)).notices
            rotated = await store.rotate(next_rotation(records[1], debounce=0))
            await client.aclose()
            await manager.sentinels[0].aclose()

        assert failures > 0
        assert [None, *records[1:]] == kept
        assert records[0].session_id == notice.subject
        assert rotated is not None

    async def test_a_primary_that_was_demoted(self, tmp_path: Path) -> None:
        """If an address leads to another server after a failover, connections to the old one are given up."""
        records = sessions(20)
        with running(tmp_path / "old") as old, running(tmp_path / "new", settings=following(old)) as new:
            to_old, to_new = (to_address("127.0.0.1", server.port) for server in (old, new))
            async with proxied(to_old) as address, using(f"redis://127.0.0.1:{address.port}/0") as store:
                await insert_all(store, records)
                wait_until(lambda: caught_up([old, new]))
                new.ask("REPLICAOF", "NO", "ONE")
                old.ask("REPLICAOF", "127.0.0.1", str(new.port))
                address.connect = to_new
                rotations = [next_rotation(record, debounce=0) for record in records]
                answers = await asyncio.gather(*map(store.rotate, rotations), return_exceptions=True)
                refused = [each for each, answer in zip(rotations, answers, strict=True) if is_unavailable(answer)]
                again = await asyncio.gather(*map(store.rotate, refused))

        assert len(refused) > 0
        assert {SessionRecord} == {type(answer) for answer in [*answers, *again] if not is_unavailable(answer)}

    # What redis-py had open to the node that died, it leaves to the garbage collector.
    @pytest.mark.filterwarnings("ignore:.*unclosed:pytest.PytestUnraisableExceptionWarning")
    @pytest.mark.filterwarnings("ignore:.*unclosed:ResourceWarning")
    async def test_a_node_of_a_cluster_dies(self, tmp_path: Path) -> None:
        """When a node of a cluster dies, its sessions are unavailable until its replica takes over, and none is lost."""
        records = sessions(50)
        with six_nodes(tmp_path) as servers:
            client = RedisCluster.from_url(servers[0].url, socket_timeout=1, retry=Retry(NoBackoff(), 0))
            store = RedisStore(client, shards=16)
            await insert_all(store, records)
            await store.delete(records[0].session_id)
            wait_until(lambda: caught_up(servers))
            next(server for server in servers if replication(server)["role"] == "master").kill()
            kept, failures = await when_available(lambda: read_all(store, records))
            reading, _ = await when_available(lambda: store.notices(after=0))
            rotated = await asyncio.gather(*(store.rotate(next_rotation(each, debounce=0)) for each in records[1:]))
            await client.aclose()

        assert failures > 0
        assert [None, *records[1:]] == kept
        assert [records[0].session_id] == [notice.subject for notice in reading.notices]
        assert None not in rotated

    async def test_a_client_that_would_not_survive_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A cluster client of a release that never comes back from a failover is refused at once, with the fix."""
        monkeypatch.setattr(connections, "VERSION", (7, 1))

        with pytest.raises(ConfigurationError, match=r"pip install 'redis>=7.2'"):
            RedisStore(RedisCluster(host="127.0.0.1"))


class TestFullMemory:
    async def test_a_full_server_loses_nothing(self, tmp_path: Path) -> None:
        """A server refuses the session for which it has no room, keeps all others, and goes on when there is room."""
        with running(tmp_path, settings=("--maxmemory", "8mb")) as server:
            async with using(server.url) as store:
                kept = await fill(store)
                read = [(await store.get(record.session_id)).record for record in kept]
                for record in kept[10:]:
                    await store.delete(record.session_id)
                again, _ = await when_available(lambda: store.rotate(next_rotation(kept[0], debounce=0)))

        assert kept == read
        assert again is not None

    @pytest.mark.parametrize("audit", [None, ENDED], ids=["not audited", "audited"])
    async def test_a_full_server_revokes(self, audit: Audit | None, server: Server) -> None:
        """If not even a refresh has room, every session can be revoked, and that is noted, and told if there is an audit."""
        records = sessions(4)
        async with using(server.url) as store:
            await insert_all(store, records)
            server.ask("CONFIG", "SET", "maxmemory", "1")
            with pytest.raises(StoreUnavailable):
                await store.rotate(next_rotation(records[0], debounce=0))
            unchanged = await read_all(store, records)
            assert await store.delete(records[0].session_id, audit=audit)
            deleted = [records[0], *await store.delete_sessions_of("user", limit=100, audit=audit)]
            heard = {notice.subject for notice in (await store.notices(after=0)).notices}
            told = (await store.events(EventQuery(limit=100))).events

        assert (4 if audit else 0) == len(told)
        assert records == unchanged
        assert {record.session_id for record in records} == {record.session_id for record in deleted} == heard


async def fill(store: RedisStore) -> list[SessionRecord]:
    """Insert large sessions until the server refuses one, and answer those that it has taken."""
    kept: list[SessionRecord] = []
    for record in sessions(1_000):
        large = replace(record, session_data={"text": "x" * 100_000})
        try:
            await store.insert(large)
        except StoreUnavailable:
            break
        kept.append(large)
    assert 5 < len(kept) < 1_000
    return kept
