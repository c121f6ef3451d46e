"""The revocation feed: what was revoked lately, by whichever process, known here without asking for each request.

| what happened | who hears of it when |
|---|---|
| this process revoked | at once |
| another process did | with the next reading, an interval later at most |
| a transaction stayed open longer than `OVERLAP` after it revoked | with the next reading of the whole feed |

An engine that was opened reads in a task of its own, and verifying waits for nothing. One that was not (an application
without its lifespan) reads when it verifies and an interval has passed.

While the store cannot be read, what is known stays in force and verifying goes on; how old it is, `age` tells.
With a *max_age* verifying fails closed instead, once that has passed.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

from fastapi_session.clock import Clock
from fastapi_session.engine.background import Background, SingleFlight
from fastapi_session.engine.endings import Endings
from fastapi_session.errors import StoreUnavailable
from fastapi_session.model import LATEST, FeedReading, Notice, NoticeKind
from fastapi_session.stores.base import NoticeStore

OVERLAP = 15_000
"""Milliseconds that are read again each time, because a notice is dated before its transaction commits."""
SLACK = 300_000
"""Milliseconds that a notice is kept longer than a token may live: so far the clocks of nodes may be apart."""
WHOLE_EVERY = 300_000
"""Milliseconds between two readings of the whole feed."""
PIECES = 20
"""In how many questions the whole feed is read, so that none takes long, however many were revoked."""

ENDED: Mapping[NoticeKind, int] = {"session_revoked": 1, "session_superseded": 2}
"""The notices after which a session is over, and which of them counts: a client may have the tokens of a successor."""

logger = logging.getLogger("fastapi_session")


class RevocationFeed:
    """What one process has heard of, for as long as an access token of before may live (*kept_for*, in milliseconds)."""

    def __init__(
        self,
        store: NoticeStore,
        *,
        clock: Clock,
        background: Background,
        endings: Endings,
        key_deleted: Callable[[str], None],
        interval: int,
        max_age: int | None,
        kept_for: Callable[[], int],
    ) -> None:
        self._store = store
        self._clock = clock
        self._endings = endings
        self._key_deleted = key_deleted
        self._interval = interval
        self._max_age = max_age
        self._kept_for = kept_for
        self._known: dict[str, Notice] = {}
        self.about = self._known.get  # no function of ours: each request asks
        """Answers the notice about a session, by its id, if there is one."""
        self._reading = SingleFlight(self._read, background=background)
        self._following: asyncio.Task[None] | None = None
        self._read_at: int | None = None
        self._store_now = 0
        self._whole_at = -math.inf
        self._failing = False
        self.trusted_until: float = -math.inf  # from when on `catch_up` has to be waited for, who relies on the feed

    def __len__(self) -> int:
        """Answer how many sessions have a notice here."""
        return len(self._known)

    @property
    def age(self) -> int | None:
        """How many milliseconds ago the store was read, `None` where it never was."""
        return None if self._read_at is None else max(self._clock() - self._read_at, 0)

    @property
    def fails_closed(self) -> bool:
        """Whether verifying is refused where the store cannot be asked for too long."""
        return self._max_age is not None

    @property
    def forgettable_until(self) -> int:
        """Up to which moment of the store's clock notices concern no access token any more."""
        return self._store_now - self._kept_for() - SLACK

    @contextmanager
    def ending(self, session_id: str) -> Iterator[asyncio.Future[None]]:
        """Give a future that is done when the session is revoked: at once where that is known already."""
        with self._endings.expected(session_id) as ended:
            notice = self.about(session_id)
            if notice is not None and notice.kind in ENDED:
                ended.set_result(None)
            yield ended

    def revoked(self, session_id: str) -> None:
        """Know at once that this process revoked the session."""
        self._hear(Notice(session_id, "session_revoked", self._clock()))

    def superseded(self, session_id: str) -> None:
        """Know at once that this process put another session in the place of this one."""
        self._hear(Notice(session_id, "session_superseded", self._clock()))

    def stale(self, session_id: str) -> None:
        """Know at once that this process changed the claims of the session."""
        if (known := self._known.get(session_id)) is None or known.kind == "session_stale":
            # Dated by the store's clock as far as it is known, so that its own notice of this, or a later one, is newer.
            self._known[session_id] = Notice(session_id, "session_stale", self._store_now)

    async def open(self) -> None:
        """Read the feed, and go on to read it on this event loop. Raises `StoreUnavailable`."""
        await self._reading()
        task = self._following
        if task is None or task.done() or task.get_loop() is not asyncio.get_running_loop():
            # Not in the background, which may be waited for: this has no end.
            self._following = asyncio.get_running_loop().create_task(self._follow())
        self._rely()

    async def close(self) -> None:
        """Follow no more on this event loop."""
        task = self._following
        if task is not None and task.get_loop() is asyncio.get_running_loop():
            self._following = None
            task.cancel()
            await asyncio.wait([task])

    async def catch_up(self) -> None:
        """Read the feed for who verifies now. Raises `StoreUnavailable` where it is too old and cannot be read."""
        try:
            await self._reading()
        except StoreUnavailable:
            if self._max_age is not None and (self.age is None or self.age >= self._max_age):
                raise
            self.trusted_until = self._clock() + self._interval

    async def _follow(self) -> None:
        try:
            while True:
                await asyncio.sleep(self._interval / 1000)
                with suppress(StoreUnavailable):
                    await self._reading()
        finally:
            self.trusted_until = -math.inf  # from here on, who verifies has to read

    async def _read(self) -> None:
        began = self._clock()
        whole = began >= self._whole_at + WHOLE_EVERY
        try:
            store_now = await (self._hear_all() if whole else self._hear_latest())
        except StoreUnavailable:
            if not self._failing:
                logger.warning("the revocation feed cannot be read, going on with what is known")
            self._failing = True
            raise
        self._failing = False
        self._read_at, self._store_now = began, store_now
        if whole:
            self._whole_at = began
            self._forget()
        self._rely()

    async def _hear_latest(self) -> int:
        """Read what is new, and answer the store's clock."""
        return self._hear_each(await self._store.notices(after=self._store_now - OVERLAP))

    async def _hear_all(self) -> int:
        """Read the whole feed piece by piece, and answer the store's clock as it was at the beginning."""
        now = (await self._store.notices(after=LATEST)).now
        kept = self._kept_for() + SLACK
        for piece in range(PIECES, 0, -1):
            until = LATEST if piece == 1 else now - kept * (piece - 1) // PIECES
            self._hear_each(await self._store.notices(after=now - kept * piece // PIECES, until=until))
        return now

    def _hear_each(self, reading: FeedReading) -> int:
        for notice in reading.notices:
            self._hear(notice)
        return reading.now

    def _rely(self) -> None:
        followed = self._following is not None and not self._following.done()
        within = self._max_age if followed else self._interval
        self.trusted_until = math.inf if within is None or self._read_at is None else self._read_at + within

    def _hear(self, notice: Notice) -> None:
        if notice.kind == "key_deleted":
            self._key_deleted(notice.subject)
            return
        known = self._known.get(notice.subject)
        if known is not None and (_weight(known), known.at) >= (_weight(notice), notice.at):
            return
        self._known[notice.subject] = notice
        if notice.kind in ENDED:
            self._endings.announce(notice.subject)

    def _forget(self) -> None:
        until = self.forgettable_until
        for subject, notice in list(self._known.items()):
            if notice.at <= until:
                del self._known[subject]


def _weight(notice: Notice) -> int:
    """Answer which notice counts: what has ended does not change any more."""
    return ENDED.get(notice.kind, 0)
