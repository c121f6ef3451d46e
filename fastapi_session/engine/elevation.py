"""Elevating a session: its user was authenticated again, so a session with that fact and new secrets takes its place.

Whoever holds tokens of the session before, as a thief may, does not get the elevation. What that session had goes along: no change
of its claims or data is lost, whoever makes it meanwhile.

| another writer changes the session | then |
|---|---|
| before it is read | the change is copied |
| in this process, while it is elevated | it waits for the session's lock, and finds that the session was superseded |
| in another process, while it is elevated | nothing is written, since the version of the record has moved: it is read again |
| after that | it finds that the session was superseded |
"""

from __future__ import annotations

from dataclasses import replace

from fastapi_session.clock import Clock
from fastapi_session.core import access_token
from fastapi_session.core.access_token import AccessToken
from fastapi_session.core.authentication import Authentication, ensure_no_level
from fastapi_session.core.payload import ensure_type
from fastapi_session.engine.announcements import Announcements
from fastapi_session.engine.keys.keyring import Keyring
from fastapi_session.engine.live_records import live_record
from fastapi_session.engine.record_changes import ATTEMPTS, SessionLocks
from fastapi_session.engine.tokens.issuing import IssuedSession, Mint
from fastapi_session.engine.tokens.new_sessions import NewSessions
from fastapi_session.errors import ImpersonationError, StoreUnavailable
from fastapi_session.model import Predecessor, SessionRecord
from fastapi_session.stores.base import JoinedStore, SessionStore


class Elevation:
    """Elevates the sessions in *store*, which is *joined* if it writes in a transaction of the user's.

    *acr_order* are the assurance levels, the lowest first; *locks* are those of whoever else changes a session.
    """

    def __init__(  # noqa: PLR0913 - all but one are named, and each is a part of the engine
        self,
        store: SessionStore,
        *,
        joined: JoinedStore | None,
        new_sessions: NewSessions,
        mint: Mint,
        keyring: Keyring,
        locks: SessionLocks,
        announcements: Announcements,
        acr_order: tuple[str, ...],
        clock: Clock,
    ) -> None:
        self._store = store
        self._joined = joined
        self._new_sessions = new_sessions
        self._mint = mint
        self._keyring = keyring
        self._locks = locks
        self._announcements = announcements
        self._acr_order = acr_order
        self._clock = clock

    async def elevate(self, token: AccessToken, by: Authentication) -> IssuedSession | None:
        """Replace the session of the verified *token* by one that also has the facts of *by*; `None` if it has ended.

        Raises `ImpersonationError`, `PayloadError` if its token would be too long (nothing is written then)
        or if a method is a level; `ConfigurationError` if *by* is no `Authentication`, `StoreUnavailable`.
        """
        ensure_type(by, "authentication", Authentication, example='Authentication(("otp",))')
        ensure_no_level(by.methods, self._acr_order)
        key = await self._keyring.signing_key(through=self._joined)  # before the lock, since it may have to be read
        async with self._locks.of(token.session_handle):
            for _ in range(ATTEMPTS):
                record = await live_record(self._store, token.session_handle)
                if record is None:
                    return None
                if record.actor is not None:
                    raise ImpersonationError("an impersonated session cannot be elevated", handle=record.handle)
                refresh_token = self._new_sessions.refresh_token()
                now = self._clock()
                copy = self._new_sessions.copied_record(refresh_token, record, now=now, restarts=True)
                elevated = self._with_facts(copy, by, now=now)
                by_token = token.anti_csrf_token is not None
                issued = self._mint.issue(elevated, refresh_token, key=key, anti_csrf=by_token)
                predecessor = Predecessor(record.session_id, record.version)
                audit = self._announcements.audit_of_elevation(elevated, previous=record, methods=by.methods)
                insertion = await self._store.insert(elevated, succeeding=predecessor, audit=audit)
                if insertion.is_kept:
                    self._announcements.elevated(elevated, previous=record, methods=by.methods, audit=audit)
                    return issued
        raise StoreUnavailable("the session kept changing while it was elevated")

    def _with_facts(self, record: SessionRecord, by: Authentication, *, now: int) -> SessionRecord:
        # Names that become ours are dropped from the application's claims, as at sign-in.
        custom = access_token.custom_claims(record.access_token_payload, is_authenticated=True)
        factors = {**record.factors, **by.factors(now)}
        return replace(record, access_token_payload=custom, factors=factors, acr=self._higher(record.acr, by.acr))

    def _higher(self, before: str | None, given: str | None) -> str | None:
        """Return the level that holds: the one *given*, unless the session had a higher one *before*."""
        order = self._acr_order
        if given is None or (before in order and given in order and order.index(before) > order.index(given)):
            return before
        return given
