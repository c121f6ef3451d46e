"""The verbs about the events of the audit, as statements."""

from __future__ import annotations

from functools import partial

from sqlalchemy import Connection

from fastapi_session.audit import EventQuery, EventReading
from fastapi_session.stores.sql import results
from fastapi_session.stores.sql.asking import Asking
from fastapi_session.stores.sql.events import DELETE_EVENTS, LOCK_EVENTS, settled


class EventVerbs(Asking):
    """Reads the events of the audit, and clears them."""

    async def events(self, query: EventQuery) -> EventReading:
        """Return the events that *query* asks for, in the order of their places, those of the last minute only newest first."""
        rows = await self._read(self._events.page(query), self._now(), partial(settled, query=query))
        return EventReading(self._readable.events(row[:-1] for row in rows), str(rows[-1][-1]) if rows else query.after)

    async def delete_events(self, *, until: int, limit: int) -> int:
        """Delete at most *limit* events of *until* or before, and return how many. Rows that another transaction holds are skipped."""

        def work(connection: Connection) -> int:
            places = results.ids(connection.execute(LOCK_EVENTS, {"until": until, "limit": limit}))
            return results.at_most(len(places), connection.execute(DELETE_EVENTS, {"places": places}))

        return await self._connections.run(work)
