"""The verbs about the revocation feed, as statements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial

from sqlalchemy import Connection

from fastapi_session.model import LATEST, FeedReading, Notice
from fastapi_session.stores.pages import NOTICES_PAGE, pages
from fastapi_session.stores.sql import results, statements
from fastapi_session.stores.sql.asking import Asking


class NoticeVerbs(Asking):
    """Reads the revocation feed, and clears it."""

    async def notices(self, *, after: int, until: int = LATEST) -> FeedReading:
        """Return what was appended to the feed later than *after* and until *until*, oldest first, and the clock, which is read before."""
        # Two statements: in one, PostgreSQL would read the clock after it has settled which rows the statement sees.
        now = self._clock() if self._clock is not None else await self._read(statements.CLOCK, {}, results.moment)
        belonging = partial(results.notices, after=after, until=until)

        async def read(after: tuple[int, int]) -> results.Rows:
            parameters = {"from_at": after[0], "after_id": after[1], "until": until, "limit": NOTICES_PAGE}
            return await self._read(statements.NOTICES, parameters, belonging)

        found: list[Notice] = []
        async for rows in pages(read, size=NOTICES_PAGE, first=(after + 1, -1), place=lambda row: (row[-2], row[-1])):
            found += self._readable.notices(row[:-1] for row in rows)
        return FeedReading(tuple(found), now)

    async def append_notices(self, notices: Sequence[Notice]) -> None:
        """Append *notices*, each with the date that it has."""
        rows = [asdict(notice) for notice in notices]
        if rows:
            await self._connections.run(lambda connection: connection.execute(statements.APPEND_NOTICES, rows))

    async def delete_notices(self, *, until: int, limit: int) -> int:
        """Delete at most *limit* notices of *until* or before, and return how many. Rows that another transaction holds are skipped."""

        def work(connection: Connection) -> int:
            ids = results.ids(connection.execute(statements.LOCK_NOTICES, {"until": until, "limit": limit}))
            deleted = connection.execute(statements.DELETE_NOTICES, {"notice_ids": ids})
            return results.at_most(len(ids), deleted)

        return await self._connections.run(work)
