"""The revocation feed in Redis: a sorted set for each shard and one for the signing keys, read page by page."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from operator import attrgetter
from typing import Any

from fastapi_session.clock import Clock
from fastapi_session.model import LATEST, FeedReading, Notice
from fastapi_session.stores.readable import Readable
from fastapi_session.stores.redis import feed_scripts
from fastapi_session.stores.redis.calls import Calls, as_text
from fastapi_session.stores.redis.fields import field, notice_rows_of
from fastapi_session.stores.redis.keys import Keyspace
from fastapi_session.stores.redis.script import Script

NOTICES_PAGE = 1_000
"""How many notices one script reads at most: it holds up all that others ask of the server."""


class RedisNotices:
    """Keeps the revocation feed by *calls*, under *keys*. The server's clock dates notices, unless *clock* is given."""

    def __init__(self, calls: Calls, *, clock: Clock | None, keys: Keyspace) -> None:
        self._calls = calls
        self._clock = clock
        self._keys = keys
        self._readable = Readable("Redis")

    async def notices(self, *, after: int, until: int = LATEST) -> FeedReading:
        """Return what was appended to the feed later than *after* and until *until*, oldest first, and the earliest clock of its shards."""
        readings = await asyncio.gather(*(self._notices_in(feed, after, until) for feed in self._keys.feeds))
        notices = [notice for reading in readings for notice in reading.notices]
        return FeedReading(tuple(sorted(notices, key=attrgetter("at"))), min(reading.now for reading in readings))

    async def delete_notices(self, *, until: int, limit: int) -> int:
        """Delete at most *limit* notices of *until* or before, and answer how many."""
        total = 0
        for feed in self._keys.feeds:
            [deleted] = await self._run(feed_scripts.DELETE_NOTICES, [feed], field(until), field(limit - total))
            total += deleted
        return total

    async def _run(self, script: Script, keys: Sequence[str], *arguments: str) -> Sequence[Any]:
        now = "" if self._clock is None else field(self._clock())
        return await self._calls.run(script, keys=keys, arguments=[now, *arguments])

    async def _notices_in(self, feed: str, after: int, until: int) -> FeedReading:
        """Read a feed page by page, and return it with the clock of before."""
        notices, clocks, begins, passed, count = list[Notice](), list[int](), f"({after}", field(0), NOTICES_PAGE
        while count == NOTICES_PAGE:
            page = [begins, field(until), passed, field(NOTICES_PAGE)]
            now, appended, count, *ends = await self._run(feed_scripts.NOTICES, [feed], *page)
            begins, passed = map(as_text, ends)
            clocks.append(int(as_text(now)))
            notices += self._readable.notices(notice_rows_of(as_text(appended)) if count else [])
        return FeedReading(tuple(notices), clocks[0])
