"""The verbs of a store, as statements. Each is brought to a connection: a pooled one, or the user's.

What changes a row that others have to hear of appends the notice in the same transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from operator import attrgetter, itemgetter

from sqlalchemy import Connection, Executable

from fastapi_session.audit import Audit, InsertionAudit
from fastapi_session.insertion import HAS_MOVED, KEPT, REFUSED, Insertion, Limit
from fastapi_session.model import (
    Json,
    Lineage,
    Predecessor,
    Reading,
    Rotation,
    SessionRecord,
)
from fastapi_session.stores.columns import Row
from fastapi_session.stores.json_text import dump_json
from fastapi_session.stores.limits import making_room
from fastapi_session.stores.pages import SESSIONS_PAGE, pages
from fastapi_session.stores.rows import LINEAGE_COLUMNS, SESSION_COLUMNS, lineage_row, session_row, whose
from fastapi_session.stores.sql import results, statements
from fastapi_session.stores.sql.event_verbs import EventVerbs
from fastapi_session.stores.sql.events import whose_sessions
from fastapi_session.stores.sql.key_verbs import KeyVerbs
from fastapi_session.stores.sql.limiting import count_alone, delete_counted
from fastapi_session.stores.sql.moving_verbs import MovingVerbs
from fastapi_session.stores.sql.notice_verbs import NoticeVerbs
from fastapi_session.stores.sql.sighting_verbs import SightingVerbs
from fastapi_session.stores.sql.statements import Parameters

PLACE = itemgetter(SESSION_COLUMNS.index("session_id"))


class SqlVerbs(KeyVerbs, NoticeVerbs, EventVerbs, SightingVerbs, MovingVerbs):
    """Keeps sessions, signing keys and the revocation feed through *connections*. The database's clock decides, unless *clock* is given."""

    keeps_limits = True

    async def insert(
        self,
        record: SessionRecord,
        *,
        replacing: Sequence[str] = (),
        succeeding: Predecessor | None = None,
        limit: Limit | None = None,
        audit: InsertionAudit | None = None,
    ) -> Insertion:
        """Keep a new *record* in the place of others, if *succeeding* has not changed and there is room. Raises StoreUnavailable if its id exists."""
        row = statements.columns(SESSION_COLUMNS, session_row(record))
        earlier = [*replacing, *([] if succeeding is None else [succeeding.session_id])]

        def work(connection: Connection) -> Insertion:
            ending = [] if limit is None else self._making_room(connection, record, limit, replacing=earlier)
            if ending is None:
                return REFUSED
            superseded = [] if audit is None else whose_sessions(connection, audit.superseded, earlier)
            # First: if it deletes nothing, nothing else has been written yet.
            if succeeding is not None and not self._supersedes(connection, succeeding):
                return HAS_MOVED
            results.ensure_kept(connection.execute(statements.INSERT, row))
            if replacing:
                deleted = connection.execute(statements.DELETE_THESE, {"session_ids": replacing})
                results.at_most(len(replacing), deleted)
                self._note(connection, "session_superseded", replacing)
            if audit is not None:
                self._tell(connection, audit.superseded, superseded)
                self._tell(connection, audit.began, [whose(session_row(record))])
            evicted = None if audit is None else audit.evicted
            return self._kept(connection, record, evicting=ending, audit=evicted) if ending else KEPT

        return await self._connections.run(work, alone=not earlier and limit is None and audit is None)

    async def rotate(self, rotation: Rotation, *, audit: Audit | None = None) -> SessionRecord | None:
        """Hand the session on to the next refresh token, or return `None` if *rotation* does not apply."""

        def work(connection: Connection) -> Row | None:
            row = rotated_row(connection, self._timed, rotation, now=self._now())
            self._tell(connection, audit, [] if row is None else [whose(row)])
            return row

        row = await self._connections.run(work, alone=audit is None)
        return None if row is None else self._readable.session(row, session_id=rotation.session_id)

    async def get(self, session_id: str) -> Reading:
        """Return the record, expired or not, together with the clock."""

        def read(rows: results.Rows) -> tuple[Row | None, int]:
            [[now, *session]] = rows
            # The outer join says nothing of a session that is not there.
            row = None if session[0] is None else results.session(session, session_id=session_id)
            return row, now if self._clock is None else self._clock()

        row, now = await self._read(self._timed.get, {"given_session_id": session_id}, read)
        return Reading(None if row is None else self._readable.session(row, session_id=session_id), now)

    async def replace(
        self, session_id: str, *, expected: Lineage, lineage: Lineage, audit: Audit | None = None
    ) -> bool:
        """Write *lineage* if the session still has what compare-and-set compares of *expected*."""
        new = statements.columns(LINEAGE_COLUMNS, lineage_row(lineage))
        parameters = {**new, **statements.unmoved_parameters(session_id, expected)}
        return await self._changes_told(statements.REPLACE, parameters, subject=session_id, audit=audit)

    async def delete(self, session_id: str, *, expected: Lineage | None = None, audit: Audit | None = None) -> bool:
        """Delete the session, with *expected* only if `replace` would write, and say whether it was deleted."""
        statement: Executable = statements.DELETE
        parameters: Parameters = {"given_session_id": session_id}
        if expected is not None:
            statement, parameters = statements.DELETE_UNMOVED, statements.unmoved_parameters(session_id, expected)
        return await self._changes_noted(statement, parameters, kind="session_revoked", subject=session_id, audit=audit)

    async def acknowledge(self, session_id: str, *, current: bytes, issue_id: bytes | None) -> None:
        """Note that the refresh token whose hash is *current* has been used, as it was handed out as *issue_id*."""
        parameters = {"given_session_id": session_id, "given_current": current, "issue_id": issue_id}
        await self._changes(self._timed.acknowledge, {**parameters, **self._now()})

    async def bind(self, session_id: str, bound_key: str, *, audit: Audit | None = None) -> bool:
        """Set *bound_key*, if the session has none and has not expired, and say whether it was set."""
        parameters = {"given_session_id": session_id, "new_bound_key": bound_key, **self._now()}
        return await self._changes_told(self._timed.bind, parameters, subject=session_id, audit=audit)

    async def update(
        self,
        session_id: str,
        *,
        version: int,
        access_token_payload: Json,
        session_data: Json,
        label: str | None,
        marks_stale: bool = False,
    ) -> bool:
        """Write payload, data, label and version + 1, if the session's version is *version*."""
        parameters = {
            "given_session_id": session_id,
            "given_version": version,
            "access_token_payload": dump_json(access_token_payload),
            "session_data": dump_json(session_data),
            "label": label,
        }
        if marks_stale:
            return await self._changes_noted(statements.UPDATE, parameters, kind="session_stale", subject=session_id)
        return await self._changes(statements.UPDATE, parameters)

    async def sessions_of(self, user_id: str, *, tenant_id: str | None = None) -> Sequence[SessionRecord]:
        """Return the user's sessions that have not expired, oldest first."""
        statement = statements.in_tenant(self._timed.sessions_of, tenant_id)
        parameters = {**statements.user_parameters(user_id, tenant_id), "limit": SESSIONS_PAGE, **self._now()}
        belonging = partial(results.sessions_of, user_id=user_id, tenant_id=tenant_id)

        async def read(after: str) -> results.Rows:
            return await self._read(statement, {**parameters, "after_session_id": after}, belonging)

        found: list[SessionRecord] = []
        async for rows in pages(read, size=SESSIONS_PAGE, first="", place=PLACE):
            found += self._readable.sessions_of(rows, user_id=user_id, tenant_id=tenant_id)
        return sorted(found, key=attrgetter("created_at", "session_id"))

    async def delete_sessions_of(
        self,
        user_id: str,
        *,
        tenant_id: str | None = None,
        keep: str | None = None,
        limit: int,
        audit: Audit | None = None,
    ) -> Sequence[SessionRecord]:
        """Delete at most *limit* of the user's sessions but *keep*, expired ones too, and return them: fewer only if no more are left."""
        deleted: list[SessionRecord] = []
        while wanted := limit - len(deleted):  # again only if some could not be read, which are not returned
            rows = await self._delete_some_of(user_id, tenant_id, keep=keep, limit=wanted, audit=audit)
            deleted += self._readable.sessions_of(rows, user_id=user_id, tenant_id=tenant_id)
            if len(rows) < wanted:
                break
        return deleted

    async def delete_external(
        self, digest: bytes, *, limit: int, audit: Audit | None = None
    ) -> Sequence[SessionRecord]:
        """Delete at most *limit* of the sessions that have *digest*, expired ones too, and return them: fewer only if no more are left."""
        belonging = partial(results.external, digest=digest)
        deleted: list[SessionRecord] = []
        while wanted := limit - len(deleted):
            parameters = {"digest": digest, "limit": wanted}
            rows = await self._delete_locked(statements.LOCK_EXTERNAL, parameters, belonging, audit)
            deleted += self._readable.external(rows, digest=digest)
            if len(rows) < wanted:
                break
        return deleted

    async def delete_expired(self, *, limit: int, audit: Audit | None = None) -> int:
        """Delete at most *limit* sessions whose deadline has passed, and return how many. Rows that another transaction holds are skipped."""

        def work(connection: Connection) -> int:
            now = self._now()
            ids = results.ids(connection.execute(self._timed.lock_expired, {**now, "limit": limit}))
            sessions = whose_sessions(connection, audit, ids)
            deleted = connection.execute(self._timed.delete_expired, {**now, "session_ids": ids})
            self._tell(connection, audit, sessions)
            return results.at_most(len(ids), deleted)

        return await self._connections.run(work)

    async def once(self, digest: bytes, *, until: int) -> bool:
        """Remember *digest* until then, and say whether it was not remembered yet."""
        return await self._keeps(statements.REMEMBER, {"digest": digest, "until": until})

    async def is_remembered(self, digest: bytes) -> bool:
        """Say whether *digest* is remembered."""
        belonging = partial(results.remembered, digest=digest)
        return await self._read(statements.FIND_REMEMBERED, {"given_digest": digest}, belonging)

    async def delete_remembered(self, *, limit: int) -> int:
        """Forget at most *limit* digests whose moment has passed, and return how many. Rows that another transaction holds are skipped."""

        def work(connection: Connection) -> int:
            digests = results.ids(connection.execute(self._timed.lock_passed, {**self._now(), "limit": limit}))
            deleted = connection.execute(statements.DELETE_REMEMBERED, {"digests": digests})
            return results.at_most(len(digests), deleted)

        return await self._connections.run(work)

    def _supersedes(self, connection: Connection, predecessor: Predecessor) -> bool:
        parameters = {"given_session_id": predecessor.session_id, "given_version": predecessor.version}
        deleted = results.changed_one(connection.execute(statements.DELETE_VERSION, parameters))
        self._note(connection, "session_superseded", [predecessor.session_id] if deleted else [])
        return deleted

    async def _delete_some_of(
        self, user_id: str, tenant_id: str | None, *, keep: str | None, limit: int, audit: Audit | None
    ) -> results.Rows:
        parameters = {**statements.user_parameters(user_id, tenant_id), "keep": keep or "", "limit": limit}
        lock = statements.in_tenant(statements.LOCK_SESSIONS_OF, tenant_id)
        belonging = partial(results.sessions_of, user_id=user_id, tenant_id=tenant_id)
        return await self._delete_locked(lock, parameters, belonging, audit)

    async def _delete_locked(
        self,
        lock: statements.Sessions,
        parameters: Parameters,
        belonging: Callable[[results.Rows], results.Rows],
        audit: Audit | None,
    ) -> results.Rows:
        """Delete the sessions that *lock* selects, and return them; *belonging* looks at the result."""

        def work(connection: Connection) -> results.Rows:
            returning = connection.dialect.update_returning
            statement = statements.delete_these(lock) if returning else lock
            rows = belonging(results.rows_of(connection.execute(statement, parameters)))
            session_ids = [row[0] for row in rows]
            if not returning:
                deleted = connection.execute(statements.DELETE_THESE, {"session_ids": session_ids})
                results.at_most(len(session_ids), deleted)
            self._note(connection, "session_revoked", session_ids)
            self._tell(connection, audit, map(whose, rows))
            return rows

        return await self._connections.run(work)

    def _making_room(
        self, connection: Connection, record: SessionRecord, limit: Limit, *, replacing: Sequence[str]
    ) -> list[str] | None:
        living = count_alone(
            connection,
            record,
            living=self._timed.living,
            now=self._now(),
            begins=self._connections.begins_transactions,
        )
        return making_room(living, limit, replacing=replacing)

    def _kept(
        self, connection: Connection, record: SessionRecord, *, evicting: Sequence[str], audit: Audit | None
    ) -> Insertion:
        rows = delete_counted(connection, evicting)
        self._note(connection, "session_revoked", [row[0] for row in rows])
        self._tell(connection, audit, map(whose, rows))
        evicted = self._readable.sessions_of(rows, user_id=record.user_id, tenant_id=record.tenant_id)
        return Insertion("kept", tuple(evicted))


def rotated_row(
    connection: Connection, timed: statements.TimedStatements, rotation: Rotation, *, now: Parameters
) -> Row | None:
    """Return the session as it was handed on, `None` if *rotation* does not apply. *now* is given to the *timed* statement."""
    parameters = {**statements.rotation_parameters(rotation), **now}
    if connection.dialect.update_returning:
        return results.rotated(connection.execute(timed.rotate_returning, parameters).one_or_none(), rotation)
    if not results.changed_one(connection.execute(timed.rotate, parameters)):
        return None
    # MySQL has no UPDATE ... RETURNING.
    # The row is locked until the transaction ends: this reads what was written.
    found = connection.execute(statements.FIND, {"given_session_id": rotation.session_id})
    return results.rotated(found.one(), rotation)
