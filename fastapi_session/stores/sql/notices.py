"""The revocation feed, as statements. What changes a row that others have to hear of says so in the same transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection, Executable

from fastapi_session.clock import Clock
from fastapi_session.model import LATEST, FeedReading, Notice, NoticeKind
from fastapi_session.stores.pages import NOTICES_PAGE, pages
from fastapi_session.stores.readable import Readable
from fastapi_session.stores.sql import answers, statements
from fastapi_session.stores.sql.connections import Connections
from fastapi_session.stores.sql.statements import Parameters, TimedStatements

T = TypeVar("T")


class SqlNotices:
    """Keeps the revocation feed through *connections*. The database's clock dates notices, unless *clock* is given."""

    def __init__(self, connections: Connections, *, clock: Clock | None, readable: Readable) -> None:
        self._connections = connections
        self._readable = readable
        self._clock = clock
        self._timed = TimedStatements(now_given=clock is not None)

    async def notices(self, *, after: int, until: int = LATEST) -> FeedReading:
        """Return what was appended to the feed later than *after* and until *until*, oldest first, and the clock, which is read before."""
        # Two statements: PostgreSQL tells the time of a statement after it has settled what this statement sees.
        now = self._clock() if self._clock is not None else await self._read(statements.CLOCK, {}, answers.moment)
        belonging = partial(answers.notices, after=after, until=until)

        async def read(after: tuple[int, int]) -> answers.Rows:
            parameters = {"from_at": after[0], "after_id": after[1], "until": until, "limit": NOTICES_PAGE}
            return await self._read(statements.NOTICES, parameters, belonging)

        found: list[Notice] = []
        async for rows in pages(read, size=NOTICES_PAGE, first=(after + 1, -1), place=lambda row: (row[-2], row[-1])):
            found += self._readable.notices(row[:-1] for row in rows)
        return FeedReading(tuple(found), now)

    async def delete_notices(self, *, until: int, limit: int) -> int:
        """Delete at most *limit* notices of *until* or before, and answer how many. Others at work are skipped."""

        def work(connection: Connection) -> int:
            ids = answers.ids(connection.execute(statements.LOCK_NOTICES, {"until": until, "limit": limit}))
            deleted = connection.execute(statements.DELETE_NOTICES, {"notice_ids": ids})
            return answers.at_most(len(ids), deleted)

        return await self._connections.run(work)

    async def _changes_noted(
        self, statement: Executable, parameters: Parameters, *, kind: NoticeKind, subject: str
    ) -> bool:
        """Say whether *statement* changed a row, and if so let everybody hear of it."""

        def work(connection: Connection) -> bool:
            changed = answers.changed_one(connection.execute(statement, parameters))
            self._note(connection, kind, [subject] if changed else [])
            return changed

        return await self._connections.run(work)

    def _note(self, connection: Connection, kind: NoticeKind, subjects: Sequence[str]) -> None:
        if subjects:
            now = self._now()
            connection.execute(self._timed.note, [{"subject": subject, "kind": kind, **now} for subject in subjects])

    def _now(self) -> Parameters:
        return {} if self._clock is None else {"now": self._clock()}

    async def _read(self, statement: Executable, parameters: Parameters, read: Callable[[answers.Rows], T]) -> T:
        """Return what *read* makes of the rows of *statement*. What it raises is a failure of the connection."""
        return await self._connections.run(
            lambda connection: read(answers.rows_of(connection.execute(statement, parameters))), alone=True
        )

    async def _changes(self, statement: Executable, parameters: Parameters) -> bool:
        """Say whether *statement* changed its one row."""
        return await self._connections.run(
            lambda connection: answers.changed_one(connection.execute(statement, parameters)), alone=True
        )
