"""The verbs by which sessions move into the file and out of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from operator import itemgetter

from fastapi_session.audit import Audit
from fastapi_session.clock import Clock
from fastapi_session.model import SessionRecord
from fastapi_session.stores.base import Remembered, SeenDevice, SessionPage, TakenIn
from fastapi_session.stores.columns import Row
from fastapi_session.stores.pages import id_before, pages
from fastapi_session.stores.readable import Readable
from fastapi_session.stores.sqlite import statements, writes
from fastapi_session.stores.sqlite.thread import SqliteThread


class MovingVerbs:
    """Takes sessions into the connection of *thread*, and reads out all that is there."""

    def __init__(self, thread: SqliteThread, *, clock: Clock, readable: Readable) -> None:
        self._thread = thread
        self._clock = clock
        self._readable = readable

    async def take_in(self, records: Sequence[SessionRecord], *, audit: Audit | None = None) -> Sequence[TakenIn]:
        """Keep sessions that began elsewhere, and return what became of each, in one transaction."""
        return await self._thread.write(
            lambda db: writes.take_in(db, records, readable=self._readable, now=self._clock(), audit=audit)
        )

    async def every_session(self, *, batch: int) -> AsyncIterator[Sequence[SessionRecord]]:
        """Yield all sessions, expired ones too, by their ids."""

        async def read(after: str) -> Sequence[Row]:
            return await self._rows(statements.EVERY_SESSION, {"after": after, "limit": batch})

        async for rows in pages(read, size=batch, first="", place=itemgetter(0)):
            yield self._readable.sessions(rows)

    async def session_page(self, *, after: str | None, limit: int) -> SessionPage:
        """Return at most *limit* sessions after that place, by their ids."""
        rows = await self._rows(statements.EVERY_SESSION, {"after": id_before(after), "limit": limit})
        return SessionPage(self._readable.sessions(rows), rows[-1][0] if len(rows) == limit else None)

    async def every_device(self, *, batch: int) -> AsyncIterator[Sequence[SeenDevice]]:
        """Yield all devices, by their users."""

        async def read(after: Row) -> Sequence[Row]:
            place = dict(zip(("after_user_id", "after_tenant_id", "after_device"), after, strict=True))
            return await self._rows(statements.EVERY_DEVICE, {**place, "limit": batch})

        async for rows in pages(read, size=batch, first=("", "", b""), place=itemgetter(0, 1, 2)):
            yield [SeenDevice(*row) for row in rows]

    async def every_remembered(self, *, batch: int) -> AsyncIterator[Sequence[Remembered]]:
        """Yield all that is remembered, by its digests."""

        async def read(after: bytes) -> Sequence[Row]:
            return await self._rows(statements.EVERY_REMEMBERED, {"after": after, "limit": batch})

        async for rows in pages(read, size=batch, first=b"", place=itemgetter(0)):
            yield [Remembered(*row) for row in rows]

    async def _rows(self, statement: str, parameters: statements.Parameters) -> Sequence[Row]:
        rows: Sequence[Row] = await self._thread.read(lambda db: db.execute(statement, parameters).fetchall())
        return rows
