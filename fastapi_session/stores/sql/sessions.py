"""The verbs of a session store, as statements. Each is brought to a connection: a pooled one, or the user's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row

from fastapi_session.model import Json, Lineage, Reading, Rotation, SessionRecord
from fastapi_session.stores.rows import SESSION_COLUMNS, dump_json, lineage_row, session_record, session_row
from fastapi_session.stores.sql import statements
from fastapi_session.stores.sql.notices import SqlNotices

LINEAGE_COLUMNS = SESSION_COLUMNS[SESSION_COLUMNS.index("generation") :]


class SqlSessions(SqlNotices):
    """Keeps sessions beside the revocation feed. The database's clock decides, unless *clock* is given."""

    async def insert(self, record: SessionRecord, *, replacing: Sequence[str] = ()) -> None:
        """Keep a new *record* in the place of the sessions *replacing*. Raises StoreUnavailable if its id exists."""
        row = statements.columns(SESSION_COLUMNS, session_row(record))

        def work(connection: Connection) -> None:
            connection.execute(statements.INSERT, row)
            if replacing:
                connection.execute(statements.DELETE_THESE, {"session_ids": replacing})
                self._note(connection, "session_superseded", replacing)

        await self._connections.run(work, alone=not replacing)

    async def rotate(self, rotation: Rotation) -> SessionRecord | None:
        """Hand the session on to the next refresh token, or answer `None` where *rotation* does not apply."""
        parameters = statements.rotation_parameters(rotation)

        def work(connection: Connection) -> Row[Any] | None:
            timed = {**parameters, **self._now()}
            if connection.dialect.update_returning:
                return connection.execute(self._timed.rotate_returning, timed).first()
            if connection.execute(self._timed.rotate, timed).rowcount == 0:
                return None
            # The row is locked until the transaction ends: this reads what was written.
            return connection.execute(statements.FIND, {"given_session_id": rotation.session_id}).one()

        row = await self._connections.run(work, alone=True)
        return None if row is None else session_record(row)

    async def get(self, session_id: str) -> Reading:
        """Answer the record, expired or not, together with the clock."""
        [row] = await self._rows(self._timed.get, {"given_session_id": session_id})
        now: int = row[0]
        record = None if row.session_id is None else session_record(row[1:])
        return Reading(record, now if self._clock is None else self._clock())

    async def replace(self, session_id: str, *, expected: Lineage, lineage: Lineage) -> bool:
        """Write *lineage* if the session still stands where *expected* says."""
        new = statements.columns(LINEAGE_COLUMNS, lineage_row(lineage))
        parameters = {**new, **statements.unmoved_parameters(session_id, expected)}
        return await self._changes(statements.REPLACE, parameters) == 1

    async def delete(self, session_id: str, *, expected: Lineage | None = None) -> bool:
        """Delete the session, if *expected* is given only where it still stands there, and say whether it was there."""
        statement, parameters = statements.DELETE, {"given_session_id": session_id}
        if expected is not None:
            statement, parameters = statements.DELETE_UNMOVED, statements.unmoved_parameters(session_id, expected)
        return await self._changes_noted(statement, parameters, kind="session_revoked", subject=session_id)

    async def acknowledge(self, session_id: str, *, current: bytes, issue_id: bytes | None) -> None:
        """Note that the refresh token whose hash is *current* has been used, as it was handed out as *issue_id*."""
        parameters = {"given_session_id": session_id, "given_current": current, "issue_id": issue_id}
        await self._changes(self._timed.acknowledge, {**parameters, **self._now()})

    async def update(
        self,
        session_id: str,
        *,
        version: int,
        access_token_payload: Json,
        session_data: Json,
        marks_stale: bool = False,
    ) -> bool:
        """Write payload and data and version + 1, if the session's version is *version*."""
        parameters = {
            "given_session_id": session_id,
            "given_version": version,
            "access_token_payload": dump_json(access_token_payload),
            "session_data": dump_json(session_data),
        }
        if marks_stale:
            return await self._changes_noted(statements.UPDATE, parameters, kind="session_stale", subject=session_id)
        return await self._changes(statements.UPDATE, parameters) == 1

    async def sessions_of(self, user_id: str, *, tenant_id: str | None = None) -> Sequence[SessionRecord]:
        """Answer the user's sessions that have not expired, oldest first."""
        statement = statements.in_tenant(self._timed.sessions_of, tenant_id)
        parameters = {**statements.user_parameters(user_id, tenant_id), **self._now()}
        return [session_record(row) for row in await self._rows(statement, parameters)]

    async def delete_sessions_of(
        self, user_id: str, *, tenant_id: str | None = None, limit: int
    ) -> Sequence[SessionRecord]:
        """Delete at most *limit* of the user's sessions, expired ones too, and return them: fewer only if no more are left."""
        parameters = {**statements.user_parameters(user_id, tenant_id), "limit": limit}
        lock = statements.in_tenant(statements.LOCK_SESSIONS_OF, tenant_id)

        def work(connection: Connection) -> Sequence[Row[Any]]:
            if connection.dialect.update_returning:
                rows = connection.execute(statements.delete_these(lock), parameters).all()
            else:
                rows = connection.execute(lock, parameters).all()
                connection.execute(statements.DELETE_THESE, {"session_ids": [row.session_id for row in rows]})
            self._note(connection, "session_revoked", [row.session_id for row in rows])
            return rows

        return [session_record(row) for row in await self._connections.run(work)]

    async def delete_expired(self, *, limit: int) -> int:
        """Delete at most *limit* sessions whose deadline has passed, and answer how many. Others at work are skipped."""

        def work(connection: Connection) -> int:
            now = self._now()
            ids = connection.execute(self._timed.lock_expired, {**now, "limit": limit}).scalars().all()
            return connection.execute(self._timed.delete_expired, {**now, "session_ids": ids}).rowcount

        return await self._connections.run(work)
