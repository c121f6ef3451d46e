"""Sessions in one SQLite file: the embedded default, for one machine with any number of processes."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from operator import attrgetter, itemgetter
from pathlib import Path

from fastapi_session.audit import Audit, EventQuery, EventReading, InsertionAudit
from fastapi_session.clock import Clock, system_clock
from fastapi_session.errors import ConfigurationError
from fastapi_session.insertion import HAS_MOVED, KEPT, REFUSED, Insertion, Limit
from fastapi_session.model import (
    DEVICE_KEPT,
    LATEST,
    FeedReading,
    Json,
    Lineage,
    Notice,
    Predecessor,
    Reading,
    Rotation,
    SessionRecord,
    SigningKeyRecord,
)
from fastapi_session.stores.columns import Row
from fastapi_session.stores.json_text import dump_json
from fastapi_session.stores.opening import opening
from fastapi_session.stores.pages import NOTICES_PAGE, SESSIONS_PAGE, pages
from fastapi_session.stores.readable import Readable
from fastapi_session.stores.rows import KEY_COLUMNS, key_row, session_row
from fastapi_session.stores.sqlite import events, statements, writes
from fastapi_session.stores.sqlite.facts_verbs import FactVerbs
from fastapi_session.stores.sqlite.fast_path import LARGEST, Work
from fastapi_session.stores.sqlite.file import connect, connect_beside
from fastapi_session.stores.sqlite.presence import OpenFiles
from fastapi_session.stores.sqlite.thread import SqliteThread
from fastapi_session.stores.sqlite.writes import Parameters

OLDEST_SQLITE = (3, 35, 0)
"""The first version that returns what it has written (RETURNING)."""

_PLACE = itemgetter(-2, -1)


class SqliteStore(FactVerbs):
    """Keeps sessions and signing keys in the file at *path*, which is created readable by its owner alone.

    *clock* returns milliseconds since the epoch; processes that share the file share it too, since they share the
    machine. *busy_timeout* is how long a write waits for those of other processes before it is `StoreUnavailable`.
    The first operation opens the file, so that `open` is a matter of finding a wrong path early.

    Raises ConfigurationError if SQLite is too old, *path* names no file, or the file is of a newer version.
    """

    keeps_limits = True

    def __init__(
        self, path: str | Path, *, clock: Clock = system_clock, busy_timeout: timedelta = timedelta(seconds=5)
    ) -> None:
        if sqlite3.sqlite_version_info < OLDEST_SQLITE:
            raise ConfigurationError(
                f"SqliteStore needs SQLite 3.35 or newer, and Python was built with {sqlite3.sqlite_version}"
            )
        # SQLite would make a database that no other process sees, and that ends with the connection.
        if str(path) in {"", ":memory:"}:
            raise ConfigurationError("SqliteStore needs the path of a file: for sessions in memory use MemoryStore")
        self.path = Path(path).absolute()  # this process may go to another folder
        thread = SqliteThread(
            partial(connect, str(self.path), busy_timeout=busy_timeout),
            connect_beside=partial(connect_beside, str(self.path), largest=LARGEST),
            opened=partial(OpenFiles, str(self.path)),
        )
        super().__init__(thread, clock=clock, readable=Readable("SQLite"))

    async def open(self) -> None:
        """Open the file and create its tables, if that has not been done yet."""
        with opening(self.path):
            await self._thread.read(lambda db: db.total_changes)

    async def close(self) -> None:
        """Finish what was begun, close the file and end the thread. The store may be used again."""
        await self._thread.close()

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
        # An id that exists violates the primary key, which is a StoreUnavailable like every error of SQLite.
        row, earlier = session_row(record), [*replacing, *([] if succeeding is None else [succeeding.session_id])]
        if not earlier and limit is None and audit is None:
            await self._thread.write_row(lambda db: db.execute(statements.INSERT, row).rowcount)
            return KEPT

        def write(db: sqlite3.Connection) -> Sequence[Row] | Insertion:
            now = self._clock()
            ending = [] if limit is None else writes.ending_for(db, record, limit, replacing=earlier, now=now)
            if ending is None:
                return REFUSED
            rows = writes.insert_replacing(
                db, row, replacing=replacing, succeeding=succeeding, ending=ending, now=now, audit=audit
            )
            return HAS_MOVED if rows is None else rows

        written = await self._thread.write(write)
        if isinstance(written, Insertion):
            return written
        evicted = self._readable.sessions_of(written, user_id=record.user_id, tenant_id=record.tenant_id)
        return Insertion("kept", tuple(evicted))

    async def rotate(self, rotation: Rotation, *, audit: Audit | None = None) -> SessionRecord | None:
        """Hand the session on to the next refresh token, or return `None` if *rotation* does not apply."""

        def write(db: sqlite3.Connection) -> Row | None:
            parameters = statements.rotation_parameters(rotation, now=self._clock())
            if audit is None:
                row: Row | None = db.execute(statements.ROTATE, parameters).fetchone()
                return row
            return next(
                iter(writes.change_told(db, statements.ROTATE, parameters, now=self._clock(), audit=audit)), None
            )

        row = await self._thread.write_row(write)
        return None if row is None else self._readable.session(row, session_id=rotation.session_id)

    async def get(self, session_id: str) -> Reading:
        """Return the record, expired or not, together with the store's clock."""
        row, now = await self._thread.read_row(
            lambda db: (db.execute(statements.GET, (session_id,)).fetchone(), self._clock())
        )
        return Reading(None if row is None else self._readable.session(row, session_id=session_id), now)

    async def replace(
        self, session_id: str, *, expected: Lineage, lineage: Lineage, audit: Audit | None = None
    ) -> bool:
        """Write *lineage* if the session still has what compare-and-set compares of *expected*."""
        parameters = statements.replace_parameters(session_id, expected=expected, lineage=lineage)
        return await self._changes_row(statements.REPLACE, parameters, audit=audit)

    async def delete(self, session_id: str, *, expected: Lineage | None = None, audit: Audit | None = None) -> bool:
        """Delete the session, with *expected* only if `replace` would write, and say whether it was deleted."""
        if expected is None:
            return await self._deletes_row(statements.DELETE, (session_id,), audit=audit)
        parameters = statements.unmoved_parameters(session_id, expected)
        return await self._deletes_row(statements.DELETE_UNMOVED, parameters, audit=audit)

    async def acknowledge(self, session_id: str, *, current: bytes, issue_id: bytes | None) -> None:
        """Note that the refresh token whose hash is *current* has been used, as it was handed out as *issue_id*."""
        await self._thread.write_row(
            lambda db: db.execute(statements.ACKNOWLEDGE, (issue_id, self._clock(), session_id, current)).rowcount
        )

    async def bind(self, session_id: str, bound_key: str, *, audit: Audit | None = None) -> bool:
        """Set *bound_key*, if the session has none and has not expired, and say whether it was set."""
        parameters = {"session_id": session_id, "bound_key": bound_key, "now": self._clock()}
        return await self._changes_row(statements.BIND, parameters, audit=audit)

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
            "session_id": session_id,
            "version": version,
            "access_token_payload": dump_json(access_token_payload),
            "session_data": dump_json(session_data),
            "label": label,
        }
        if not marks_stale:
            return await self._changes_row(statements.UPDATE, parameters)
        return await self._thread.write_row(lambda db: writes.update_stale(db, parameters, now=self._clock())) == 1

    async def sessions_of(self, user_id: str, *, tenant_id: str | None = None) -> Sequence[SessionRecord]:
        """Return the user's sessions that have not expired, oldest first."""
        user = {"user_id": user_id, "tenant_id": tenant_id, "now": self._clock()}

        async def read(after: tuple[str, int]) -> Sequence[Row]:
            return await self._page(statements.SESSIONS_OF, after, {**user, "limit": SESSIONS_PAGE})

        found: list[SessionRecord] = []
        async for rows in pages(read, size=SESSIONS_PAGE, first=("", -1), place=_PLACE):
            found += self._readable.sessions_of((row[:-2] for row in rows), user_id=user_id, tenant_id=tenant_id)
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
        user, deleted = {"user_id": user_id, "tenant_id": tenant_id, "keep": keep}, list[SessionRecord]()
        while wanted := limit - len(deleted):  # again only if some could not be read, which are not returned
            rows = await self._delete(statements.DELETE_SESSIONS_OF, {**user, "limit": wanted}, audit=audit)
            deleted += self._readable.sessions_of(rows, user_id=user_id, tenant_id=tenant_id)
            if len(rows) < wanted:
                break
        return deleted

    async def delete_external(
        self, digest: bytes, *, limit: int, audit: Audit | None = None
    ) -> Sequence[SessionRecord]:
        """Delete at most *limit* of the sessions that have *digest*, expired ones too, and return them: fewer only if no more are left."""
        deleted: list[SessionRecord] = []
        while wanted := limit - len(deleted):
            rows = await self._delete(statements.DELETE_EXTERNAL, {"digest": digest, "limit": wanted}, audit=audit)
            deleted += self._readable.external(rows, digest=digest)
            if len(rows) < wanted:
                break
        return deleted

    async def delete_expired(self, *, limit: int, audit: Audit | None = None) -> int:
        """Delete at most *limit* sessions whose deadline has passed, and return how many."""
        return await self._changes(statements.DELETE_EXPIRED, {"now": self._clock(), "limit": limit}, audit=audit)

    async def insert_key(self, record: SigningKeyRecord) -> bool:
        """Keep *record* unless its kid, or its family and sequence, exist already. Say whether it was kept."""
        return await self._changes_row(statements.INSERT_KEY, key_row(record))

    async def signing_keys(self) -> Sequence[SigningKeyRecord]:
        """Return every key, by family and sequence."""
        return self._readable.signing_keys(await self._rows(statements.SIGNING_KEYS, {}))

    async def replace_key(self, record: SigningKeyRecord, *, expected_secret_kid: int) -> bool:
        """Write *record* over the key of its kid, if that one is encrypted under *expected_secret_kid*."""
        parameters = dict(zip(KEY_COLUMNS, key_row(record), strict=True))
        return await self._changes_row(
            statements.REPLACE_KEY, parameters | {"expected_secret_kid": expected_secret_kid}
        )

    async def delete_key(self, kid: str) -> bool:
        """Delete the key, and say whether it was there."""
        return await self._thread.write_row(lambda db: writes.delete_key(db, kid, now=self._clock())) == 1

    async def notices(self, *, after: int, until: int = LATEST) -> FeedReading:
        """Return what was appended to the feed later than *after* and until *until*, oldest first, and the clock."""
        now = self._clock()

        async def read(after: tuple[int, int]) -> Sequence[Row]:
            return await self._page(statements.NOTICES, after, {"until": until, "limit": NOTICES_PAGE})

        found: list[Notice] = []
        async for rows in pages(read, size=NOTICES_PAGE, first=(after + 1, -1), place=_PLACE):
            found += self._readable.notices(row[:-1] for row in rows)
        return FeedReading(tuple(found), now)

    async def append_notices(self, notices: Sequence[Notice]) -> None:
        """Append *notices*, each with the date that it has."""
        await self._thread.write(lambda db: writes.append(db, notices))

    async def delete_notices(self, *, until: int, limit: int) -> int:
        """Delete at most *limit* notices of *until* or before, and return how many."""
        return await self._changes(statements.DELETE_NOTICES, (until, limit))

    async def once(self, digest: bytes, *, until: int) -> bool:
        """Remember *digest* until then, and say whether it was not remembered yet."""
        return await self._changes_row(statements.ONCE, (digest, until))

    async def is_remembered(self, digest: bytes) -> bool:
        """Say whether *digest* is remembered."""
        return bool(await self._thread.read_row(lambda db: db.execute(statements.IS_REMEMBERED, (digest,)).fetchall()))

    async def delete_remembered(self, *, limit: int) -> int:
        """Forget at most *limit* digests whose moment has passed, and return how many."""
        return await self._changes(statements.DELETE_REMEMBERED, (self._clock(), limit))

    async def events(self, query: EventQuery) -> EventReading:
        """Return the events that *query* asks for, in the order in which they were written, or newest first."""
        rows = await self._thread.read(partial(events.events, query=query))
        return EventReading(self._readable.events(row[:-1] for row in rows), str(rows[-1][-1]) if rows else query.after)

    async def delete_events(self, *, until: int, limit: int) -> int:
        """Delete at most *limit* events of *until* or before, and return how many."""
        return await self._changes(events.DELETE_EVENTS, (until, limit))

    async def touch(self, session_ids: Sequence[str], *, idle_timeout: int | None = None) -> int:
        """Note that the sessions *session_ids* are in use, and return how many are there."""
        given = {"session_ids": json.dumps([*session_ids]), "idle_timeout": idle_timeout}
        statement = statements.TOUCH if idle_timeout is None else statements.PROLONG
        return await self._changes(statement, {**given, "now": self._clock()})

    async def see_device(self, user_id: str, tenant_id: str, device: bytes) -> bool | None:
        """Note that the user has signed in by *device*. False if it was known, true if others were, `None` if none was."""
        seen = {"user_id": user_id, "tenant_id": tenant_id, "device": device, "now": self._clock()}
        return await self._thread.write_row(lambda db: writes.see_device(db, seen))

    async def delete_devices(self, *, limit: int) -> int:
        """Forget at most *limit* devices that were not seen for long, and return how many."""
        return await self._changes(statements.DELETE_DEVICES, (self._clock() - DEVICE_KEPT, limit))

    async def _page(
        self, statement: str, after: tuple[object, object], parameters: statements.Parameters
    ) -> Sequence[Row]:
        parameters = {**parameters, "after_first": after[0], "after_second": after[1]}
        return await self._rows(statement, parameters)

    async def _delete(self, statement: str, parameters: Parameters, *, audit: Audit | None) -> Sequence[Row]:
        return await self._thread.write(self._deletion(statement, parameters, audit=audit))

    async def _deletes_row(self, statement: str, parameters: Parameters, *, audit: Audit | None) -> bool:
        return len(await self._thread.write_row(self._deletion(statement, parameters, audit=audit))) == 1

    def _deletion(self, statement: str, parameters: Parameters, *, audit: Audit | None) -> Work[Sequence[Row]]:
        return lambda db: writes.delete(db, statement, parameters, now=self._clock(), audit=audit)

    async def _changes(self, statement: str, parameters: Parameters, *, audit: Audit | None = None) -> int:
        return await self._thread.write(self._change(statement, parameters, audit=audit))

    async def _changes_row(self, statement: str, parameters: Parameters, *, audit: Audit | None = None) -> bool:
        return await self._thread.write_row(self._change(statement, parameters, audit=audit)) == 1

    def _change(self, statement: str, parameters: Parameters, *, audit: Audit | None) -> Work[int]:
        def change(db: sqlite3.Connection) -> int:
            if audit is None:
                return db.execute(statement, parameters).rowcount
            told = writes.change_told(db, statement + statements.RETURNING, parameters, now=self._clock(), audit=audit)
            return len(told)

        return change
