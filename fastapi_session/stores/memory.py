"""Sessions in dictionaries, for tests and first steps: they end with the process and are seen by no other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

from fastapi_session.audit import Audit, EventQuery, EventReading, InsertionAudit
from fastapi_session.clock import Clock, system_clock
from fastapi_session.errors import StoreUnavailable
from fastapi_session.insertion import HAS_MOVED, REFUSED, Insertion, Limit
from fastapi_session.model import (
    LATEST,
    FeedReading,
    Json,
    Lineage,
    Predecessor,
    Reading,
    Rotation,
    SessionRecord,
    SigningKeyRecord,
    external_digests,
)
from fastapi_session.stores.limits import Living, making_room
from fastapi_session.stores.moving import Moving
from fastapi_session.stores.rotating import rotated
from fastapi_session.stores.rows import (
    compared_row,
    key_record,
    key_row,
    session_record,
    session_row,
)


class MemoryStore(Moving):
    """Keeps sessions and signing keys in this process, and ends with it: for development and tests.

    Thread-safe, from any number of event loops. *clock* returns milliseconds since the epoch.
    What goes in comes out as from any other store: payloads go through JSON and back, and what is not JSON is refused with ValueError or TypeError.
    """

    keeps_limits = True

    def __init__(self, *, clock: Clock = system_clock) -> None:
        super().__init__(clock=clock)
        self._keys: dict[str, SigningKeyRecord] = {}

    async def open(self) -> None:
        """Do nothing: there is nothing to connect to."""

    async def close(self) -> None:
        """Do nothing: what is kept stays as long as the store itself."""

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
        # Through JSON, as in any other store: what the caller changes afterwards is not changed here.
        copy = session_record(session_row(record))
        earlier = [*replacing, *([] if succeeding is None else [succeeding.session_id])]
        with self._lock:
            if copy.session_id in self._sessions:
                raise StoreUnavailable("the session id exists already")
            if succeeding is not None and not self._is_there(succeeding):
                return HAS_MOVED
            ending = [] if limit is None else self._making_room(copy, limit, replacing=earlier)
            if ending is None:
                return REFUSED
            for superseded in earlier:
                replaced = self._sessions.pop(superseded, None)
                self._note(superseded, "session_superseded")
                if replaced is not None and audit is not None:
                    self._tell(audit.superseded, replaced)
            evicted = tuple(self._sessions[session_id] for session_id in ending)
            for session_id in ending:
                self._delete(session_id, None if audit is None else audit.evicted)
            self._sessions[copy.session_id] = copy
            self._tell(None if audit is None else audit.began, copy)
            return Insertion("kept", evicted)

    async def rotate(self, rotation: Rotation, *, audit: Audit | None = None) -> SessionRecord | None:
        """Hand the session on to the next refresh token, or return `None` if *rotation* does not apply."""
        with self._lock:
            record = self._sessions.get(rotation.session_id)
            if record is None:
                return None
            lineage = rotated(record.lineage, rotation, bound_key=record.bound_key, now=self._clock())
            if lineage is None:
                return None
            self._tell(audit, record)
            return self._keep(replace(record, lineage=lineage, circumstances=rotation.circumstances))

    async def get(self, session_id: str) -> Reading:
        """Return the record, expired or not, together with the store's clock."""
        with self._lock:
            return Reading(self._sessions.get(session_id), self._clock())

    async def replace(
        self, session_id: str, *, expected: Lineage, lineage: Lineage, audit: Audit | None = None
    ) -> bool:
        """Write *lineage* if the session still has what compare-and-set compares of *expected*."""
        with self._lock:
            record = self._sessions.get(session_id)
            if record is None or not _unmoved(record.lineage, expected):
                return False
            self._keep(replace(record, lineage=lineage))
            self._tell(audit, record)
            return True

    async def delete(self, session_id: str, *, expected: Lineage | None = None, audit: Audit | None = None) -> bool:
        """Delete the session, with *expected* only if `replace` would write, and say whether it was deleted."""
        with self._lock:
            record = self._sessions.get(session_id)
            if record is None or not (expected is None or _unmoved(record.lineage, expected)):
                return False
            return self._delete(session_id, audit)

    async def acknowledge(self, session_id: str, *, current: bytes, issue_id: bytes | None) -> None:
        """Note that the refresh token whose hash is *current* has been used, as it was handed out as *issue_id*."""
        with self._lock:
            record = self._sessions.get(session_id)
            if record is None or record.lineage.current != current or record.lineage.acknowledged:
                return
            lineage = replace(record.lineage, acknowledged=True, used=issue_id, used_at=self._clock())
            self._keep(replace(record, lineage=lineage))

    async def bind(self, session_id: str, bound_key: str, *, audit: Audit | None = None) -> bool:
        """Set *bound_key*, if the session has none and has not expired, and say whether it was set."""
        with self._lock:
            record = self._sessions.get(session_id)
            if record is None or record.bound_key is not None or record.lineage.expired(self._clock()):
                return False
            self._keep(replace(record, bound_key=bound_key))
            self._tell(audit, record)
            return True

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
        with self._lock:
            record = self._sessions.get(session_id)
            if record is None or record.version != version:
                return False
            changed = replace(
                record,
                version=version + 1,
                access_token_payload=access_token_payload,
                session_data=session_data,
                label=label,
            )
            self._keep(session_record(session_row(changed)))
            if marks_stale:
                self._note(session_id, "session_stale")
            return True

    async def sessions_of(self, user_id: str, *, tenant_id: str | None = None) -> Sequence[SessionRecord]:
        """Return the user's sessions that have not expired, oldest first."""
        with self._lock:
            now = self._clock()
            living = (record for record in self._of(user_id, tenant_id) if not record.lineage.expired(now))
            return sorted(living, key=lambda record: (record.created_at, record.session_id))

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
        with self._lock:
            records = [*islice((each for each in self._of(user_id, tenant_id) if each.session_id != keep), limit)]
            for record in records:
                self._delete(record.session_id, audit)
            return records

    async def delete_external(
        self, digest: bytes, *, limit: int, audit: Audit | None = None
    ) -> Sequence[SessionRecord]:
        """Delete at most *limit* of the sessions that have *digest*, expired ones too, and return them: fewer only if no more are left."""
        with self._lock:
            found = (record for record in self._sessions.values() if digest in external_digests(record))
            records = [*islice(found, limit)]
            for record in records:
                self._delete(record.session_id, audit)
            return records

    async def delete_expired(self, *, limit: int, audit: Audit | None = None) -> int:
        """Delete at most *limit* sessions whose deadline has passed, and return how many."""
        with self._lock:
            now = self._clock()
            expired = [record.session_id for record in self._sessions.values() if record.lineage.expired(now)]
            for session_id in expired[:limit]:
                self._tell(audit, self._sessions.pop(session_id))
            return len(expired[:limit])

    async def insert_key(self, record: SigningKeyRecord) -> bool:
        """Keep *record* unless its kid, or its family and sequence, exist already. Say whether it was kept."""
        with self._lock:
            places = {(key.family, key.sequence) for key in self._keys.values()}
            if record.kid in self._keys or (record.family, record.sequence) in places:
                return False
            self._keys[record.kid] = key_record(key_row(record))
            return True

    async def signing_keys(self) -> Sequence[SigningKeyRecord]:
        """Return every key, by family and sequence."""
        with self._lock:
            return sorted(self._keys.values(), key=lambda key: (key.family, key.sequence))

    async def replace_key(self, record: SigningKeyRecord, *, expected_secret_kid: int) -> bool:
        """Write *record* over the key of its kid, if that one is encrypted under *expected_secret_kid*."""
        with self._lock:
            key = self._keys.get(record.kid)
            if key is None or key.secret_kid != expected_secret_kid:
                return False
            self._keys[record.kid] = key_record(key_row(record))
            return True

    async def delete_key(self, kid: str) -> bool:
        """Delete the key, and say whether it was there."""
        with self._lock:
            if self._keys.pop(kid, None) is None:
                return False
            self._note(kid, "key_deleted")
            return True

    async def notices(self, *, after: int, until: int = LATEST) -> FeedReading:
        """Return what was appended to the feed later than *after* and until *until*, oldest first, and the clock."""
        with self._lock:
            found = (notice for notice in self._notices if after < notice.at <= until)
            return FeedReading(tuple(found), self._clock())

    async def delete_notices(self, *, until: int, limit: int) -> int:
        """Delete at most *limit* notices of *until* or before, and return how many."""
        with self._lock:
            old = {place for place, notice in enumerate(self._notices) if notice.at <= until}
            deleted = set(sorted(old)[:limit])
            self._notices = [notice for place, notice in enumerate(self._notices) if place not in deleted]
            return len(deleted)

    def _is_there(self, predecessor: Predecessor) -> bool:
        record = self._sessions.get(predecessor.session_id)
        return record is not None and record.version == predecessor.version

    async def events(self, query: EventQuery) -> EventReading:
        """Return the events that *query* asks for, in the order in which they were written, or newest first."""
        with self._lock:
            return self._events.read(query)

    async def delete_events(self, *, until: int, limit: int) -> int:
        """Delete at most *limit* events of *until* or before, and return how many."""
        with self._lock:
            return self._events.delete(until=until, limit=limit)

    def _making_room(self, record: SessionRecord, limit: Limit, *, replacing: Sequence[str]) -> list[str] | None:
        now = self._clock()
        of_user = self._of(record.user_id, record.tenant_id)
        living = (Living.of(each) for each in of_user if not each.lineage.expired(now))
        return making_room(living, limit, replacing=replacing)

    def _delete(self, session_id: str, audit: Audit | None) -> bool:
        record = self._sessions.pop(session_id, None)
        if record is None:
            return False
        self._note(session_id, "session_revoked")
        self._tell(audit, record)
        return True

    def _keep(self, record: SessionRecord) -> SessionRecord:
        self._sessions[record.session_id] = record
        return record

    def _of(self, user_id: str, tenant_id: str | None) -> Iterator[SessionRecord]:
        return (
            record
            for record in self._sessions.values()
            if record.user_id == user_id and tenant_id in (None, record.tenant_id)
        )


def _unmoved(lineage: Lineage, expected: Lineage) -> bool:
    return compared_row(lineage) == compared_row(expected)
