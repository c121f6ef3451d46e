"""What all verbs of the SQL store do alike: read, change one row, keep one, and append to the feed what others have to hear of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from sqlalchemy import Connection, Executable
from sqlalchemy.exc import IntegrityError

from fastapi_session.audit import Audit
from fastapi_session.clock import Clock
from fastapi_session.model import NoticeKind
from fastapi_session.stores.columns import Row
from fastapi_session.stores.readable import Readable
from fastapi_session.stores.sql import results
from fastapi_session.stores.sql.connections import Connections
from fastapi_session.stores.sql.events import Events, whose_sessions
from fastapi_session.stores.sql.statements import Parameters, TimedStatements

T = TypeVar("T")


class Asking:
    """Asks a database through *connections*. Its clock decides, unless *clock* is given."""

    def __init__(self, connections: Connections, *, clock: Clock | None, readable: Readable) -> None:
        self._connections = connections
        self._readable = readable
        self._clock = clock
        self._timed = TimedStatements(now_given=clock is not None)
        self._events = Events(now_given=clock is not None)

    async def _keeps(self, statement: Executable, row: Parameters) -> bool:
        """Say whether *statement*, an insertion, keeps *row*: it does not if that would be there twice."""

        def work(connection: Connection) -> bool:
            try:
                with self._connections.savepoint(connection):
                    results.ensure_kept(connection.execute(statement, row))
            except IntegrityError:
                return False
            return True

        return await self._connections.run(work, alone=True)

    async def _changes_noted(
        self,
        statement: Executable,
        parameters: Parameters,
        *,
        kind: NoticeKind,
        subject: str,
        audit: Audit | None = None,
    ) -> bool:
        """Say whether *statement* changed a row, and if so let everybody hear of it."""

        def work(connection: Connection) -> bool:
            sessions = whose_sessions(connection, audit, [subject])
            changed = results.changed_one(connection.execute(statement, parameters))
            self._note(connection, kind, [subject] if changed else [])
            self._tell(connection, audit, sessions if changed else [])
            return changed

        return await self._connections.run(work)

    async def _changes_told(
        self, statement: Executable, parameters: Parameters, *, subject: str, audit: Audit | None
    ) -> bool:
        """Say whether *statement* changed a row, of which others need not hear."""

        def work(connection: Connection) -> bool:
            sessions = whose_sessions(connection, audit, [subject])
            changed = results.changed_one(connection.execute(statement, parameters))
            self._tell(connection, audit, sessions if changed else [])
            return changed

        return await self._connections.run(work, alone=audit is None)

    def _tell(self, connection: Connection, audit: Audit | None, sessions: Iterable[Row]) -> None:
        self._events.tell(connection, audit, sessions, now=self._now())

    def _note(self, connection: Connection, kind: NoticeKind, subjects: Sequence[str]) -> None:
        if subjects:
            now = self._now()
            connection.execute(self._timed.note, [{"subject": subject, "kind": kind, **now} for subject in subjects])

    def _now(self) -> Parameters:
        return {} if self._clock is None else {"now": self._clock()}

    async def _read(self, statement: Executable, parameters: Parameters, read: Callable[[results.Rows], T]) -> T:
        """Return what *read* makes of the rows of *statement*. What it raises is a failure of the connection."""
        return await self._connections.run(
            lambda connection: read(results.rows_of(connection.execute(statement, parameters))), alone=True
        )

    async def _changes(self, statement: Executable, parameters: Parameters) -> bool:
        """Say whether *statement* changed its one row."""
        return await self._connections.run(
            lambda connection: results.changed_one(connection.execute(statement, parameters)), alone=True
        )
