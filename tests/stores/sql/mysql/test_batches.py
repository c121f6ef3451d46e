"""Many sessions in one transaction of MariaDB: who is served, who is left out, and what each of them is told."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, event, text
from sqlalchemy.ext.asyncio import AsyncEngine

from fastapi_session import MemoryStore
from fastapi_session.clock import system_clock
from fastapi_session.errors import StoreUnavailable
from fastapi_session.insertion import KEPT
from fastapi_session.model import Circumstances, Reading, Rotation, SessionRecord
from fastapi_session.stores.batching import MAX_BATCH
from fastapi_session.stores.rows import SESSION_COLUMNS
from fastapi_session.stores.sql import SqlStore
from fastapi_session.stores.sql.mysql.statements import LARGEST_READ
from fastapi_session.testing import HandClock
from fastapi_session.testing.records import bound_key, digest, full_session, new_session, next_rotation
from tests.reliability.proxy import proxied
from tests.reliability.store_proxy import by_port, way_to
from tests.stores.sql.conftest import PATIENCE

LOCK_ALL_OF = text("SELECT session_id FROM fastapi_session WHERE user_id = :user_id FOR UPDATE")
LOCK_ONE = text("SELECT session_id FROM fastapi_session WHERE session_id = :session_id FOR UPDATE")

ODD_AGENT = "%s %(x)s '); -- \\ \" ` ü 😀"
"""What SQL, or the driver, writes in a way of its own."""


@pytest.fixture
def driver() -> str:
    return "mysql+asyncmy"


@pytest.fixture
async def store(url: str, engine: AsyncEngine, clock: HandClock) -> AsyncIterator[SqlStore]:
    async with opened(url, clock=clock) as store:
        yield store


@asynccontextmanager
async def opened(url: str, **options: Any) -> AsyncIterator[SqlStore]:
    store = SqlStore(url, **{"timeout": PATIENCE, **options})
    await store.open()
    try:
        yield store
    finally:
        await store.close()


@pytest.fixture
async def records(store: SqlStore, clock: HandClock) -> list[SessionRecord]:
    """Eight sessions without a default in any field."""
    records = [full_session(f"{n}", now=clock()) for n in range(8)]
    await asyncio.gather(*map(store.insert, records))
    clock.advance(timedelta(minutes=1))
    return records


@pytest.fixture
async def sent(store: SqlStore) -> list[str]:
    """The first word of each statement that is sent from now on."""
    words: list[str] = []

    def note(_connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        words.append(statement.rpartition("*/")[2].split(maxsplit=1)[0])  # after what only MariaDB reads

    event.listen(store._engine.ways().alone.sync_engine, "before_cursor_execute", note)  # for transactions too
    return words


def next_of(record: SessionRecord, **fields: Any) -> Rotation:
    return next_rotation(record, **{"successor": digest(record.session_id), "debounce": 0, **fields})


async def rotated(store: SqlStore | MemoryStore, rotations: Sequence[Rotation]) -> list[Any]:
    """What each of *rotations* is told, all of them at once."""
    return await asyncio.gather(*map(store.rotate, rotations), return_exceptions=True)


async def kept(store: SqlStore, records: Sequence[SessionRecord]) -> list[SessionRecord | None]:
    return [(await store.get(record.session_id)).record for record in records]


class TestRotations:
    async def test_many_in_one_transaction(
        self, store: SqlStore, records: list[SessionRecord], clock: HandClock, sent: list[str]
    ) -> None:
        """Two statements hand all of them on, each as a store in memory does, and as it is kept."""
        rotations = [
            next_of(record, circumstances=Circumstances(f"10.0.0.{n}", ODD_AGENT)) for n, record in enumerate(records)
        ]
        memory = MemoryStore(clock=clock)
        for record in records:
            await memory.insert(record)
        told = await rotated(store, rotations)

        assert ["SELECT", "UPDATE"] == sent
        assert await rotated(memory, rotations) == told
        assert told == await kept(store, records)

    async def test_those_that_do_not_apply(
        self, store: SqlStore, records: list[SessionRecord], sent: list[str]
    ) -> None:
        """Who presents another token, or has not proved the key, is told so at once, and the others are handed on."""
        rotations = [next_of(record) for record in records]
        rotations[3] = replace(rotations[3], presented=digest("another"))
        rotations[4] = replace(rotations[4], debounce=61_000)
        rotations[5] = replace(rotations[5], proved=bound_key("another"))
        rotations[6] = replace(rotations[6], proved=None)
        told = await rotated(store, rotations)

        assert ["SELECT", "UPDATE"] == sent
        assert [3, 4, 5, 6] == [n for n, each in enumerate(told) if each is None]
        assert records[3:7] == (await kept(store, records))[3:7]

    async def test_one_session_for_many(self, store: SqlStore, records: list[SessionRecord]) -> None:
        """Of many who present the same token one gets the successor."""
        rotations = [next_of(records[0], successor=digest(f"{n}")) for n in range(16)]
        told = await rotated(store, rotations)

        assert [rotations[0].successor] == [each.lineage.current for each in told if each is not None]
        assert 1 == len(
            [each for each in await kept(store, records) if each is not None and each.lineage.generation == 8]
        )

    async def test_nobody_waits_for_a_stranger(
        self, store: SqlStore, records: list[SessionRecord], engine: AsyncEngine
    ) -> None:
        """While a transaction of somebody else holds a row, all others are handed on; then that one too."""
        tasks = []
        async with engine.begin() as stranger:
            await stranger.execute(LOCK_ONE, {"session_id": records[2].session_id.encode()})
            tasks = [asyncio.create_task(store.rotate(next_of(record))) for record in records]
            await asyncio.gather(*tasks[:2], *tasks[3:])
            assert not tasks[2].done()
        moved = await tasks[2]

        assert moved is not None
        assert moved == (await store.get(records[2].session_id)).record

    async def test_what_is_not_there_or_large(
        self, store: SqlStore, records: list[SessionRecord], clock: HandClock, sent: list[str]
    ) -> None:
        """A session that was deleted stays so, and a large one is not read with the others; each is asked for alone."""
        large = full_session("large", now=clock(), session_data={"x": "x" * LARGEST_READ})
        await store.insert(large)
        await store.delete(records[0].session_id)
        sent.clear()
        told = await rotated(store, [next_of(record) for record in [*records, large]])

        assert Counter(["SELECT", "UPDATE", "UPDATE", "UPDATE", "SELECT"]) == Counter(sent)
        assert [0] == [n for n, each in enumerate(told) if each is None]
        assert told == await kept(store, [*records, large])

    async def test_one_that_the_server_refuses(self, store: SqlStore, clock: HandClock) -> None:
        """What cannot be written of one session fails that one, and the others are handed on."""
        records = [new_session(f"{n}", now=clock()) for n in range(3)]
        for record in records:
            await store.insert(record)
        told = await rotated(store, [next_of(records[0], idle_timeout=2**63 - 1), *map(next_of, records[1:])])

        assert isinstance(told[0], StoreUnavailable)
        assert [records[0], *told[1:]] == await kept(store, records)
        assert [1, 1] == [each.lineage.generation for each in told[1:]]

    async def test_one_that_the_driver_cannot_write(self, store: SqlStore, records: list[SessionRecord]) -> None:
        """The same of a text that is no Unicode."""
        odd = Circumstances(None, "\ud800")
        told = await rotated(store, [next_of(records[0], circumstances=odd), *map(next_of, records[1:])])

        assert isinstance(told[0], StoreUnavailable)
        assert [records[0], *told[1:]] == await kept(store, records)

    async def test_the_clock_of_the_database(self, url: str, engine: AsyncEngine) -> None:
        """A session is handed on at a time that the database read while it was asked."""
        async with opened(url) as store:
            records = [new_session(f"{n}", now=system_clock()) for n in range(3)]
            await asyncio.gather(*map(store.insert, records))
            began = system_clock()
            told = await rotated(store, [*map(next_of, records)])

        assert all(began <= each.lineage.window_at <= system_clock() for each in told)

    async def test_two_processes_and_the_same_rows(
        self, url: str, store: SqlStore, clock: HandClock, amount: Callable[..., int]
    ) -> None:
        """Batches of two pools for the same rows never block each other, and each generation has one winner."""
        records = [new_session(f"{n}", now=clock()) for n in range(64)]
        await asyncio.gather(*map(store.insert, records))
        async with opened(url, clock=clock) as other:
            for generation in range(amount(3, full=100)):
                rotations = [next_of(record, successor=digest(f"{generation}")) for record in records]
                reversed_ = [replace(each, successor=digest(f"other {generation}")) for each in rotations[::-1]]
                ours, theirs = await asyncio.gather(rotated(store, rotations), rotated(other, reversed_))
                winners = [*filter(None, ours), *filter(None, theirs)]

                assert {(record.session_id, generation + 1) for record in records} == {
                    (each.session_id, each.lineage.generation) for each in winners
                }
                assert len(records) == len(winners)
                records = winners


class TestInsertions:
    async def test_many_in_one_statement(self, store: SqlStore, clock: HandClock, sent: list[str]) -> None:
        """One statement keeps all of them."""
        records = [full_session(f"{n}", now=clock(), user_id=ODD_AGENT) for n in range(8)]
        told = await asyncio.gather(*map(store.insert, records))

        assert ["INSERT"] == sent
        assert [KEPT] * 8 == told
        assert records == await kept(store, records)

    async def test_nobody_waits_for_a_gap(self, store: SqlStore, engine: AsyncEngine, clock: HandClock) -> None:
        """While somebody else's transaction holds the place of one that is to come, all others are kept; then that one too."""
        new = [new_session(f"new {user}", now=clock(), user_id=user) for user in ("a", "m", "z")]
        await store.insert(new_session("before", now=clock(), user_id="l"))
        await store.insert(new_session("after", now=clock(), user_id="n"))
        async with engine.connect() as stranger:
            await stranger.execution_options(isolation_level="REPEATABLE READ")
            await stranger.execute(LOCK_ALL_OF, {"user_id": b"m"})
            tasks = [asyncio.create_task(store.insert(each)) for each in new]
            assert [KEPT, KEPT] == [await tasks[0], await tasks[2]]
            assert not tasks[1].done()
            await stranger.rollback()

        assert KEPT is await tasks[1]
        assert new == await kept(store, new)

    async def test_one_that_is_there_already(
        self, store: SqlStore, records: list[SessionRecord], clock: HandClock
    ) -> None:
        """It fails alone, be it there before or twice among those that are asked for."""
        new = [new_session(f"new {n}", now=clock()) for n in range(4)]
        asked = [new[0], replace(records[0], user_id="thief"), new[1], new[2], replace(new[2], user_id="thief"), new[3]]
        told = await asyncio.gather(*map(store.insert, asked), return_exceptions=True)

        assert isinstance(told[1], StoreUnavailable)
        assert 1 == len([each for each in told[3:5] if isinstance(each, StoreUnavailable)])
        assert [KEPT] * 4 == [each for each in told if each is KEPT]
        assert [records[0], *new[:2], new[3]] == await kept(store, [records[0], *new[:2], new[3]])

    async def test_more_than_the_driver_sends_at_once(self, store: SqlStore, clock: HandClock) -> None:
        """If the driver makes two statements of it and the second is refused, the first one is undone, and all others are kept."""
        data = {"x": '"' * 2_000}  # each of them is four bytes in a statement
        records = [new_session(f"{n}", now=clock(), session_data=data) for n in range(MAX_BATCH - 1)]
        told = await asyncio.gather(*map(store.insert, [*records, records[0]]), return_exceptions=True)

        assert MAX_BATCH - 1 == told.count(KEPT)
        assert [StoreUnavailable] == [type(each) for each in (told[0], told[-1]) if each is not KEPT]


class TestReadings:
    async def test_many_in_one_statement(
        self, store: SqlStore, records: list[SessionRecord], clock: HandClock, sent: list[str]
    ) -> None:
        """One statement reads all of them, and the same one for two who ask for it."""
        asked = [*records, records[0]]
        told = await asyncio.gather(*(store.get(record.session_id) for record in asked))

        assert ["SELECT"] == sent
        assert [Reading(record, clock()) for record in asked] == told

    async def test_what_is_not_there_or_large(
        self, store: SqlStore, records: list[SessionRecord], clock: HandClock
    ) -> None:
        """Each is asked for alone, and the clock is told of a session that is not there."""
        large = full_session("large", now=clock(), session_data={"x": "x" * LARGEST_READ})
        await store.insert(large)
        await store.delete(records[0].session_id)
        told = await asyncio.gather(*(store.get(record.session_id) for record in [*records, large]))

        assert [Reading(record, clock()) for record in [None, *records[1:], large]] == told


ASK: dict[str, Callable[[SqlStore, list[SessionRecord]], Any]] = {
    "rotations": lambda store, records: [store.rotate(next_of(record)) for record in records],
    "insertions": lambda store, _: [store.insert(new_session(f"new {n}", now=0)) for n in range(8)],
    "readings": lambda store, records: [store.get(record.session_id) for record in records],
}


class TestTrouble:
    @pytest.mark.parametrize("asked", ASK)
    @pytest.mark.parametrize(
        "other",
        [
            "SELECT 7",
            f"SELECT 1, {', '.join(SESSION_COLUMNS)} FROM fastapi_session WHERE user_id = 'another'",
            "DELETE FROM fastapi_session WHERE 0",
        ],
    )
    async def test_the_result_of_another_statement(
        self, store: SqlStore, records: list[SessionRecord], asked: str, other: str
    ) -> None:
        """It is nobody's, the connection is dropped, and nothing is written."""
        await store.insert(new_session("another", now=0, user_id="another"))
        lent: list[Any] = []

        def mixed_up(connection: Connection, *_: Any) -> tuple[str, tuple[()]]:
            lent.append(connection.connection.dbapi_connection)
            return other, ()

        engine = store._engine.ways().together.sync_engine
        event.listen(engine, "before_cursor_execute", mixed_up, retval=True)
        told = await asyncio.gather(*ASK[asked](store, records), return_exceptions=True)
        event.remove(engine, "before_cursor_execute", mixed_up)

        assert {StoreUnavailable} == {type(each) for each in told}
        assert await store._pooled.run(lambda connection: connection.connection.dbapi_connection) not in lent
        assert records == await kept(store, records)

    @pytest.mark.parametrize("asked", ASK)
    async def test_a_server_that_is_silent(
        self, url: str, store: SqlStore, records: list[SessionRecord], clock: HandClock, asked: str
    ) -> None:
        """All who wait are told in time that it is unavailable, none of them waits twice, and nothing was written."""
        async with (
            proxied(way_to(url)) as network,
            opened(by_port(url, network.port), clock=clock, timeout=timedelta(seconds=0.5)) as silent,
        ):
            network.silence()
            told = await asyncio.gather(*ASK[asked](silent, records), return_exceptions=True)
            network.reset()

        assert ["mysql failed: TimeoutError"] * 8 == [str(each).partition(", at")[0] for each in told]
        assert records == await kept(store, records)

    async def test_callers_who_vanish(self, store: SqlStore, records: list[SessionRecord]) -> None:
        """Who is cancelled takes nobody along."""
        tasks = [asyncio.create_task(store.rotate(next_of(record))) for record in records]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        told: list[Any] = await asyncio.gather(*tasks, return_exceptions=True)
        await store._idle_batches()

        assert [each.session_id for each in records[1::2]] == [each.session_id for each in told[1::2]]
