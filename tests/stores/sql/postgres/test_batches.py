"""What tasks ask of PostgreSQL in one turn is one batch: each gets the result it would get alone, and waits for no stranger."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from fastapi_session.errors import StoreUnavailable
from fastapi_session.model import Circumstances, Rotation, SessionRecord
from fastapi_session.stores.sql import SqlStore
from fastapi_session.stores.sql.batched import SMALL
from fastapi_session.stores.sql.postgres.batches import PostgresBatches
from fastapi_session.stores.sql.postgres.statements import LARGEST, Statement
from fastapi_session.testing import HandClock
from fastapi_session.testing.records import bound_key, digest, new_session, next_rotation
from tests.stores.sql.conftest import PATIENCE

LOCK = text("SELECT session_id FROM fastapi_session WHERE session_id = :session_id FOR UPDATE")
NAMES = text("SELECT name FROM pg_prepared_statements WHERE name LIKE 'fastapi_session_%'")


ASYNCPG = pytest.mark.parametrize("driver", ["postgresql+asyncpg"], indirect=True)
"""Of the one driver that names statements, and knows that a connection has ended before something is sent."""


@pytest.fixture(params=["postgresql+asyncpg", "postgresql+psycopg"])
def driver(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
async def store(url: str, engine: AsyncEngine, clock: HandClock) -> AsyncIterator[SqlStore]:
    store = SqlStore(url, clock=clock, timeout=PATIENCE)
    await store.open()
    yield store
    await store.close()


@pytest.fixture
def asked(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that *store* asks below SQLAlchemy, in their order."""
    borrowing, texts = batches(store)._borrowing, list[str]()
    run = borrowing.run

    async def noted(statement: Statement, values: list[object], read: Callable[..., Any]) -> Any:
        texts.append(statement.text)
        return await run(statement, values, read)

    monkeypatch.setattr(borrowing, "run", noted)
    return texts


def batches(store: SqlStore) -> PostgresBatches:
    assert isinstance(store._batches, PostgresBatches)
    return store._batches


async def kept(store: SqlStore, clock: HandClock, *names: str) -> list[SessionRecord]:
    records = [new_session(name, now=clock(), user_id=name) for name in names]
    await asyncio.gather(*map(store.insert, records))
    return records


async def rotate_all(store: SqlStore, rotations: Sequence[Rotation]) -> list[SessionRecord | None]:
    return list(await asyncio.gather(*map(store.rotate, rotations)))


async def test_one_batch(store: SqlStore, asked: list[str], clock: HandClock) -> None:
    """Three tasks make one batch of each verb, and each gets its own result; one alone has the plain statement."""
    records = await kept(store, clock, "a", "b", "c")
    rotated = await rotate_all(store, [next_rotation(each, debounce=0) for each in records])
    read = [each.record for each in await asyncio.gather(*(store.get(each.session_id) for each in records))]
    await store.get(records[0].session_id)
    statements = batches(store)._statements

    assert [1, 1, 1] == [each.lineage.generation for each in rotated if each is not None]
    assert [each.session_id for each in records] == [each.session_id for each in rotated if each is not None]
    assert rotated == read
    chosen: list[Statement] = [statements.insert_many, statements.rotate_many, statements.get_many, statements.get]
    assert [each.text for each in chosen] == asked


def refusals(record: SessionRecord) -> list[Rotation]:
    """Rotations of *record* of which none applies: for each condition one."""
    applying = next_rotation(record, debounce=0)
    return [
        replace(applying, session_id="0" * 32),
        replace(applying, session_id=applying.session_id + "0"),
        replace(applying, generation=applying.generation + 1),
        replace(applying, presented=digest("another")),
        replace(applying, debounce=1),
        replace(applying, proved=bound_key("another")),
    ]


@pytest.mark.parametrize("number", range(len(refusals(new_session("any", now=0)))))
async def test_what_does_not_apply(store: SqlStore, clock: HandClock, number: int) -> None:
    """A rotation that is refused alone is refused together with another, which is not."""
    one, other = await kept(store, clock, "one", "other")
    refused = refusals(one)[number]

    assert await store.rotate(refused) is None
    told = await rotate_all(store, [refused, next_rotation(other, debounce=0)])
    assert [True, False] == [each is None for each in told]
    assert one == (await store.get(one.session_id)).record


async def test_keys_in_one_batch(store: SqlStore, asked: list[str], clock: HandClock) -> None:
    """Sessions that are bound go in the batch with those that are not, and who has not proved the key gets nothing there."""
    keys = [None, bound_key("own"), bound_key("other"), bound_key("lost")]
    records = [new_session(f"{key}", now=clock(), bound_key=key) for key in keys]
    await asyncio.gather(*map(store.insert, records))
    asked.clear()
    rotations = [next_rotation(each, debounce=0) for each in records]
    rotations[3] = replace(rotations[3], proved=None)
    told = await rotate_all(store, rotations)

    assert [*keys[:3], "unproved"] == ["unproved" if each is None else each.bound_key for each in told]
    assert [batches(store)._statements.rotate_many.text] == asked


async def test_what_has_expired(store: SqlStore, clock: HandClock) -> None:
    """A session that has expired is not handed on together with others either."""
    expired = new_session("expired", now=clock(), lineage={"idle_expires_at": clock()})
    await store.insert(expired)
    (living,) = await kept(store, clock, "living")
    told = await rotate_all(store, [next_rotation(each, debounce=0) for each in (expired, living)])

    assert [True, False] == [each is None for each in told]


async def test_alone_and_together_alike(store: SqlStore, clock: HandClock) -> None:
    """A session that is handed on together with another is the same as if it were alone, in each of its fields."""
    lineages: list[dict[str, Any]] = [
        {},
        {"idle_timeout": 5_000, "crossed": 0b110},
        {"absolute_expires_at": clock() + 7_000, "previous": digest("previous"), "exchanged": None},
    ]
    for number, lineage in enumerate(lineages):
        alone, one, two = (
            new_session(f"{name}{number}", now=clock(), user_id="same", lineage=lineage) for name in ("x", "y", "z")
        )
        for each in (alone, one, two):
            await store.insert(each)
        clock.advance(timedelta(seconds=1))
        seen = Circumstances("192.0.2.1", "ü")
        rotations = [replace(next_rotation(each, debounce=0), circumstances=seen) for each in (alone, one, two)]
        first = await store.rotate(rotations[0])
        told = await rotate_all(store, rotations[1:])

        assert first is not None
        expected = [replace(first, session_id=each.session_id) for each in (one, two)]
        assert expected == told


async def test_two_of_one_session(store: SqlStore, clock: HandClock) -> None:
    """Of several that present one token in one batch, one gets the record that is kept, and the others nothing."""
    one, other = await kept(store, clock, "one", "other")
    rotations = [next_rotation(one, successor=digest(f"{n}"), debounce=0) for n in range(8)]
    told = await rotate_all(store, [*rotations, next_rotation(other, debounce=0)])
    record = (await store.get(one.session_id)).record

    assert [record] == [each for each in told[:-1] if each is not None]
    assert told[-1] is not None


async def test_a_session_that_is_inserted_twice(store: SqlStore, clock: HandClock) -> None:
    """Of two with one id, in one batch, one is kept; the other is unavailable, and so is one whose id is there."""
    one, other = (new_session("same", now=clock(), user_id=name) for name in ("one", "other"))
    third = new_session("third", now=clock())
    told = await asyncio.gather(*map(store.insert, (one, other, third)), return_exceptions=True)
    again = await asyncio.gather(store.insert(one), store.insert(new_session("4", now=0)), return_exceptions=True)

    assert [False, True, False] == [isinstance(each, StoreUnavailable) for each in told]
    assert [True, False] == [isinstance(each, StoreUnavailable) for each in again]
    assert one == (await store.get(one.session_id)).record


async def test_a_stranger_who_holds_a_row(
    store: SqlStore, asked: list[str], engine: AsyncEngine, clock: HandClock
) -> None:
    """A row that another transaction has locked delays nobody but its own, which is told when that has ended."""
    held, *others = await kept(store, clock, "held", "a", "b", "c")
    async with engine.begin() as stranger:
        await stranger.execute(LOCK, {"session_id": held.session_id})
        waiting = [asyncio.create_task(store.rotate(next_rotation(each, debounce=0))) for each in (held, *others)]
        assert None not in await asyncio.gather(*waiting[1:])
        read = await asyncio.gather(*(store.get(each.session_id) for each in (held, *others)))
        assert held == read[0].record
        assert not waiting[0].done()
        # And one that was alone, and waits itself, holds nobody up.
        alone = asyncio.create_task(store.rotate(next_rotation(held, successor=digest("alone"), debounce=0)))
        await asyncio.sleep(0.001)
        for _ in range(3):
            assert None is await store.rotate(next_rotation(others[0], debounce=0))
        assert not alone.done()

    assert {True, False} == {await waiting[0] is None, await alone is None}
    assert asked.count(batches(store)._statements.rotate_many.text) == 1


async def test_bad_data_of_one(store: SqlStore, clock: HandClock) -> None:
    """What the database refuses, or the driver cannot write, is unavailable to its own, and the others are served."""
    records = await kept(store, clock, "a", "b", "c")
    rotations = [next_rotation(each, debounce=0) for each in records]
    rotations[1] = replace(rotations[1], circumstances=Circumstances(user_agent="\0"))
    told = await asyncio.gather(*map(store.rotate, rotations), return_exceptions=True)
    news = [new_session(name, now=clock(), user_id=user) for name, user in (("d", "d"), ("e", "\ud800"), ("f", "f"))]
    inserted = await asyncio.gather(*map(store.insert, news), return_exceptions=True)

    for each in (told, inserted):
        assert [False, True, False] == [isinstance(one, StoreUnavailable) for one in each]
    assert records[1] == (await store.get(records[1].session_id)).record


async def test_what_is_large(store: SqlStore, asked: list[str], clock: HandClock) -> None:
    """A large session is inserted alone, and read and handed on for nobody else to wait for it."""
    large = replace(new_session("large", now=clock()), session_data={"x": "x" * LARGEST})
    (small,) = await kept(store, clock, "small")
    middle = replace(new_session("middle", now=clock()), session_data={"x": "x" * SMALL})
    asked.clear()
    for each in (large, middle):
        await store.insert(each)
    assert [] == asked
    read = await asyncio.gather(*(store.get(each.session_id) for each in (large, small, middle)))
    rotated = await rotate_all(store, [next_rotation(each, debounce=0) for each in (large, small)])

    assert [large, small, middle] == [each.record for each in read]
    assert [each.session_id for each in (large, small)] == [each.session_id for each in rotated if each is not None]


async def names_of(store: SqlStore) -> list[str]:
    names = await store._pooled.run(lambda connection: connection.execute(NAMES).scalars().all())
    return list(names)


@ASYNCPG
async def test_names_of_statements(url: str, store: SqlStore, clock: HandClock) -> None:
    """What the server keeps under a name, it keeps under one that no other connection has."""
    other = SqlStore(url, clock=clock, timeout=PATIENCE)
    await other.open()
    for each in (store, other):
        await each.get("0" * 32)
    names = [*await names_of(store), *await names_of(other)]
    await other.close()

    assert 2 == len(set(names))


@ASYNCPG
async def test_a_name_that_is_not_there(store: SqlStore, clock: HandClock) -> None:
    """A server that does not know the name of a statement is asked again, and from then on nothing has a name."""
    records = await kept(store, clock, "a", "b")
    await store._pooled.run(lambda connection: connection.exec_driver_sql("DEALLOCATE ALL").close())
    await kept(store, clock, "c", "d")
    told = await rotate_all(store, [next_rotation(each, debounce=0) for each in records])
    again = await rotate_all(store, [next_rotation(each, debounce=0) for each in records])

    assert [[1, 1], [None, None]] == [[each and each.lineage.generation for each in one] for one in (told, again)]
    assert [] == await names_of(store)


async def test_tables_that_have_changed(
    store: SqlStore, engine: AsyncEngine, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a column got another type, those who ask are served, and the next ones together as before."""
    records = await kept(store, clock, "a", "b")
    assert records == [each.record for each in await asyncio.gather(*(store.get(one.session_id) for one in records))]
    async with engine.begin() as migration:
        await migration.execute(text("ALTER TABLE fastapi_session ALTER COLUMN label TYPE varchar(900)"))
    for _ in range(2):
        read = [each.record for each in await asyncio.gather(*(store.get(one.session_id) for one in records))]
        assert records == read
        monkeypatch.setattr(store._pooled, "run", None)  # nobody is asked for alone any more
    monkeypatch.undo()
    async with engine.begin() as migration:
        await migration.execute(text("ALTER TABLE fastapi_session ALTER COLUMN label TYPE text"))


@ASYNCPG
async def test_connections_that_have_ended(store: SqlStore, engine: AsyncEngine, clock: HandClock) -> None:
    """Connections that the server closed while they were idle are replaced, and nobody notices."""
    records = await kept(store, clock, "a", "b")
    await store.get("0" * 32)
    end_others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid != pg_backend_pid()"
    async with engine.connect() as stranger:
        await stranger.execute(text(f"{end_others} AND backend_type = 'client backend'"))
    for _ in range(1_000):
        if all(map(has_ended, idle_connections(store))):
            break
        await asyncio.sleep(0.01)

    assert None not in await rotate_all(store, [next_rotation(each, debounce=0) for each in records])


def idle_connections(store: SqlStore) -> list[Any]:
    """The connections of asyncpg in the pool of *store*."""
    pool: Any = store._engine.ways().alone.pool
    return [record.driver_connection for record in pool._pool._queue._queue]


def has_ended(connection: Any) -> bool:
    return bool(connection.is_closed())
