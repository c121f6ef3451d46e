"""The verbs about the events of the audit, as scripts: they are in as many places as there are shards."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from fastapi_session.audit import EventQuery, EventReading
from fastapi_session.stores.redis import event_scripts
from fastapi_session.stores.redis.asking import Asking
from fastapi_session.stores.redis.events import Told, ids_of, merged
from fastapi_session.stores.redis.fields import event_row_of, field
from fastapi_session.stores.redis.keys import Shard
from fastapi_session.stores.redis.pipelines import as_text

EVENTS_PAGE = 500
"""How many events one script reads at most."""


class EventVerbs(Asking):
    """Reads the events of the audit, and clears them."""

    async def events(self, query: EventQuery) -> EventReading:
        """Return the events that *query* asks for, of all shards by when they were written, or newest first."""
        ids = ids_of(query.after, shards=len(self._keys.shards))
        places = zip(self._keys.shards, ids, strict=True)
        readings = await asyncio.gather(*(self._events_in(shard, query, after=each) for shard, each in places))
        told, place = merged(readings, query, ids)
        return EventReading(self._readable.events(each.row for each in told), place)

    async def delete_events(self, *, until: int, limit: int) -> int:
        """Delete at most *limit* events of *until* or before, and return how many."""
        total = 0
        for shard in self._keys.shards:
            if total < limit:
                wanted = field(limit - total)
                [deleted] = await self._run(event_scripts.DELETE_EVENTS, shard.events, field(until), wanted)
                total += deleted
        return total

    async def _events_in(self, shard: Shard, query: EventQuery, *, after: str) -> Sequence[Told]:
        """Return the events of a shard that *query* asks for and that are *after* this one, as many as it asks for if there are."""
        told: list[Told] = []
        user, tenant = ("" if each is None else field(each) for each in (query.user_id, query.tenant_id))
        read = wanted = min(query.limit, EVENTS_PAGE)
        while read == wanted and len(told) < query.limit:
            page = [user, tenant, after, field(query.newest_first), field(wanted)]
            rows, ids, read, last = await self._run(event_scripts.EVENTS, shard.events, *page)
            after = as_text(last)
            told += [Told(as_text(each), event_row_of(as_text(row))) for each, row in zip(ids, rows, strict=True)]
        return told[: query.limit]
