"""Announcing what happened: to subscribers and the log by events, and to this process's own cache of the revocation feed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from functools import partial
from typing import Any

from fastapi_session.async_functions import ensure_async
from fastapi_session.audit import Audit, InsertionAudit
from fastapi_session.clock import Clock
from fastapi_session.config.settings import AuditSetting
from fastapi_session.core.access_token import AccessToken
from fastapi_session.core.rotation import THEFT, Verdict
from fastapi_session.engine.background import Background
from fastapi_session.engine.event_details import (
    making_room,
    said_of,
    said_of_adoption,
    said_of_creation,
    said_of_elevation,
    said_of_mismatch,
    said_of_refresh,
    said_of_theft,
)
from fastapi_session.engine.revocation.feed import RevocationFeed
from fastapi_session.errors import ClaimFailure, ConfigurationError
from fastapi_session.events import (
    ClaimsRejected,
    DeviceBound,
    DeviceMismatch,
    ImpersonationEnded,
    ImpersonationStarted,
    SessionAdopted,
    SessionCreated,
    SessionElevated,
    SessionEvent,
    SessionRefreshed,
    SessionRevoked,
    Subscriber,
    TokenTheftDetected,
    details,
)
from fastapi_session.handles import split_handle
from fastapi_session.model import Actor, Circumstances, Ending, EndReason, SessionRecord, moment
from fastapi_session.randomness import Random
from fastapi_session.telemetry.counts import Counts, What

logger = logging.getLogger("fastapi_session")
audit_logger = logging.getLogger("fastapi_session.audit")


class Publisher:
    """Calls each of *subscribers*, each in a task of its own. Raises `ConfigurationError` for one that is in no list, or not async."""

    def __init__(self, subscribers: Sequence[Subscriber], *, background: Background) -> None:
        if callable(subscribers):
            raise ConfigurationError("subscribers: give a list of them, also if there is one")
        self._subscribers = tuple(subscribers)
        for each in self._subscribers:
            ensure_async(each, "subscribers", takes=("event",))
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
    what announces: at once, or when what happened has been committed. *audit* says which events the store is to write, in the
    transaction of the change: those are made before it, and announced under the same id.
    """

    def __init__(
        self,
        publish: Callable[[SessionEvent], None] | None,
        *,
        feed: RevocationFeed,
        clock: Clock,
        random: Random,
        counts: Counts,
        audit: AuditSetting = False,
        when: Callable[[Callable[[], None]], None] = at_once,
    ) -> None:
        self.audits = audit is not False
        self.audits_refreshes = audit == "all"
        self._publish = publish
        self._feed = feed
        self._clock = clock
        self._random = random
        self._counts = counts
        self._when = when

    def deferred(self, when: Callable[[Callable[[], None]], None]) -> Announcements:
        """Return a copy in which *when* calls what announces."""
        copied = copy(self)
        copied._when = when  # noqa: SLF001 - it is one of these
        return copied

    def audit_of(self, kind: type[SessionEvent], **said: Any) -> Audit | None:
        """Return what the store is to write of an event of *kind*, `None` if the deployment does not audit."""
        return Audit(self._random(16).hex(), kind.__name__, details(kind, said)) if self.audits else None

    def audit_of_insertion(
        self, kind: type[SessionEvent], record: SessionRecord, *, stopped_by: Actor | None = None, **said: Any
    ) -> InsertionAudit | None:
        """Return what the store is to write of *record*, which begins, and of those that end for it.

        Those end as superseded, or if an impersonation was *stopped_by* who acted there, as that.
        """
        began = self.audit_of(kind, **said)
        if began is None:
            return None
        reason: EndReason = "superseded" if stopped_by is None else "impersonation_ended"
        endings = Ending(reason, by=stopped_by, circumstances=record.circumstances), making_room(record)
        bodies = (details(SessionRevoked, said_of(ending)) for ending in endings)
        return InsertionAudit(began, *(replace(began, name=SessionRevoked.__name__, body=body) for body in bodies))

    def audit_of_creation(
        self,
        record: SessionRecord,
        *,
        replaced: Sequence[str],
        upgraded_from: str | None = None,
    ) -> InsertionAudit | None:
        """Return what the store is to write of a session that is created in the place of those *replaced*."""
        said = said_of_creation(record, replaced, upgraded_from)
        return self.audit_of_insertion(SessionCreated, record, **said)

    def audit_of_adoption(self, record: SessionRecord) -> Audit | None:
        """Return what the store is to write of a session that began in another system."""
        return self.audit_of(SessionAdopted, **said_of_adoption(record))

    def audit_of_impersonation(self, record: SessionRecord) -> InsertionAudit | None:
        """Return what the store is to write of a session in which a user begins to act as another one."""
        return self.audit_of_insertion(ImpersonationStarted, record, circumstances=record.circumstances)

    def audit_of_resumption(
        self, record: SessionRecord, *, stopped_by: Actor, replaced: Sequence[str]
    ) -> InsertionAudit | None:
        """Return what the store is to write of the session in which *stopped_by*, who acted as another user, goes on as himself."""
        said = said_of_creation(record, replaced, None)
        return self.audit_of_insertion(SessionCreated, record, stopped_by=stopped_by, **said)

    def audit_of_elevation(
        self, record: SessionRecord, *, previous: SessionRecord, methods: Sequence[str]
    ) -> InsertionAudit | None:
        """Return what the store is to write of a session that takes the place of *previous*."""
        said = said_of_elevation(record, previous, methods)
        return self.audit_of_insertion(SessionElevated, record, **said)

    def audit_of_binding(self, *, by: Circumstances) -> Audit | None:
        """Return what the store is to write of a session that its browser binds."""
        return self.audit_of(DeviceBound, circumstances=by)

    def audit_of_end(self, ending: Ending) -> Audit | None:
        """Return what the store is to write of each session that is ended as *ending* says."""
        return self.audit_of(SessionRevoked, **said_of(ending))

    def audit_of_refusal(self, record: SessionRecord, *, verdict: Verdict, by: Circumstances) -> Audit | None:
        """Return what the store is to write of a session that is ended because of the refresh token that was presented."""
        if verdict not in THEFT:
            return self.audit_of_end(Ending("regressed", circumstances=by))
        return self.audit_of(TokenTheftDetected, **said_of_theft(record, verdict, by))

    def audit_of_refresh(self, verdict: Verdict, *, by: Circumstances) -> Audit | None:
        """Return what the store is to write of a refresh: nothing, unless those are audited too."""
        return self.audit_of(SessionRefreshed, **said_of_refresh(verdict, by)) if self.audits_refreshes else None

    def created(
        self,
        record: SessionRecord,
        *,
        replaced: Sequence[str],
        upgraded_from: str | None = None,
        is_new_device: bool | None = None,
        audit: InsertionAudit | None = None,
    ) -> None:
        """A session was created. It superseded those whose handles are *replaced*, and took over the data of one of them."""
        self._superseded(replaced)
        if self._counts.is_on:
            self._count("created", record.kind)
        began = None if audit is None else audit.began
        self._say(
            SessionCreated,
            record,
            began,
            **said_of_creation(record, replaced, upgraded_from, is_new_device=is_new_device),
        )

    def adopted(self, record: SessionRecord, *, audit: Audit | None = None) -> None:
        """A session that began in another system goes on here."""
        if self._counts.is_on:
            self._count("adopted", record.source or "")
        self._say(SessionAdopted, record, audit, **said_of_adoption(record))

    def evicted(self, record: SessionRecord, *, by: SessionRecord, audit: InsertionAudit | None = None) -> None:
        """A session was ended to make room for that *by* which a user signed in."""
        self.revoked(record, making_room(by), audit=None if audit is None else audit.evicted)

    def elevated(
        self,
        record: SessionRecord,
        *,
        previous: SessionRecord,
        methods: Sequence[str],
        audit: InsertionAudit | None = None,
    ) -> None:
        """A session took the place of *previous*, since its user was authenticated again."""
        self._when(partial(self._feed.superseded, previous.session_id))
        began = None if audit is None else audit.began
        self._say(SessionElevated, record, began, **said_of_elevation(record, previous, methods))

    def refreshed(
        self, record: SessionRecord, *, verdict: Verdict, by: Circumstances, audit: Audit | None = None
    ) -> None:
        """A client exchanged its refresh token."""
        if self._counts.is_on:
            self._count("refreshes", verdict.value)
        self._say(SessionRefreshed, record, audit, **said_of_refresh(verdict, by))

    def revoked(self, record: SessionRecord, ending: Ending, *, audit: Audit | None = None) -> None:
        """A session was ended, as *ending* says."""
        self._ended(record.session_id)
        if self._counts.is_on:
            self._count("revocations", ending.reason)
        self._say(SessionRevoked, record, audit, **said_of(ending))
        if record.actor is not None:
            self._say(ImpersonationEnded, record, None)

    def bound(self, record: SessionRecord, *, by: Circumstances, audit: Audit | None = None) -> None:
        """A browser bound its session to a key."""
        self._say(DeviceBound, record, audit, circumstances=by)

    def mismatched(self, record: SessionRecord, *, by: Circumstances) -> None:
        """A refresh token came without the key of its session. Nothing was written, so nothing is audited."""
        if self._counts.is_on:
            self._count("refreshes", Verdict.UNPROVED.value)
        self._say(DeviceMismatch, record, None, **said_of_mismatch(record, by))

    def impersonation_started(self, record: SessionRecord, *, audit: InsertionAudit | None = None) -> None:
        """A user began to act as another one, in the session of *record*."""
        began = None if audit is None else audit.began
        self._say(ImpersonationStarted, record, began, circumstances=record.circumstances)

    def impersonation_stopped(self, record: SessionRecord, *, replaced: Sequence[str], resumed: str) -> None:
        """The actor of *record* goes on in the own session whose handle is *resumed*: it superseded those *replaced*."""
        self._superseded(replaced)
        self._say(ImpersonationEnded, record, None, resumed=resumed)

    def changed(self, record: SessionRecord) -> None:
        """The claims of a session were changed by handle. There is no event for it."""
        self._when(partial(self._feed.stale, record.session_id))

    def refused(
        self, record: SessionRecord, *, verdict: Verdict, by: Circumstances, audit: Audit | None = None
    ) -> None:
        """A session was ended because of the refresh token that was presented."""
        if self._counts.is_on:
            self._count("refreshes", verdict.value)
            if verdict in THEFT:
                self._count("thefts", verdict.value)
        if verdict not in THEFT:
            self.revoked(record, Ending("regressed", circumstances=by), audit=audit)
            return
        self._ended(record.session_id)
        self._say(TokenTheftDetected, record, audit, **said_of_theft(record, verdict, by))

    def rejected(self, token: AccessToken, failures: Sequence[ClaimFailure]) -> None:
        """A session did not satisfy the validators of a route."""
        self._say(ClaimsRejected, token, None, failures=tuple(failures))

    def _superseded(self, handles: Sequence[str]) -> None:
        for handle in handles:
            self._when(partial(self._feed.superseded, split_handle(handle)[0]))

    def _count(self, what: What, of: str) -> None:
        self._when(partial(self._counts.add, what, of))

    def _ended(self, session_id: str) -> None:
        self._when(partial(self._feed.revoked, session_id))

    def _say(
        self, kind: type[SessionEvent], session: SessionRecord | AccessToken, audit: Audit | None, **said: Any
    ) -> None:
        level = logging.WARNING if kind in (TokenTheftDetected, DeviceMismatch) else logging.INFO
        # Most applications have no subscriber and no such log, and should not pay for events.
        if self._publish is None and not audit_logger.isEnabledFor(level):
            return
        event_id = self._random(16).hex() if audit is None else audit.event_id(session.session_id)
        event = self._event(kind, session, event_id, said)
        self._when(partial(self._tell, event, level))

    def _event(
        self, kind: type[SessionEvent], session: SessionRecord | AccessToken, event_id: str, said: Mapping[str, Any]
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
            event_id=event_id,
            **said,
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
