"""The newest events of the audit, and those that follow.

They are read newest first, so that a long audit need not be read from its beginning. A transaction may write an event and commit later,
behind others that are newer: so what is younger than `OVERLAP` is read again now and then, and known by its id.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from fastapi_session.events import AuditEvent
from fastapi_session.handles import own_handle
from fastapi_session.sessions import Sessions

OVERLAP = timedelta(seconds=90)
"""A store whose transactions commit in another order than they write waits a minute for them."""
WHOLE_EVERY = 30
"""After how many readings all of the overlap is read again."""
_PAGE = 100
_BEGINNING = datetime(1970, 1, 2, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events: of a user, of a session by its handle; since a moment, or else the last *limit*."""

    user_id: str | None = None
    handle: str | None = None
    since: datetime | None = None
    limit: int = _PAGE

    def has(self, event: AuditEvent) -> bool:
        """Say whether *event* is one of them, whenever it was."""
        return self.handle is None or event.handle == own_handle(self.handle)


class EventTail:
    """The events of *sessions* that are *wanted*, each once and in order, however often it is asked."""

    def __init__(self, sessions: Sessions, wanted: Wanted) -> None:
        self._sessions = sessions
        self._wanted = wanted
        self._known: dict[str, datetime] = {}
        self._newest = _BEGINNING
        self._readings = 0

    async def first(self) -> list[AuditEvent]:
        """Return those that were there before. Raises `PayloadError`, `ConfigurationError` and `StoreUnavailable`."""
        found: list[AuditEvent] = []
        wanted = self._wanted
        async for page in self._pages():
            for event in page:
                self._note(event)
                is_wanted = len(found) < wanted.limit if wanted.since is None else event.at >= wanted.since
                if is_wanted and wanted.has(event):
                    found.append(event)
                elif not is_wanted and event.at < self._newest - OVERLAP:
                    return found[::-1]
        return found[::-1]

    async def following(self) -> list[AuditEvent]:
        """Return those that have come since. Raises as `first`."""
        found: list[AuditEvent] = []
        self._readings += 1
        is_whole, floor = self._readings % WHOLE_EVERY == 0, self._newest - OVERLAP
        async for page in self._pages():
            new = [event for event in page if event.at >= floor and event.event_id not in self._known]
            for event in new:
                self._note(event)
            found += filter(self._wanted.has, new)
            if page[-1].at < floor or not (new or is_whole):
                break
        self._known = {known: at for known, at in self._known.items() if at >= self._newest - OVERLAP}
        return found[::-1]

    def _note(self, event: AuditEvent) -> None:
        self._newest = max(self._newest, event.at)
        if event.at >= self._newest - OVERLAP:
            self._known[event.event_id] = event.at

    async def _pages(self) -> AsyncIterator[tuple[AuditEvent, ...]]:
        """Yield the pages that have events, newest first."""
        after = None
        while True:
            page = await self._sessions.events(
                user_id=self._wanted.user_id, after=after, newest_first=True, limit=_PAGE
            )
            if not page.events:
                return
            yield page.events
            after = page.after
