"""Deleting what nobody needs any more, now and then and in small batches: expired sessions, old notices, digests and events."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from fastapi_session.audit import Audit
from fastapi_session.clock import Clock
from fastapi_session.engine.background import Background
from fastapi_session.engine.revocation.feed import RevocationFeed
from fastapi_session.errors import StoreUnavailable
from fastapi_session.stores.base import EventStore, Store

INTERVAL = 15 * 60 * 1000
"""Milliseconds between two rounds of one process."""
BATCH = 500
"""Rows that one statement deletes at most, so that it holds its locks for a short time."""

logger = logging.getLogger("fastapi_session")


@dataclass(frozen=True, slots=True)
class Audited:
    """What housekeeping does for the audit: it writes what *expired* returns, and keeps events in *store* for this long (milliseconds)."""

    store: EventStore
    expired: Callable[[], Audit | None]
    kept_for: int


class Housekeeping:
    """Deletes what nobody needs any more when it is called, at most once an interval."""

    def __init__(
        self,
        store: Store,
        *,
        feed: RevocationFeed,
        clock: Clock,
        background: Background,
        audited: Audited | None = None,
    ) -> None:
        self._store = store
        self._audited = audited
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
            while await self._store.delete_expired(limit=BATCH, audit=self._audit_of_expired()) == BATCH:
                pass
            while await self._store.delete_notices(until=self._feed.forgettable_until, limit=BATCH) == BATCH:
                pass
            while await self._store.delete_remembered(limit=BATCH) == BATCH:
                pass
            while await self._store.delete_devices(limit=BATCH) == BATCH:
                pass
            await self._delete_events()
        except StoreUnavailable:
            logger.warning("expired sessions and old notices could not be cleared away")

    def _audit_of_expired(self) -> Audit | None:
        return None if self._audited is None else self._audited.expired()

    async def _delete_events(self) -> None:
        if self._audited is not None:
            until = self._clock() - self._audited.kept_for
            while await self._audited.store.delete_events(until=until, limit=BATCH) == BATCH:
                pass
