"""What happened, told to whom it concerns: events to subscribers, and what this process revoked to its feed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from fastapi_session.clock import Clock
from fastapi_session.core.access_token import AccessToken
from fastapi_session.core.rotation import THEFT, Verdict
from fastapi_session.engine.background import Background
from fastapi_session.engine.revocation.feed import RevocationFeed
from fastapi_session.errors import ClaimFailure
from fastapi_session.events import (
    ClaimsRejected,
    SessionCreated,
    SessionEvent,
    SessionRefreshed,
    SessionRevoked,
    Subscriber,
    TokenTheftDetected,
)
from fastapi_session.model import Circumstances, SessionRecord, moment, split_handle

logger = logging.getLogger("fastapi_session")


class Publisher:
    """Tells each of *subscribers*, each in a task of its own."""

    def __init__(self, subscribers: Sequence[Subscriber], *, background: Background) -> None:
        self._subscribers = tuple(subscribers)
        self._background = background

    def tell(self, event: SessionEvent) -> None:
        """Begin to tell *event*."""
        for subscriber in self._subscribers:
            self._background.start(_told(subscriber, event))


def at_once(tell: Callable[[], None]) -> None:
    """Tell of what cannot be undone any more."""
    tell()


class Announcements:
    """Says what happened to a session, in one line for each thing that can happen.

    If *tell* is none nobody subscribed, and no event is made. *when* calls what is to be told of: at once, or when that cannot
    be undone any more.
    """

    def __init__(
        self,
        tell: Callable[[SessionEvent], None] | None,
        *,
        feed: RevocationFeed,
        clock: Clock,
        when: Callable[[Callable[[], None]], None] = at_once,
    ) -> None:
        self._tell = tell
        self._feed = feed
        self._clock = clock
        self._when = when

    def told(self, when: Callable[[Callable[[], None]], None]) -> Announcements:
        """Return these, but that all is told *when* it is certain."""
        return Announcements(self._tell, feed=self._feed, clock=self._clock, when=when)

    def created(self, record: SessionRecord, *, replaced: Sequence[str]) -> None:
        """Somebody signed in, in the place of the sessions whose handles are *replaced*."""
        for handle in replaced:
            self._when(partial(self._feed.superseded, split_handle(handle)[0]))
        self._say(SessionCreated, record, circumstances=record.circumstances, replaced=tuple(replaced))

    def refreshed(self, record: SessionRecord, *, verdict: Verdict, by: Circumstances) -> None:
        """A client exchanged its refresh token."""
        is_rotated = verdict in (Verdict.ROTATED, Verdict.RECOVERED)
        self._say(SessionRefreshed, record, circumstances=by, is_rotated=is_rotated)

    def revoked(self, record: SessionRecord) -> None:
        """A session was ended."""
        self._ended(record.session_id)
        self._say(SessionRevoked, record)

    def changed(self, record: SessionRecord) -> None:
        """The claims of a session were changed by its handle. No event tells of it."""
        self._when(partial(self._feed.stale, record.session_id))

    def refused(self, record: SessionRecord, *, verdict: Verdict, by: Circumstances) -> None:
        """A session was ended because of the refresh token that was presented."""
        if verdict not in THEFT:
            self.revoked(record)
            return
        self._ended(record.session_id)
        self._say(TokenTheftDetected, record, reason=verdict.value, presented_by=by, last_seen=record.circumstances)

    def rejected(self, token: AccessToken, failures: Sequence[ClaimFailure]) -> None:
        """A session did not satisfy the claims asked for."""
        self._say(ClaimsRejected, token, failures=tuple(failures))

    def _ended(self, session_id: str) -> None:
        self._when(partial(self._feed.revoked, session_id))

    def _say(self, kind: type[SessionEvent], session: SessionRecord | AccessToken, **more: Any) -> None:
        if self._tell is None:
            return
        handle = session.handle if isinstance(session, SessionRecord) else session.session_handle
        at = moment(self._clock())
        event = kind(handle=handle, user_id=session.user_id, tenant_id=session.tenant_id, at=at, **more)
        self._when(partial(self._tell, event))


async def _told(subscriber: Subscriber, event: SessionEvent) -> None:
    try:
        await subscriber(event)
    except Exception:
        logger.exception("a subscriber failed at %s", type(event).__name__)
