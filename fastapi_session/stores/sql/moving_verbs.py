"""The verbs by which sessions move into the tables and out of them, as statements."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from operator import itemgetter

from sqlalchemy import Connection, Executable, Integer, bindparam, or_, select

from fastapi_session.audit import Audit
from fastapi_session.model import SessionRecord
from fastapi_session.stores.base import Remembered, SeenDevice, SessionPage, TakenIn
from fastapi_session.stores.columns import Row
from fastapi_session.stores.pages import id_before, pages
from fastapi_session.stores.rows import SESSION_COLUMNS, whose
from fastapi_session.stores.sql import results
from fastapi_session.stores.sql.asking import Asking
from fastapi_session.stores.sql.statements import SESSION_ROW, Parameters, given
from fastapi_session.stores.sql.tables import DEVICE, ONCE, SESSION
from fastapi_session.stores.sql.taking_in import take_in

_LIMIT = bindparam("limit", type_=Integer)
_USER, _TENANT, _DEVICE = DEVICE.c.user_id, DEVICE.c.tenant_id, DEVICE.c.device

_SESSIONS = (
    select(*SESSION_ROW).where(SESSION.c.session_id > given(SESSION.c.session_id)).order_by(SESSION.c.session_id)
).limit(_LIMIT)
# Not (a, b, c) > (x, y, z), for which MySQL searches no index.
_DEVICES = (
    select(_USER, _TENANT, _DEVICE, DEVICE.c.last_seen_at)
    .where(
        _USER >= given(_USER),
        or_(_USER > given(_USER), _TENANT >= given(_TENANT)),
        or_(_USER > given(_USER), _TENANT > given(_TENANT), _DEVICE > given(_DEVICE)),
    )
    .order_by(_USER, _TENANT, _DEVICE)
    .limit(_LIMIT)
)
_REMEMBERED = (
    select(ONCE.c.digest, ONCE.c.until).where(ONCE.c.digest > given(ONCE.c.digest)).order_by(ONCE.c.digest)
).limit(_LIMIT)


class MovingVerbs(Asking):
    """Takes sessions in, and reads out all that is there."""

    async def take_in(self, records: Sequence[SessionRecord], *, audit: Audit | None = None) -> Sequence[TakenIn]:
        """Keep sessions that began elsewhere, and return what became of each, in one transaction."""
        if not records:
            return []

        def work(connection: Connection) -> list[TakenIn]:
            takings = take_in(connection, records, readable=self._readable)
            self._note(connection, "session_stale", [each.row[0] for each in takings if each.makes_stale])
            self._tell(connection, audit, (whose(each.row) for each in takings if each.outcome == "kept"))
            return [each.outcome for each in takings]

        return await self._connections.run(work)

    async def every_session(self, *, batch: int) -> AsyncIterator[Sequence[SessionRecord]]:
        """Yield all sessions, expired ones too, by their ids."""
        async for rows in pages(self._reading_sessions(batch), size=batch, first=("",), place=itemgetter(slice(1))):
            yield self._readable.sessions(rows)

    async def session_page(self, *, after: str | None, limit: int) -> SessionPage:
        """Return at most *limit* sessions after that place, by their ids."""
        rows = await self._reading_sessions(limit)((id_before(after),))
        return SessionPage(self._readable.sessions(rows), rows[-1][0] if len(rows) == limit else None)

    async def every_device(self, *, batch: int) -> AsyncIterator[Sequence[SeenDevice]]:
        """Yield all devices, by their users."""
        read = self._reading(_DEVICES, ["user_id", "tenant_id", "device"], batch=batch, columns=4)
        async for rows in pages(read, size=batch, first=("", "", b""), place=itemgetter(slice(3))):
            yield [SeenDevice(*row) for row in rows]

    async def every_remembered(self, *, batch: int) -> AsyncIterator[Sequence[Remembered]]:
        """Yield all that is remembered, by its digests."""
        read = self._reading(_REMEMBERED, ["digest"], batch=batch, columns=2)
        async for rows in pages(read, size=batch, first=(b"",), place=itemgetter(slice(1))):
            yield [Remembered(*row) for row in rows]

    def _reading_sessions(self, size: int) -> Callable[[Row], Awaitable[results.Rows]]:
        return self._reading(_SESSIONS, ["session_id"], batch=size, columns=len(SESSION_COLUMNS))

    def _reading(
        self, statement: Executable, key: Sequence[str], *, batch: int, columns: int
    ) -> Callable[[Row], Awaitable[results.Rows]]:
        """Return what reads the page of *statement* that comes after the values of *key*."""

        async def read(after: Row) -> results.Rows:
            place: Parameters = {f"given_{name}": value for name, value in zip(key, after, strict=True)}
            return await self._read(statement, {**place, "limit": batch}, partial(results.page, columns=columns))

        return read
