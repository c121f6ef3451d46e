"""The revocation feed, as statements. What changes a row that others have to hear of says so in the same transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Executable, Row

from fastapi_session.clock import Clock
from fastapi_session.model import LATEST, FeedReading, Notice, NoticeKind
from fastapi_session.stores.sql import statements
from fastapi_session.stores.sql.connections import Connections
from fastapi_session.stores.sql.statements import Parameters, TimedStatements


class SqlNotices:
    """Keeps the revocation feed through *connections*. The database's clock dates notices, unless *clock* is given."""

    def __init__(self, connections: Connections, *, clock: Clock | None) -> None:
        self._connections = connections
        self._clock = clock
        self._timed = TimedStatements(now_given=clock is not None)

    async def notices(self, *, after: int, until: int = LATEST) -> FeedReading:
        """Answer what was appended to the feed later than *after* and until *until*, oldest first, and the clock, which is read before."""
        # Two statements: PostgreSQL tells the time of a statement after it has settled what this statement sees.
        now = self._clock() if self._clock is not None else (await self._rows(statements.CLOCK, {}))[0][0]
        rows = await self._rows(statements.NOTICES, {"after": after, "until": until})
        return FeedReading(tuple(Notice(row.subject, row.kind, row.at) for row in rows), now)

    async def delete_notices(self, *, until: int, limit: int) -> int:
        """Delete at most *limit* notices of *until* or before, and answer how many. Others at work are skipped."""

        def work(connection: Connection) -> int:
            ids = connection.execute(statements.LOCK_NOTICES, {"until": until, "limit": limit}).scalars().all()
            return connection.execute(statements.DELETE_NOTICES, {"notice_ids": ids}).rowcount

        return await self._connections.run(work)

    async def _changes_noted(
        self, statement: Executable, parameters: Parameters, *, kind: NoticeKind, subject: str
    ) -> bool:
        """Say whether *statement* changed a row, and if so let everybody hear of it."""

        def work(connection: Connection) -> bool:
            changed = connection.execute(statement, parameters).rowcount == 1
            self._note(connection, kind, [subject] if changed else [])
            return changed

        return await self._connections.run(work)

    def _note(self, connection: Connection, kind: NoticeKind, subjects: Sequence[str]) -> None:
        if subjects:
            now = self._now()
            connection.execute(self._timed.note, [{"subject": subject, "kind": kind, **now} for subject in subjects])

    def _now(self) -> Parameters:
        return {} if self._clock is None else {"now": self._clock()}

    async def _rows(self, statement: Executable, parameters: Parameters) -> Sequence[Row[Any]]:
        return await self._connections.run(
            lambda connection: connection.execute(statement, parameters).all(), alone=True
        )

    async def _changes(self, statement: Executable, parameters: Parameters) -> int:
        return await self._connections.run(
            lambda connection: connection.execute(statement, parameters).rowcount, alone=True
        )
