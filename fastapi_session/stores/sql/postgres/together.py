"""What is asked of PostgreSQL for many sessions at once, and what each of those who asked is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Literal, TypeVar

from fastapi_session.clock import Clock
from fastapi_session.model import Rotation
from fastapi_session.stores.rows import SESSION_COLUMNS, Row
from fastapi_session.stores.sql import results
from fastapi_session.stores.sql.connections import unavailable
from fastapi_session.stores.sql.engines import OwnEngine
from fastapi_session.stores.sql.gathered import UNSERVED, Found, Together, Unserved
from fastapi_session.stores.sql.postgres.borrowing import Borrowing, Undone
from fastapi_session.stores.sql.postgres.drivers import DRIVERS
from fastapi_session.stores.sql.postgres.texts import Question, questions
from fastapi_session.stores.sql.results import Rows
from fastapi_session.stores.sql.statements import Parameters, columns, rotation_parameters

Told = TypeVar("Told")


def together_in_postgres(engine: OwnEngine, *, clock: Clock | None, timeout: timedelta) -> Together | None:
    """Return what asks the PostgreSQL of *engine*, `None` if that is another database, or has a driver that nobody has tried."""
    driver = DRIVERS.get(engine.driver) if engine.name == "postgresql" else None
    return None if driver is None else TogetherInPostgres(Borrowing(engine, driver, timeout=timeout), clock=clock)


class TogetherInPostgres:
    """Asks by connections that are borrowed by *borrowing*. The database's clock decides, unless *clock* is given."""

    name = "postgresql"

    def __init__(self, borrowing: Borrowing, *, clock: Clock | None) -> None:
        self._borrowing = borrowing
        self._clock = clock
        self._questions = questions(now_given=clock is not None)

    @property
    def is_ready(self) -> bool:
        """Whether the running event loop can ask so."""
        return self._borrowing.has_pool

    async def rotate(self, rotations: Sequence[Rotation]) -> Sequence[Row | Unserved | None]:
        """Return each session as it was handed on; `None` only if it is certain that it was not. Raises StoreUnavailable."""
        parameters = [*map(rotation_parameters, rotations)]
        if len(rotations) == 1:
            return await self._one(self._questions.rotate, parameters[0], partial(rotated, rotations=rotations))
        return await self._many(self._questions.rotate_many, parameters, partial(rotated_of, rotations=rotations))

    async def insert(self, rows: Sequence[Row]) -> Sequence[Literal[True] | Unserved]:
        """Say of each row whether it was kept. Raises StoreUnavailable."""
        parameters = [columns(SESSION_COLUMNS, row) for row in rows]
        session_ids = [row[0] for row in rows]
        read = partial(inserted, session_ids=session_ids)
        if len(rows) == 1:
            return await self._one(self._questions.insert, parameters[0], read)
        return await self._many(self._questions.insert_many, parameters, read)

    async def get(self, session_ids: Sequence[str]) -> Sequence[Found | Unserved]:
        """Return each session, or `None`, and the clock. Raises StoreUnavailable."""
        parameters = [{"given_session_id": session_id} for session_id in session_ids]
        if len(session_ids) == 1:
            return await self._one(self._questions.get, parameters[0], partial(found, session_ids=session_ids))
        return await self._many(self._questions.get_many, parameters, partial(found_of, session_ids=session_ids))

    async def _one(
        self, question: Question, parameters: Parameters, read: Callable[[Rows], Sequence[Told]]
    ) -> Sequence[Told | Unserved]:
        return await self._ask(question, question.given({**parameters, **self._now()}), read, count=1)

    async def _many(
        self, question: Question, many: Sequence[Parameters], read: Callable[[Rows], Sequence[Told]]
    ) -> Sequence[Told | Unserved]:
        return await self._ask(question, question.given_many(many, self._now()), read, count=len(many))

    async def _ask(
        self, question: Question, values: list[object], read: Callable[[Rows], Sequence[Told]], *, count: int
    ) -> Sequence[Told | Unserved]:
        with unavailable(self.name):
            try:
                return await self._borrowing.ask(question, values, read)
            except Undone:
                return [UNSERVED] * count

    def _now(self) -> Mapping[str, object]:
        return {} if self._clock is None else {"now": self._clock()}


def rotated(rows: Rows, rotations: Sequence[Rotation]) -> Sequence[Row | None]:
    """Return what the one rotation is told by *rows*: none means that it does not apply."""
    [rotation] = rotations
    return [results.rotated(results.at_most_one(rows), rotation)]


def rotated_of(rows: Rows, rotations: Sequence[Rotation]) -> Sequence[Row | Unserved]:
    """Return what each of *rotations* is told by *rows*."""
    by_place = results.by_place(rows, len(rotations))
    return [
        UNSERVED if (row := by_place.get(place)) is None else results.rotated(row, rotation) or UNSERVED
        for place, rotation in enumerate(rotations, 1)
    ]


def inserted(rows: Rows, session_ids: Sequence[str]) -> Sequence[Literal[True] | Unserved]:
    """Return what each of *session_ids* is told by *rows*, the ids that were kept: each once, and the first is the one."""
    kept = results.kept(rows, session_ids)
    told: list[Literal[True] | Unserved] = []
    for session_id in session_ids:
        told.append(True if session_id in kept else UNSERVED)
        kept.discard(session_id)
    return told


def found(rows: Rows, session_ids: Sequence[str]) -> Sequence[Found]:
    """Return what the one of *session_ids* is told by *rows*."""
    [session_id] = session_ids
    return [results.reading(results.at_most_one(rows) or (), session_id=session_id)]


def found_of(rows: Rows, session_ids: Sequence[str]) -> Sequence[Found | Unserved]:
    """Return what each of *session_ids* is told by *rows*."""
    by_place = results.by_place(rows, len(session_ids))
    return [
        UNSERVED if (row := by_place.get(place)) is None else results.reading(row, session_id=session_id)
        for place, session_id in enumerate(session_ids, 1)
    ]
