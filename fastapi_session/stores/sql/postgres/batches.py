"""Batches on PostgreSQL: each is one statement, and each row of its result belongs to one call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Literal, TypeVar

from fastapi_session.clock import Clock
from fastapi_session.model import Rotation
from fastapi_session.stores.columns import Row
from fastapi_session.stores.rows import SESSION_COLUMNS
from fastapi_session.stores.sql import results
from fastapi_session.stores.sql.batched import UNSERVED, Batches, Found, Unserved
from fastapi_session.stores.sql.connections import unavailable
from fastapi_session.stores.sql.engines import OwnEngine
from fastapi_session.stores.sql.postgres.borrowing import Borrowing, Undone
from fastapi_session.stores.sql.postgres.drivers import DRIVERS
from fastapi_session.stores.sql.postgres.statements import Statement, compiled
from fastapi_session.stores.sql.results import Rows
from fastapi_session.stores.sql.statements import Parameters, columns, rotation_parameters

Result = TypeVar("Result")


def batches_in(engine: OwnEngine, *, clock: Clock | None, timeout: timedelta) -> Batches | None:
    """Return what runs batches on *engine*; `None` unless that is PostgreSQL with one of `DRIVERS`."""
    driver = DRIVERS.get(engine.driver) if engine.name == "postgresql" else None
    return None if driver is None else PostgresBatches(Borrowing(engine, driver, timeout=timeout), clock=clock)


class PostgresBatches:
    """Runs batches on connections that *borrowing* lends. The database's clock decides, unless *clock* is given."""

    name = "postgresql"

    def __init__(self, borrowing: Borrowing, *, clock: Clock | None) -> None:
        self._borrowing = borrowing
        self._clock = clock
        self._statements = compiled(now_given=clock is not None)

    @property
    def is_ready(self) -> bool:
        """Whether the running event loop has connections for batches."""
        return self._borrowing.has_pool

    async def rotate(self, rotations: Sequence[Rotation]) -> Sequence[Row | Unserved | None]:
        """Return each session as it was rotated; `None` only if it is certain that it was not. Raises StoreUnavailable."""
        parameters = [*map(rotation_parameters, rotations)]
        if len(rotations) == 1:
            return await self._one(self._statements.rotate, parameters[0], partial(rotated, rotations=rotations))
        return await self._many(self._statements.rotate_many, parameters, partial(rotated_of, rotations=rotations))

    async def insert(self, rows: Sequence[Row]) -> Sequence[Literal[True] | Unserved]:
        """Say of each row whether it was kept. Raises StoreUnavailable."""
        parameters = [columns(SESSION_COLUMNS, row) for row in rows]
        session_ids = [row[0] for row in rows]
        read = partial(inserted, session_ids=session_ids)
        if len(rows) == 1:
            return await self._one(self._statements.insert, parameters[0], read)
        return await self._many(self._statements.insert_many, parameters, read)

    async def get(self, session_ids: Sequence[str]) -> Sequence[Found | Unserved]:
        """Return each session, or `None`, and the clock. Raises StoreUnavailable."""
        parameters = [{"given_session_id": session_id} for session_id in session_ids]
        if len(session_ids) == 1:
            return await self._one(self._statements.get, parameters[0], partial(found, session_ids=session_ids))
        return await self._many(self._statements.get_many, parameters, partial(found_of, session_ids=session_ids))

    async def _one(
        self, statement: Statement, parameters: Parameters, read: Callable[[Rows], Sequence[Result]]
    ) -> Sequence[Result | Unserved]:
        return await self._run(statement, statement.given({**parameters, **self._now()}), read, count=1)

    async def _many(
        self, statement: Statement, many: Sequence[Parameters], read: Callable[[Rows], Sequence[Result]]
    ) -> Sequence[Result | Unserved]:
        return await self._run(statement, statement.given_many(many, self._now()), read, count=len(many))

    async def _run(
        self, statement: Statement, values: list[object], read: Callable[[Rows], Sequence[Result]], *, count: int
    ) -> Sequence[Result | Unserved]:
        with unavailable(self.name):
            try:
                return await self._borrowing.run(statement, values, read)
            except Undone:
                return [UNSERVED] * count

    def _now(self) -> Mapping[str, object]:
        return {} if self._clock is None else {"now": self._clock()}


def rotated(rows: Rows, rotations: Sequence[Rotation]) -> Sequence[Row | None]:
    """Return the outcome of the one rotation from *rows*: none means that it does not apply."""
    [rotation] = rotations
    return [results.rotated(results.at_most_one(rows), rotation)]


def rotated_of(rows: Rows, rotations: Sequence[Rotation]) -> Sequence[Row | Unserved]:
    """Return the outcome of each of *rotations* from *rows*."""
    by_place = results.by_place(rows, len(rotations))
    return [
        UNSERVED if (row := by_place.get(place)) is None else results.rotated(row, rotation) or UNSERVED
        for place, rotation in enumerate(rotations, 1)
    ]


def inserted(rows: Rows, session_ids: Sequence[str]) -> Sequence[Literal[True] | Unserved]:
    """Return the outcome of each of *session_ids* from *rows*, the ids that were kept. If an id comes twice, the first was kept."""
    kept = results.kept(rows, session_ids)
    outcomes: list[Literal[True] | Unserved] = []
    for session_id in session_ids:
        outcomes.append(True if session_id in kept else UNSERVED)
        kept.discard(session_id)
    return outcomes


def found(rows: Rows, session_ids: Sequence[str]) -> Sequence[Found]:
    """Return the reading of the one of *session_ids* from *rows*."""
    [session_id] = session_ids
    return [results.reading(results.at_most_one(rows) or (), session_id=session_id)]


def found_of(rows: Rows, session_ids: Sequence[str]) -> Sequence[Found | Unserved]:
    """Return the reading of each of *session_ids* from *rows*."""
    by_place = results.by_place(rows, len(session_ids))
    return [
        UNSERVED if (row := by_place.get(place)) is None else results.reading(row, session_id=session_id)
        for place, session_id in enumerate(session_ids, 1)
    ]
