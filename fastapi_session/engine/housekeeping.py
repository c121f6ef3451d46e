"""Deleting what nobody needs any more, now and then and in small batches: expired sessions, old notices, digests and events."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal, NamedTuple, Protocol

from fastapi_session.audit import Audit
from fastapi_session.clock import Clock
from fastapi_session.engine.background import Background
from fastapi_session.engine.revocation.feed import RevocationFeed
from fastapi_session.errors import StoreUnavailable
from fastapi_session.model import DEVICE_KEPT
from fastapi_session.stores.base import EventStore, Store
from fastapi_session.stores.facts import ExaminableStore, Overdue

INTERVAL = 15 * 60 * 1000
"""Milliseconds between two rounds of one process."""
BATCH = 500
"""Rows that one statement deletes at most, so that it holds its locks for a short time."""

logger = logging.getLogger("fastapi_session")

Clearable = Literal["sessions", "notices", "digests", "devices", "events"]
"""What is cleared away: expired sessions, old notices, digests and devices that were long enough remembered, old events."""


class Cleared(NamedTuple):
    """How many of *what* were deleted by one statement."""

    what: Clearable
    number: int


class _Delete(Protocol):
    def __call__(self, *, limit: int) -> Awaitable[int]: ...


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

    async def clear(self) -> AsyncIterator[Cleared]:
        """Delete all that nobody needs any more, and yield what each statement has deleted. Raises `StoreUnavailable`.

        Notices are old by the feed: nothing is deleted of it before that was read.
        """
        store = self._store
        deletes: dict[Clearable, _Delete] = {
            "sessions": self._delete_expired,
            "notices": partial(store.delete_notices, until=self._feed.forgettable_until),
            "digests": store.delete_remembered,
            "devices": store.delete_devices,
            "events": self._delete_events,
        }
        for what, delete in deletes.items():
            deleted = BATCH
            while deleted == BATCH:
                deleted = await delete(limit=BATCH)
                yield Cleared(what, deleted)

    async def overdue(self) -> Overdue | None:
        """Count what `clear` would delete, each up to `MOST_COUNTED`; `None` if the store cannot say. Raises `StoreUnavailable`."""
        store, audited, now = self._store, self._audited, self._clock()
        if not isinstance(store, ExaminableStore):
            return None
        return await store.overdue(
            sessions=now,
            notices=self._feed.forgettable_until,
            events=0 if audited is None else now - audited.kept_for,
            digests=now,
            devices=now - DEVICE_KEPT,
        )

    async def _delete(self) -> None:
        try:
            async for _ in self.clear():
                pass
        except StoreUnavailable:
            logger.warning("expired sessions and old notices could not be cleared away")

    async def _delete_expired(self, *, limit: int) -> int:
        audit = None if self._audited is None else self._audited.expired()
        return await self._store.delete_expired(limit=limit, audit=audit)

    async def _delete_events(self, *, limit: int) -> int:
        if self._audited is None:
            return 0
        return await self._audited.store.delete_events(until=self._clock() - self._audited.kept_for, limit=limit)
