"""Batches on MySQL and MariaDB: each is one transaction.

| batch of | statements | not served |
|---|---|---|
| rotations | one SELECT that locks what nobody else has locked, the rule of `stores.rotating`, one UPDATE, COMMIT | what is locked, not there, or large |
| insertions | one INSERT, COMMIT | all, if in MariaDB one of them would have to wait |
| readings | one SELECT | what is not there, or large |

If the server refuses one of these statements, it is rolled back, and no call of the batch is served.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Literal, TypeVar

from sqlalchemy import Connection, Executable
from sqlalchemy.exc import DBAPIError, StatementError

from fastapi_session.clock import Clock
from fastapi_session.model import Rotation
from fastapi_session.stores.columns import Row
from fastapi_session.stores.rotating import rotated
from fastapi_session.stores.rows import SESSION_COLUMNS, lineage_of, moved_on
from fastapi_session.stores.sql import results
from fastapi_session.stores.sql.batched import UNSERVED, Unserved
from fastapi_session.stores.sql.connections import PooledConnections
from fastapi_session.stores.sql.dialects import error_code
from fastapi_session.stores.sql.engines import OwnEngine
from fastapi_session.stores.sql.mysql.statements import (
    FIND_THESE,
    LOCK_THESE,
    insert_these,
    inserted_values,
    write_these,
    written_values,
)
from fastapi_session.stores.sql.statements import INSERT, Parameters, TimedStatements, columns
from fastapi_session.stores.sql.verbs import rotated_row

Item = TypeVar("Item")
Result = TypeVar("Result")
Found = Mapping[str, tuple[Row, int]]
"""By the id of a session: its row, and what time it was when that was read."""

_BOUND_KEY = SESSION_COLUMNS.index("bound_key")

_OF_CLIENT = range(2000, 3000)
"""Codes that the server never sends: what became of the statement is not known."""

_UNWRITABLE = (UnicodeEncodeError, OverflowError)
"""What the driver raises for a text or a number that it cannot write: it has not sent the statement."""


class MysqlBatches:
    """Runs batches on the database of *engine* through *connections*. Its clock decides, unless *clock* is given."""

    dialects = frozenset({"mariadb", "mysql"})
    """SQLAlchemy's names of both."""

    def __init__(self, engine: OwnEngine, connections: PooledConnections, *, clock: Clock | None) -> None:
        self.name = engine.name
        self._engine = engine
        self._connections = connections
        self._clock = clock
        self._timed = TimedStatements(now_given=clock is not None)

    @property
    def is_ready(self) -> bool:
        """Whether the running event loop has connections for batches."""
        return self._engine.is_open

    async def rotate(self, rotations: Sequence[Rotation]) -> Sequence[Row | Unserved | None]:
        """Return each session as it was rotated; `None` only if it is certain that it was not. Raises StoreUnavailable."""
        return await self._run(self._rotate_one, self._rotate_many, rotations)

    async def insert(self, rows: Sequence[Row]) -> Sequence[Literal[True] | Unserved]:
        """Say of each row whether it was kept. Raises StoreUnavailable."""
        return await self._run(insert_one, insert_many, rows)

    async def get(self, session_ids: Sequence[str]) -> Sequence[tuple[Row | None, int] | Unserved]:
        """Return each session, or `None`, and the clock. Raises StoreUnavailable."""
        return await self._run(self._get_one, get_many, session_ids)

    async def _run(
        self,
        one: Callable[[Connection, Item], Result],
        many: Callable[[Connection, Sequence[Item]], Sequence[Result | Unserved]],
        items: Sequence[Item],
    ) -> Sequence[Result | Unserved]:
        if len(items) == 1:
            return [await self._connections.run_to_the_end(lambda connection: one(connection, items[0]), alone=True)]
        return await self._connections.run_to_the_end(lambda connection: unless_refused(connection, many, items))

    def _rotate_one(self, connection: Connection, rotation: Rotation) -> Row | None:
        return rotated_row(connection, self._timed, rotation, now=self._now())

    def _rotate_many(self, connection: Connection, rotations: Sequence[Rotation]) -> Sequence[Row | Unserved | None]:
        locked = found(connection, LOCK_THESE, {rotation.session_id for rotation in rotations})
        outcomes, written = rotate_locked(locked, rotations, clock=self._clock)
        if written:
            values = written_values(written)
            results.ensure_changed(len(written), connection.exec_driver_sql(write_these(len(written)), values))
        return outcomes

    def _get_one(self, connection: Connection, session_id: str) -> tuple[Row | None, int]:
        rows = results.rows_of(connection.execute(self._timed.get, {"given_session_id": session_id}))
        return results.reading(results.at_most_one(rows) or (), session_id=session_id)

    def _now(self) -> Parameters:
        return {} if self._clock is None else {"now": self._clock()}


def unless_refused(
    connection: Connection,
    many: Callable[[Connection, Sequence[Item]], Sequence[Result | Unserved]],
    items: Sequence[Item],
) -> Sequence[Result | Unserved]:
    """Return what *many* returns for *items*: of each that it was not served, if a statement is refused."""
    try:
        return many(connection, items)
    except (StatementError, *_UNWRITABLE) as error:
        if not is_refusal(error):
            raise
        connection.exec_driver_sql("ROLLBACK")
        return [UNSERVED] * len(items)


def is_refusal(error: Exception) -> bool:
    """Say whether *error* means that its statement did nothing: the server refused it, or the driver could not write it."""
    if isinstance(error, DBAPIError):
        code = error_code(error)
        return not error.connection_invalidated and isinstance(code, int) and code not in _OF_CLIENT
    return isinstance(getattr(error, "orig", error), _UNWRITABLE)


def found(connection: Connection, statement: Executable, session_ids: Collection[str]) -> Found:
    """Return those sessions of *session_ids* that *statement* returns."""
    rows = results.rows_of(connection.execute(statement, {"session_ids": [*session_ids]}))
    return results.readings(rows, session_ids)


def rotate_locked(
    sessions: Found, rotations: Sequence[Rotation], *, clock: Clock | None
) -> tuple[list[Row | Unserved | None], Collection[Row]]:
    """Return the outcome of each of *rotations*, one after the other, and the rows to be written. *clock* as in `MysqlBatches`."""
    outcomes: list[Row | Unserved | None] = []
    written: dict[str, Row] = {}
    for rotation in rotations:
        if rotation.session_id not in sessions:
            outcomes.append(UNSERVED)
            continue
        row, read_at = sessions[rotation.session_id]
        row = written.get(rotation.session_id, row)
        now = read_at if clock is None else clock()
        lineage = rotated(lineage_of(row), rotation, bound_key=row[_BOUND_KEY], now=now)
        if lineage is None:
            outcomes.append(None)
        else:
            written[rotation.session_id] = row = moved_on(row, rotation.circumstances, lineage)
            outcomes.append(row)
    return outcomes, written.values()


def insert_one(connection: Connection, row: Row) -> Literal[True]:
    """Keep *row*."""
    results.ensure_kept(connection.execute(INSERT, columns(SESSION_COLUMNS, row)))
    return True


def insert_many(connection: Connection, rows: Sequence[Row]) -> Sequence[Literal[True]]:
    """Keep *rows*."""
    results.ensure_changed(len(rows), connection.exec_driver_sql(insert_these(len(rows)), inserted_values(rows)))
    return [True] * len(rows)


def get_many(connection: Connection, session_ids: Sequence[str]) -> Sequence[tuple[Row, int] | Unserved]:
    """Return each session, and the clock."""
    sessions = found(connection, FIND_THESE, {*session_ids})
    return [sessions.get(session_id, UNSERVED) for session_id in session_ids]
