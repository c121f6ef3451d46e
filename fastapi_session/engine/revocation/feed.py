"""The revocation feed: a cache of what any process revoked lately, so that no request has to ask the store.

| what happened | when it is known here |
|---|---|
| this process revoked | at once |
| another process did | with the next reading, an interval later at most |
| a transaction stayed open longer than `OVERLAP` after it revoked | with the next reading of the whole feed |

| engine | who reads the feed |
|---|---|
| it was opened, or something waits for the end of a session | a task of its own, once an interval: the feed is *followed* |
| neither (an application without its lifespan) | a request that verifies, if the last reading is an interval old |

A request relies on the feed for an interval after the last attempt to read, and for `PATIENCE` more while the feed is followed:
from `trusted_from` until `trusted_until`. The attempt counts from its beginning if it succeeded, from its end if it failed.
If the clock shows a time before that, it was set back, and the feed is not trusted. If it shows a later time, this process was
paused, or nobody verified. Then a request waits for a reading:

| the last attempt to read | a request that verifies waits |
|---|---|
| is less than an interval old, or `PATIENCE` more while the feed is followed | for nothing |
| is older, by `PATIENCE` at most | `PATIENCE` for a reading |
| is older than that | `LONG_PATIENCE` for a reading: after a pause a store is slow, and connections have died |
| is older, and none has succeeded yet | for a reading, however long it takes |

A reading that fails at once after a pause, or in which this process was paused, is tried again: `ATTEMPTS` times in all.
Then the request goes on with what is known, also if no attempt succeeded. If *max_age* is configured, and the last reading that
succeeded is as old as that, the request is refused with `StoreUnavailable` instead.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from fastapi_session.clock import Clock
from fastapi_session.engine.background import Background, SingleFlight
from fastapi_session.engine.event_loop import ensure_asyncio, letting_others_run
from fastapi_session.engine.periodic_work import PeriodicWork
from fastapi_session.engine.revocation.known_notices import ENDED, KnownNotices
from fastapi_session.engine.revocation.session_listeners import SessionListeners, Wake
from fastapi_session.errors import StoreUnavailable
from fastapi_session.model import LATEST, Notice
from fastapi_session.stores.base import NoticeStore

PATIENCE = 1_000
"""Milliseconds that a reading may take. A request that has waited that long goes on without it."""
LONG_PATIENCE = 5_000
"""Milliseconds that a reading may take after a pause. A request that goes on without it knows of nothing that happened in the pause."""
ATTEMPTS = 3
"""How many readings a request waits for, if this process was paused in the middle of one, or one failed at once after a pause."""
OVERLAP = 15_000
"""Milliseconds that are read again each time, because a notice is dated before its transaction commits."""
SLACK = 300_000
"""Milliseconds that a notice is kept longer than a token may live: the clocks of two nodes may differ by as much."""
WHOLE_EVERY = 300_000
"""Milliseconds between two readings of the whole feed."""
PIECES = 20
"""In how many pieces the whole feed is read. So none takes long, however many sessions were revoked."""

logger = logging.getLogger("fastapi_session")


class RevocationFeed:
    """A cache of the store's notices, each kept as long as an access token issued before it may live (*kept_for*, in milliseconds).

    *interval* and *max_age* are milliseconds of *clock*. Whoever relies on the feed waits for `catch_up` before `trusted_from`
    and from `trusted_until` on, moments of the same clock.
    """

    def __init__(
        self,
        store: NoticeStore,
        *,
        clock: Clock,
        background: Background,
        listeners: SessionListeners,
        key_deleted: Callable[[str], None],
        interval: int,
        max_age: int | None,
        kept_for: Callable[[], int],
    ) -> None:
        self._store = store
        self._clock = clock
        self._listeners = listeners
        self._key_deleted = key_deleted
        self._interval = interval
        self._max_age = max_age
        self._kept_for = kept_for
        self._known = KnownNotices()
        self.about = self._known.about  # bound once: each request asks, and enters no function of ours by it
        self._reading = SingleFlight(self._read, background=background)
        self.read_again = self._reading.run_again  # a reading that began before the call may lack what happened since
        self._following = PeriodicWork(self._attempt, interval=interval / 1000)
        self._read_at: int | None = None
        self._whole_at: int | None = None
        self._store_now = 0
        self._failing = False
        self._tried_at: float = -math.inf
        self.trusted_from: float = math.inf
        self.trusted_until: float = -math.inf

    def __len__(self) -> int:
        """Return how many sessions have a notice here."""
        return len(self._known)

    @property
    def age(self) -> int | None:
        """How many milliseconds ago the store was read, `None` if it never was."""
        return None if self._read_at is None else max(self._clock() - self._read_at, 0)

    @property
    def fails_closed(self) -> bool:
        """Whether verifying is refused if the store cannot be asked for too long."""
        return self._max_age is not None

    @property
    def forgettable_until(self) -> int:
        """Notices up to this moment concern no token any more. By whichever clock is behind: the store's may jump ahead."""
        return min(self._store_now, self._clock()) - self._kept_for() - SLACK

    @contextmanager
    def listening(self, session_id: str, wake: Wake) -> Iterator[None]:
        """Call *wake* on this event loop whenever there is something new about the session. Meanwhile the feed is followed."""
        wish = object()  # one for each caller, so that the feed is followed until the last has left
        self._following.begin(wish)
        try:
            with self._listeners.listening(session_id, wake):
                yield
        finally:
            self._following.end(wish)

    @contextmanager
    def ending(self, session_id: str) -> Iterator[asyncio.Future[None]]:
        """Give a future that is done when the session has ended: at once if that is known already."""
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def look() -> None:
            notice = self.about(session_id)
            if notice is not None and notice.kind in ENDED and not ended.done():
                ended.set_result(None)

        with self.listening(session_id, look):
            look()  # once it is listened to, so that nothing is missed in between
            yield ended

    def revoked(self, session_id: str) -> None:
        """Know at once that this process revoked the session."""
        self._add_own(Notice(session_id, "session_revoked", self._clock()))

    def superseded(self, session_id: str) -> None:
        """Know at once that this process put another session in the place of this one."""
        self._add_own(Notice(session_id, "session_superseded", self._clock()))

    def stale(self, session_id: str) -> None:
        """Know at once that this process changed the claims of the session."""
        self._add_own(Notice(session_id, "session_stale", self._store_now))

    async def open(self) -> None:
        """Read the feed, and go on to read it on this event loop. Raises `StoreUnavailable`."""
        await self._reading()
        self._following.begin(self)
        self._trust(self._tried_at)

    async def close(self) -> None:
        """Follow no more on this event loop, unless somebody there waits for the end of a session."""
        task = self._following.end(self)
        if task is not None:
            await asyncio.wait([task])
        self._trust(self._tried_at)

    async def catch_up(self) -> None:
        """Wait until what is known may be relied on. Raises `StoreUnavailable` if it is too old and cannot be read."""
        for _ in range(ATTEMPTS):
            if self._was_tried(within=self._interval):
                break
            await self._attempt()
            if self.trusted_from <= self._clock() < self.trusted_until:
                return
        else:
            self._trust(self._clock())
        if self._is_too_old():
            raise StoreUnavailable("the revocation feed cannot be read, and is older than revocation_feed_max_age")

    def _was_tried(self, *, within: int) -> bool:
        return 0 <= self._clock() - self._tried_at < within

    async def _attempt(self) -> None:
        """Wait for a reading, and rely on what is known then, also if it failed: unless the failure came from a pause, not from the store."""
        ensure_asyncio()
        began, is_late = self._clock(), not self._was_tried(within=self._interval + PATIENCE)
        patience = LONG_PATIENCE if is_late else PATIENCE
        try:
            async with asyncio.timeout(None if self._read_at is None else patience / 1000):
                await self._reading()
        except (StoreUnavailable, TimeoutError) as error:
            took = self._clock() - began
            was_paused = not 0 <= took < 2 * patience
            failed_at_once = isinstance(error, StoreUnavailable) and took < PATIENCE
            if self._read_at is None or not (was_paused or (is_late and failed_at_once)):
                self._trust(self._clock())

    async def _read(self) -> None:
        """Read what is new, and every `WHOLE_EVERY` the whole feed. At first, nothing counts as read before all of it is."""
        began = self._clock()
        try:
            await self._read_latest()
            if self._whole_at is None or not 0 <= began - self._whole_at < WHOLE_EVERY:
                await self._read_whole()
                self._whole_at = began
                self._known.forget(self.forgettable_until)
        except StoreUnavailable:
            if not self._failing:
                logger.warning("the revocation feed cannot be read, going on with what is known")
            self._failing = True
            raise
        self._failing = False
        if self._read_at is None:
            self._note_reading(began)

    async def _read_latest(self) -> None:
        """Read what was appended since the last reading, and note the store's clock."""
        began, before = self._clock(), self._store_now
        reading = await self._store.notices(after=LATEST if self._whole_at is None else before - OVERLAP)
        if reading.now < before:  # the store's clock was set back: what was appended since has an earlier date
            reading = await self._store.notices(after=reading.now - OVERLAP)
        await self._take_in(reading.notices)
        self._store_now = reading.now
        if self._read_at is not None:
            self._note_reading(began)

    async def _read_whole(self) -> None:
        """Read the whole feed piece by piece, and in between what is new, whenever that is due."""
        now, kept = self._store_now, self._store_now - self.forgettable_until
        due = self._clock() + self._interval
        for piece in range(PIECES, 0, -1):
            until = LATEST if piece == 1 else now - kept * (piece - 1) // PIECES
            await self._take_in((await self._store.notices(after=now - kept * piece // PIECES, until=until)).notices)
            if self._clock() >= due and self._read_at is not None:
                await self._read_latest()
                due = self._clock() + self._interval

    async def _take_in(self, notices: tuple[Notice, ...]) -> None:
        async for notice in letting_others_run(notices):
            if notice.kind == "key_deleted":
                self._key_deleted(notice.subject)
            elif self._known.add_read(notice):
                self._listeners.wake(notice.subject)

    def _add_own(self, notice: Notice) -> None:
        if self._known.add_own(notice):
            self._listeners.wake(notice.subject)

    def _note_reading(self, began: int) -> None:
        self._read_at = began
        self._trust(began)

    def _trust(self, tried_at: float) -> None:
        """Let what is known be relied on, after the attempt of *tried_at*, for as long as the table says."""
        self._tried_at = self.trusted_from = tried_at
        # While it is followed the next reading begins by itself, and may take its time before a request has to wait for it.
        self.trusted_until = tried_at + self._interval + (PATIENCE if self._following else 0)
        if self._max_age is not None:
            read_at = -math.inf if self._read_at is None else self._read_at
            self.trusted_until = min(self.trusted_until, read_at + self._max_age)

    def _is_too_old(self) -> bool:
        age = math.inf if self._read_at is None else self._clock() - self._read_at
        return self._max_age is not None and not 0 <= age < self._max_age
