"""The verbs of a session store, as statements. Each is brought to a connection: a pooled one, or the user's."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from operator import attrgetter, itemgetter

from sqlalchemy import Connection

from fastapi_session.model import Json, Lineage, Reading, Rotation, SessionRecord
from fastapi_session.stores.json_text import dump_json
from fastapi_session.stores.pages import SESSIONS_PAGE, pages
from fastapi_session.stores.rows import LINEAGE_COLUMNS, SESSION_COLUMNS, Row, lineage_row, session_row
from fastapi_session.stores.sql import answers, statements
from fastapi_session.stores.sql.notices import SqlNotices

PLACE = itemgetter(*map(SESSION_COLUMNS.index, ("tenant_id", "session_id")))


class SqlSessions(SqlNotices):
    """Keeps sessions beside the revocation feed. The database's clock decides, unless *clock* is given."""

    async def insert(self, record: SessionRecord, *, replacing: Sequence[str] = ()) -> None:
        """Keep a new *record* in the place of the sessions *replacing*. Raises StoreUnavailable if its id exists."""
        row = statements.columns(SESSION_COLUMNS, session_row(record))

        def work(connection: Connection) -> None:
            answers.ensure_kept(connection.execute(statements.INSERT, row))
            if replacing:
                deleted = connection.execute(statements.DELETE_THESE, {"session_ids": replacing})
                answers.at_most(len(replacing), deleted)
                self._note(connection, "session_superseded", replacing)

        await self._connections.run(work, alone=not replacing)

    async def rotate(self, rotation: Rotation) -> SessionRecord | None:
        """Hand the session on to the next refresh token, or answer `None` where *rotation* does not apply."""
        parameters = statements.rotation_parameters(rotation)

        def work(connection: Connection) -> Row | None:
            timed = {**parameters, **self._now()}
            if connection.dialect.update_returning:
                return answers.rotated(connection.execute(self._timed.rotate_returning, timed).one_or_none(), rotation)
            if not answers.changed_one(connection.execute(self._timed.rotate, timed)):
                return None
            # The row is locked until the transaction ends: this reads what was written.
            return answers.rotated(
                connection.execute(statements.FIND, {"given_session_id": rotation.session_id}).one(), rotation
            )

        row = await self._connections.run(work, alone=True)
        return None if row is None else self._readable.session(row, session_id=rotation.session_id)

    async def get(self, session_id: str) -> Reading:
        """Return the record, expired or not, together with the clock."""

        def read(rows: answers.Rows) -> tuple[Row | None, int]:
            [[now, *session]] = rows
            # The outer join says nothing of a session that is not there.
            row = None if session[0] is None else answers.session(session, session_id=session_id)
            return row, now if self._clock is None else self._clock()

        row, now = await self._read(self._timed.get, {"given_session_id": session_id}, read)
        return Reading(None if row is None else self._readable.session(row, session_id=session_id), now)

    async def replace(self, session_id: str, *, expected: Lineage, lineage: Lineage) -> bool:
        """Write *lineage* if the session still stands where *expected* says."""
        new = statements.columns(LINEAGE_COLUMNS, lineage_row(lineage))
        parameters = {**new, **statements.unmoved_parameters(session_id, expected)}
        return await self._changes(statements.REPLACE, parameters)

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
        return await self._changes(statements.UPDATE, parameters)

    async def sessions_of(self, user_id: str, *, tenant_id: str | None = None) -> Sequence[SessionRecord]:
        """Return the user's sessions that have not expired, oldest first."""
        statement = statements.in_tenant(self._timed.sessions_of, tenant_id)
        parameters = {**statements.user_parameters(user_id, tenant_id), "limit": SESSIONS_PAGE, **self._now()}
        belonging = partial(answers.sessions_of, user_id=user_id, tenant_id=tenant_id)

        async def read(after: tuple[str, str]) -> answers.Rows:
            place = {"after_tenant_id": after[0], "after_session_id": after[1]}
            return await self._read(statement, {**parameters, **place}, belonging)

        found: list[SessionRecord] = []
        async for rows in pages(read, size=SESSIONS_PAGE, first=("", ""), place=PLACE):
            found += self._readable.sessions_of(rows, user_id=user_id, tenant_id=tenant_id)
        return sorted(found, key=attrgetter("created_at", "session_id"))

    async def delete_sessions_of(
        self, user_id: str, *, tenant_id: str | None = None, keep: str | None = None, limit: int
    ) -> Sequence[SessionRecord]:
        """Delete at most *limit* of the user's sessions but *keep*, expired ones too, and return them: fewer only if no more are left."""
        deleted: list[SessionRecord] = []
        while wanted := limit - len(deleted):  # again only for those that cannot be read, of which nobody is told
            rows = await self._delete_some_of(user_id, tenant_id, keep=keep, limit=wanted)
            deleted += self._readable.sessions_of(rows, user_id=user_id, tenant_id=tenant_id)
            if len(rows) < wanted:
                break
        return deleted

    async def _delete_some_of(
        self, user_id: str, tenant_id: str | None, *, keep: str | None, limit: int
    ) -> answers.Rows:
        parameters = {**statements.user_parameters(user_id, tenant_id), "keep": keep or "", "limit": limit}
        lock = statements.in_tenant(statements.LOCK_SESSIONS_OF, tenant_id)

        def work(connection: Connection) -> answers.Rows:
            returning = connection.dialect.update_returning
            statement = statements.delete_these(lock) if returning else lock
            found = answers.rows_of(connection.execute(statement, parameters))
            rows = answers.sessions_of(found, user_id=user_id, tenant_id=tenant_id)
            session_ids = [row[0] for row in rows]
            if not returning:
                deleted = connection.execute(statements.DELETE_THESE, {"session_ids": session_ids})
                answers.at_most(len(session_ids), deleted)
            self._note(connection, "session_revoked", session_ids)
            return rows

        return await self._connections.run(work)

    async def delete_expired(self, *, limit: int) -> int:
        """Delete at most *limit* sessions whose deadline has passed, and answer how many. Others at work are skipped."""

        def work(connection: Connection) -> int:
            now = self._now()
            ids = answers.ids(connection.execute(self._timed.lock_expired, {**now, "limit": limit}))
            deleted = connection.execute(self._timed.delete_expired, {**now, "session_ids": ids})
            return answers.at_most(len(ids), deleted)

        return await self._connections.run(work)
