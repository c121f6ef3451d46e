"""When each session was last used, noted in memory and written together: one statement a minute and process.

| a verified access token | |
|---|---|
| of a session that was noted within the resolution | nothing happens |
| of any other | it is noted, and written with all others at the end of the minute |
| of any other, and 10,000 are noted already | it is left out, and noted by a later use |
| of sessions that could not be written | they are noted anew when they are used again |
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable

from fastapi_session.clock import Clock
from fastapi_session.config import SessionConfig
from fastapi_session.core.access_token import AccessToken
from fastapi_session.engine.from_config import milliseconds
from fastapi_session.engine.periodic_work import PeriodicWork
from fastapi_session.errors import StoreUnavailable
from fastapi_session.handles import split_handle
from fastapi_session.stores.base import SightingStore

Used = Callable[[AccessToken], None]
"""What is done with each access token that was verified."""

INTERVAL = 60.0
"""Seconds between two writings of one process."""
LARGEST = 10_000
"""Sessions that are written together at most."""
REMEMBERED = 50_000
"""Sessions of which a process knows when it noted them. One that was dropped is noted once more, and nothing else."""

logger = logging.getLogger("fastapi_session")


def configured_last_seen(config: SessionConfig, store: SightingStore) -> LastSeen | None:
    """Return what *config* asks for, `None` if it wants nothing of this."""
    if config.last_seen_resolution is None:
        return None
    idle_timeout = milliseconds(config.idle_timeout) if config.idle_by_activity else None
    return LastSeen(store, resolution=milliseconds(config.last_seen_resolution), idle_timeout=idle_timeout)


class LastSeen:
    """Notes sessions that are in use, once in *resolution* (milliseconds). *idle_timeout* moves their idle deadlines too."""

    def __init__(self, store: SightingStore, *, resolution: int, idle_timeout: int | None) -> None:
        self._store = store
        self._resolution = resolution
        self._idle_timeout = idle_timeout
        self._noted: OrderedDict[str, int] = OrderedDict()
        self._waiting: dict[str, None] = {}
        self._work = PeriodicWork(self.write, interval=INTERVAL)

    def noting(self, used: Used, *, clock: Clock) -> Used:
        """Return what does as *used* does with a verified access token, and notes its session."""

        def note(token: AccessToken) -> None:
            used(token)
            self.note(split_handle(token.session_handle)[0], clock())

        return note

    def note(self, session_id: str, now: int) -> None:
        """Note that the session is in use *now* (milliseconds)."""
        # The lower bound too: the clock may be set back.
        if 0 <= now - self._noted.get(session_id, -self._resolution) < self._resolution:
            return
        if len(self._waiting) >= LARGEST:
            return
        self._noted[session_id] = now
        self._noted.move_to_end(session_id)
        if len(self._noted) > REMEMBERED:
            self._noted.popitem(last=False)
        self._waiting[session_id] = None
        self._work.begin(self)

    async def write(self) -> None:
        """Write what was noted since the last time, in one statement."""
        session_ids, self._waiting = [*self._waiting], {}
        if not session_ids:
            return
        try:
            await self._store.touch(session_ids, idle_timeout=self._idle_timeout)
        except StoreUnavailable:
            for session_id in session_ids:
                self._noted.pop(session_id, None)
            logger.warning("it could not be written when %d sessions were last used", len(session_ids))

    async def close(self) -> None:
        """Write what is left, and write no more on this event loop until something is noted again."""
        self._work.end(self)
        await self.write()
