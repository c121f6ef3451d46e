"""Announcing what happened: to subscribers and the log by events, and to this process's own cache of the revocation feed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from fastapi_session.clock import Clock
from fastapi_session.core.access_token import AccessToken
from fastapi_session.core.endings import attributed
from fastapi_session.core.rotation import THEFT, Verdict
from fastapi_session.engine.background import Background
from fastapi_session.engine.revocation.feed import RevocationFeed
from fastapi_session.errors import ClaimFailure
from fastapi_session.events import (
    ClaimsRejected,
    ImpersonationEnded,
    ImpersonationStarted,
    SessionCreated,
    SessionElevated,
    SessionEvent,
    SessionRefreshed,
    SessionRevoked,
    Subscriber,
    TokenTheftDetected,
)
from fastapi_session.model import Circumstances, Ending, SessionRecord, moment, split_handle
from fastapi_session.randomness import Random

logger = logging.getLogger("fastapi_session")
audit_logger = logging.getLogger("fastapi_session.audit")


class Publisher:
    """Calls each of *subscribers*, each in a task of its own."""

    def __init__(self, subscribers: Sequence[Subscriber], *, background: Background) -> None:
        self._subscribers = tuple(subscribers)
        self._background = background

    def publish(self, event: SessionEvent) -> None:
        """Begin to call the subscribers with *event*. Waits for none of them."""
        for subscriber in self._subscribers:
            self._background.start(_call(subscriber, event))


def at_once(announce: Callable[[], None]) -> None:
    """Announce now what has been committed."""
    announce()


class Announcements:
    """Announces what happened to a session: one method for each thing that can happen.

    *publish* is called with events; if it is `None` nobody subscribed, and unless they are logged no event is made. *when* calls
    what announces: at once, or when what happened has been committed.
    """

    def __init__(
        self,
        publish: Callable[[SessionEvent], None] | None,
        *,
        feed: RevocationFeed,
        clock: Clock,
        random: Random,
        when: Callable[[Callable[[], None]], None] = at_once,
    ) -> None:
        self._publish = publish
        self._feed = feed
        self._clock = clock
        self._random = random
        self._when = when

    def deferred(self, when: Callable[[Callable[[], None]], None]) -> Announcements:
        """Return a copy in which *when* calls what announces."""
        return Announcements(self._publish, feed=self._feed, clock=self._clock, random=self._random, when=when)

    def created(self, record: SessionRecord, *, replaced: Sequence[str], upgraded_from: str | None = None) -> None:
        """A session was created. It superseded those whose handles are *replaced*, and took over the data of one of them."""
        self._superseded(replaced)
        more = {"replaced": tuple(replaced), "upgraded_from": upgraded_from}
        self._say(SessionCreated, record, circumstances=record.circumstances, **more)

    def elevated(self, record: SessionRecord, *, previous: SessionRecord, methods: Sequence[str]) -> None:
        """A session took the place of *previous*, since its user was authenticated again."""
        self._when(partial(self._feed.superseded, previous.session_id))
        self._say(SessionElevated, record, previous_handle=previous.handle, methods=tuple(methods), acr=record.acr)

    def refreshed(self, record: SessionRecord, *, verdict: Verdict, by: Circumstances) -> None:
        """A client exchanged its refresh token."""
        is_rotated = verdict in (Verdict.ROTATED, Verdict.RECOVERED)
        self._say(SessionRefreshed, record, circumstances=by, is_rotated=is_rotated)

    def revoked(self, record: SessionRecord, ending: Ending) -> None:
        """A session was ended, as *ending* says."""
        self._ended(record.session_id)
        why = attributed(ending, record)
        self._say(SessionRevoked, record, reason=why.reason, by=why.by, circumstances=why.circumstances)
        if record.actor is not None:
            self._say(ImpersonationEnded, record)

    def impersonation_started(self, record: SessionRecord) -> None:
        """A user began to act as another one, in the session of *record*."""
        self._say(ImpersonationStarted, record, circumstances=record.circumstances)

    def impersonation_stopped(
        self, session: SessionRecord | AccessToken, *, replaced: Sequence[str], resumed: str
    ) -> None:
        """Who acted in *session* goes on as himself in that whose handle is *resumed*: it superseded those *replaced*."""
        self._superseded(replaced)
        self._say(ImpersonationEnded, session, resumed=resumed)

    def changed(self, record: SessionRecord) -> None:
        """The claims of a session were changed by handle. There is no event for it."""
        self._when(partial(self._feed.stale, record.session_id))

    def refused(self, record: SessionRecord, *, verdict: Verdict, by: Circumstances) -> None:
        """A session was ended because of the refresh token that was presented."""
        if verdict not in THEFT:
            self.revoked(record, Ending("regressed", circumstances=by))
            return
        self._ended(record.session_id)
        self._say(TokenTheftDetected, record, reason=verdict.value, presented_by=by, last_seen=record.circumstances)

    def rejected(self, token: AccessToken, failures: Sequence[ClaimFailure]) -> None:
        """A session did not satisfy the validators of a route."""
        self._say(ClaimsRejected, token, failures=tuple(failures))

    def _superseded(self, handles: Sequence[str]) -> None:
        for handle in handles:
            self._when(partial(self._feed.superseded, split_handle(handle)[0]))

    def _ended(self, session_id: str) -> None:
        self._when(partial(self._feed.revoked, session_id))

    def _say(self, kind: type[SessionEvent], session: SessionRecord | AccessToken, **more: Any) -> None:
        level = logging.WARNING if kind is TokenTheftDetected else logging.INFO
        # Most applications have no subscriber and no such log, and should not pay for events.
        if self._publish is None and not audit_logger.isEnabledFor(level):
            return
        event = self._event(kind, session, more)
        self._when(partial(self._tell, event, level))

    def _event(
        self, kind: type[SessionEvent], session: SessionRecord | AccessToken, more: Mapping[str, Any]
    ) -> SessionEvent:
        handle, kept_as, actor = (
            (session.handle, session.kind, session.acted_by)
            if isinstance(session, SessionRecord)
            else (session.session_handle, None, session.actor)
        )
        return kind(
            handle=handle,
            user_id=session.user_id,
            tenant_id=session.tenant_id,
            at=moment(self._clock()),
            kind=kept_as,
            actor=actor,
            event_id=self._random(16).hex(),
            **more,
        )

    def _tell(self, event: SessionEvent, level: int) -> None:
        if audit_logger.isEnabledFor(level):
            # The message is of our own words and the handle alone: what a client sent is in `extra`, where no line ends.
            audit_logger.log(level, "%s: session %s", type(event).__name__, event.handle, extra=event.to_json())
        if self._publish is not None:
            self._publish(event)


async def _call(subscriber: Subscriber, event: SessionEvent) -> None:
    try:
        await subscriber(event)
    except Exception:  # whatever it raises: a subscriber changes nothing, so it fails nothing either
        logger.exception("a subscriber failed at %s", type(event).__name__)
