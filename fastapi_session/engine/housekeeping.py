"""Clearing away sessions whose deadline has passed, now and then, in small batches."""

from __future__ import annotations

import logging

from fastapi_session.clock import Clock
from fastapi_session.engine.background import Background
from fastapi_session.errors import StoreUnavailable
from fastapi_session.stores.base import SessionStore

INTERVAL = 15 * 60 * 1000
"""Milliseconds between two clearings of one process."""
BATCH = 500

logger = logging.getLogger("fastapi_session")


class Housekeeping:
    """Clears away expired sessions when asked to, at most once an interval."""

    def __init__(self, store: SessionStore, *, clock: Clock, background: Background) -> None:
        self._store = store
        self._clock = clock
        self._background = background
        self._next_at = 0

    def tidy(self) -> None:
        """Begin to clear away in the background, if an interval has passed."""
        now = self._clock()
        if now >= self._next_at:
            self._next_at = now + INTERVAL
            self._background.start(self._clear())

    async def _clear(self) -> None:
        try:
            while await self._store.delete_expired(limit=BATCH) == BATCH:
                pass
        except StoreUnavailable:
            logger.warning("expired sessions could not be cleared away")
