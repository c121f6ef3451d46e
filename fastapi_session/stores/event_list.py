"""The events of the audit in a list: what `MemoryStore` keeps of them."""

from __future__ import annotations

from itertools import count, islice

from fastapi_session.audit import Audit, EventQuery, EventReading, EventRecord
from fastapi_session.model import SessionRecord
from fastapi_session.stores.rows import event_of, event_rows, session_row, whose


class EventList:
    """Events, each with its place, which only grows. Whoever has the list sees to it that one at a time uses it."""

    def __init__(self) -> None:
        self._events: list[tuple[int, EventRecord]] = []
        self._places = count(1)

    def tell(self, audit: Audit | None, record: SessionRecord, *, at: int) -> None:
        """Keep the event of *audit*, if there is one, about the session of *record*."""
        if audit is not None:
            [row] = event_rows(audit, [whose(session_row(record))], at=at)
            self._events.append((next(self._places), event_of(row)))

    def read(self, query: EventQuery) -> EventReading:
        """Return the events that *query* asks for. Raises ValueError if it goes on after what is no place."""
        after = query.number
        found = (
            (place, event)
            for place, event in (reversed(self._events) if query.newest_first else self._events)
            if (after is None or (place < after if query.newest_first else place > after))
            and query.user_id in (None, event.user_id)
            and query.tenant_id in (None, event.tenant_id)
        )
        page = [*islice(found, query.limit)]
        return EventReading(tuple(event for _, event in page), str(page[-1][0]) if page else query.after)

    def delete(self, *, until: int, limit: int) -> int:
        """Delete at most *limit* events of *until* or before, and return how many."""
        old = {*islice((place for place, event in self._events if event.at <= until), limit)}
        self._events = [each for each in self._events if each[0] not in old]
        return len(old)
