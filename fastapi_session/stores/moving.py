"""What moves into a store in memory and out of it, and what it remembers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from itertools import islice
from operator import attrgetter

from fastapi_session.audit import Audit
from fastapi_session.clock import Clock
from fastapi_session.model import Notice, NoticeKind, SessionRecord
from fastapi_session.stores.base import Remembered, SeenDevice, SessionPage, TakenIn
from fastapi_session.stores.event_list import EventList
from fastapi_session.stores.pages import id_before, in_batches
from fastapi_session.stores.rows import session_record, session_row
from fastapi_session.stores.sightings import Sightings
from fastapi_session.stores.taking_in import mark_of, marked_until, taking


class Moving(Sightings):
    """The sessions of a store in memory, which may come from elsewhere, what it remembers, and what it tells of them."""

    def __init__(self, *, clock: Clock) -> None:
        super().__init__(clock=clock)
        self._notices: list[Notice] = []
        self._remembered: dict[bytes, int] = {}
        self._events = EventList()

    async def once(self, digest: bytes, *, until: int) -> bool:
        """Remember *digest* until then, and say whether it was not remembered yet."""
        with self._lock:
            return self._once(digest, until=until)

    async def is_remembered(self, digest: bytes) -> bool:
        """Say whether *digest* is remembered."""
        with self._lock:
            return digest in self._remembered

    async def delete_remembered(self, *, limit: int) -> int:
        """Forget at most *limit* digests whose moment has passed, and return how many."""
        with self._lock:
            now = self._clock()
            passed = [*islice((digest for digest, until in self._remembered.items() if until <= now), limit)]
            for digest in passed:
                del self._remembered[digest]
            return len(passed)

    async def take_in(self, records: Sequence[SessionRecord], *, audit: Audit | None = None) -> Sequence[TakenIn]:
        """Keep sessions that began elsewhere, and return what became of each."""
        for record in records:
            session_row(record)  # before anything is written: what is not JSON is refused
        with self._lock:
            return [self._take_in(record, audit) for record in records]

    async def append_notices(self, notices: Sequence[Notice]) -> None:
        """Append *notices*, each with the date that it has."""
        with self._lock:
            self._notices = sorted([*self._notices, *notices], key=attrgetter("at"))

    async def every_session(self, *, batch: int) -> AsyncIterator[Sequence[SessionRecord]]:
        """Yield all sessions, expired ones too, as they were when it began."""
        with self._lock:
            found = [*self._sessions.values()]
        for page in in_batches(found, size=batch):
            yield page

    async def session_page(self, *, after: str | None, limit: int) -> SessionPage:
        """Return at most *limit* sessions after that place, by their ids."""
        first = id_before(after)
        with self._lock:
            ids = sorted(each for each in self._sessions if each > first)[: limit + 1]
            records = [self._sessions[each] for each in ids[:limit]]
        return SessionPage(records, ids[limit - 1] if len(ids) > limit else None)

    async def every_device(self, *, batch: int) -> AsyncIterator[Sequence[SeenDevice]]:
        """Yield all devices, as they were when it began."""
        with self._lock:
            found = [SeenDevice(*user, *seen) for user, devices in self._devices.items() for seen in devices.items()]
        for page in in_batches(found, size=batch):
            yield page

    async def every_remembered(self, *, batch: int) -> AsyncIterator[Sequence[Remembered]]:
        """Yield all that is remembered, as it was when it began."""
        with self._lock:
            found = [Remembered(*each) for each in self._remembered.items()]
        for page in in_batches(found, size=batch):
            yield page

    def _once(self, digest: bytes, *, until: int) -> bool:
        is_new = digest not in self._remembered
        self._remembered.setdefault(digest, until)
        return is_new

    def _take_in(self, record: SessionRecord, audit: Audit | None) -> TakenIn:
        is_new = self._once(mark_of(record.session_id), until=marked_until(record))
        taken = taking(record, self._sessions.get(record.session_id), was_taken_in=not is_new)
        if taken.row:
            self._sessions[record.session_id] = session_record(taken.row)
        if taken.makes_stale:
            self._note(record.session_id, "session_stale")
        if taken.outcome == "kept":
            self._tell(audit, record)
        return taken.outcome

    def _tell(self, audit: Audit | None, record: SessionRecord) -> None:
        self._events.tell(audit, record, at=self._clock())

    def _note(self, subject: str, kind: NoticeKind) -> None:
        self._notices.append(Notice(subject, kind, self._clock()))
