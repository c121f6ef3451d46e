"""Deleting expired sessions, old notices and digests whose time has passed, now and then and in small batches."""

from __future__ import annotations

import logging

from fastapi_session.clock import Clock
from fastapi_session.engine.background import Background
from fastapi_session.engine.revocation.feed import RevocationFeed
from fastapi_session.errors import StoreUnavailable
from fastapi_session.stores.base import Store

INTERVAL = 15 * 60 * 1000
"""Milliseconds between two rounds of one process."""
BATCH = 500
"""Rows that one statement deletes at most, so that it holds its locks for a short time."""

logger = logging.getLogger("fastapi_session")


class Housekeeping:
    """Deletes what nobody needs any more when it is called, at most once an interval."""

    def __init__(self, store: Store, *, feed: RevocationFeed, clock: Clock, background: Background) -> None:
        self._store = store
        self._feed = feed
        self._clock = clock
        self._background = background
        self._next_at = 0

    def tidy(self) -> None:
        """Begin to delete in the background, if an interval has passed."""
        now = self._clock()
        if not self._next_at - INTERVAL <= now < self._next_at:  # the lower bound too: the clock may be set back
            self._next_at = now + INTERVAL
            self._background.start(self._delete())

    async def _delete(self) -> None:
        try:
            while await self._store.delete_expired(limit=BATCH) == BATCH:
                pass
            while await self._store.delete_notices(until=self._feed.forgettable_until, limit=BATCH) == BATCH:
                pass
            while await self._store.delete_remembered(limit=BATCH) == BATCH:
                pass
        except StoreUnavailable:
            logger.warning("expired sessions and old notices could not be cleared away")
