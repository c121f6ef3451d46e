"""The verbs about the revocation feed, as scripts: it is in as many places as there are shards."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from operator import attrgetter

from fastapi_session.model import LATEST, FeedReading, Notice
from fastapi_session.stores.pages import in_batches
from fastapi_session.stores.redis import feed_scripts
from fastapi_session.stores.redis.asking import Asking
from fastapi_session.stores.redis.fields import field, notice_member, notice_rows_of
from fastapi_session.stores.redis.pipelines import as_text

NOTICES_PAGE = 1_000
"""How many notices one script reads at most."""


class NoticeVerbs(Asking):
    """Reads the revocation feed, and clears it."""

    async def notices(self, *, after: int, until: int = LATEST) -> FeedReading:
        """Return what was appended to the feed later than *after* and until *until*, oldest first, and the earliest clock of its shards."""
        readings = await asyncio.gather(*(self._notices_in(feed, after, until) for feed in self._keys.feeds))
        notices = [notice for reading in readings for notice in reading.notices]
        return FeedReading(tuple(sorted(notices, key=attrgetter("at"))), min(reading.now for reading in readings))

    async def append_notices(self, notices: Sequence[Notice]) -> None:
        """Append *notices*, each with the date that it has, to the feed of the shard of its session, or to that of the keys."""
        for feed in self._keys.feeds:
            members = [text for notice in notices if self._feed_of(notice) == feed for text in notice_member(notice)]
            for group in in_batches(members, size=2 * NOTICES_PAGE):
                await self._run(feed_scripts.APPEND_NOTICES, [feed], *group)

    def _feed_of(self, notice: Notice) -> str:
        return self._keys.feeds[-1] if notice.kind == "key_deleted" else self._keys.shard_of(notice.subject).feed

    async def delete_notices(self, *, until: int, limit: int) -> int:
        """Delete at most *limit* notices of *until* or before, and return how many."""
        total = 0
        for feed in self._keys.feeds:
            [deleted] = await self._run(feed_scripts.DELETE_NOTICES, [feed], field(until), field(limit - total))
            total += deleted
        return total

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
