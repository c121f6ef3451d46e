"""Impersonation: a user, the actor, acts as another one, and comes back to the actor's own session.

| session | begins | ends |
|---|---|---|
| the actor's own | before, and waits meanwhile | by itself; or superseded, when the actor stops |
| the impersonation, as the other user | when the actor starts | when the actor stops, at its deadline, or with the actor's own |
| the actor's new one | when the actor stops | as the actor's own would have: it is a copy, deadlines included |

The client has the tokens of one of them at a time. Whoever holds those of the impersonation can stop it, and so has the actor's
session: they are worth as much as the actor's own.

| the actor's own session is found to have ended | by |
|---|---|
| a request that verifies, a socket, a stream | the revocation feed, since the access token names that session |
| a refresh | the store, after the rotation: then the impersonation is revoked too |
| a verb by handle, or by user | the store |
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial

from fastapi_session.clock import Clock
from fastapi_session.config.lifetimes import Lifetime
from fastapi_session.core.access_token import AccessToken
from fastapi_session.core.binding.bound_keys import carried_key
from fastapi_session.core.impersonation import checked_lifetime, checked_reason
from fastapi_session.core.payload import json_object
from fastapi_session.core.refresh_token import RefreshToken
from fastapi_session.engine.announcements import Announcements
from fastapi_session.engine.claim_checks import FirstPayload
from fastapi_session.engine.keys.keyring import Keyring
from fastapi_session.engine.live_records import kept_record
from fastapi_session.engine.record_changes import RecordChanges
from fastapi_session.engine.revocation.ended_sessions import EndedSessions
from fastapi_session.engine.tokens.issuing import IssuedSession, Mint
from fastapi_session.engine.tokens.new_sessions import NewSessions
from fastapi_session.errors import ImpersonationError
from fastapi_session.handles import split_handle
from fastapi_session.model import IMPERSONATION_KIND, Ending, Json, SessionRecord
from fastapi_session.stores.base import JoinedStore, SessionStore


class Impersonation:
    """Begins and ends impersonations in *store*, which is *joined* if it writes in a transaction of the user's."""

    def __init__(  # noqa: PLR0913 - all but one are named, and each is a part of the engine
        self,
        store: SessionStore,
        *,
        joined: JoinedStore | None,
        new_sessions: NewSessions,
        mint: Mint,
        keyring: Keyring,
        record_changes: RecordChanges,
        ended_sessions: EndedSessions,
        announcements: Announcements,
        clock: Clock,
    ) -> None:
        self._store = store
        self._joined = joined
        self._new_sessions = new_sessions
        self._mint = mint
        self._keyring = keyring
        self._record_changes = record_changes
        self._ended_sessions = ended_sessions
        self._announcements = announcements
        self._clock = clock

    async def begin(
        self,
        token: AccessToken,
        user_id: str,
        *,
        reason: str,
        lifetime: timedelta,
        tenant_id: str | None,
        access_token_payload: Json | None,
        session_data: Json | None,
        first_payload: FirstPayload,
    ) -> IssuedSession:
        """Begin a session in which the user of the verified *token* acts as *user_id*; *first_payload* fetches claims into its payload.

        Raises as `Sessions.impersonate`.
        """
        actor = await self._actor_of(token, user_id=user_id)
        tenant_id = actor.tenant_id if tenant_id is None else tenant_id
        first = self._new_sessions.refresh_token()
        record = self._new_sessions.record(
            first,
            user_id=user_id,
            recipe_user_id=None,
            tenant_id=tenant_id,
            payload=await first_payload(access_token_payload, user_id, tenant_id),
            session_data=json_object(session_data, "session_data"),
            circumstances=actor.circumstances,
            lifetime=Lifetime(IMPERSONATION_KIND, remember=False, absolute=checked_lifetime(lifetime)),
            authentication=None,  # nobody has proved to be that user
            label=None,
            external=None,
            now=self._clock(),
            bound_key=carried_key(actor.bound_key),
        )
        by_token = token.anti_csrf_token is not None
        return await self._begin(record, first, actor=actor, reason=reason, by_token=by_token)

    async def _actor_of(self, token: AccessToken, *, user_id: str) -> SessionRecord:
        """Return the session of the verified *token*, if nothing here forbids its user to act as *user_id*.

        Raises `ImpersonationError`; `UnauthorisedError` or `TryRefreshTokenError` if it has ended; `StoreUnavailable`.
        """
        if token.actor is not None:
            raise ImpersonationError("who acts as another user already cannot act as a third: stop first")
        if token.is_guest:
            raise ImpersonationError("a guest can act as nobody")
        if token.user_id == user_id:
            raise ImpersonationError("nobody can act as himself")
        record = await kept_record(self._store, token.session_handle)
        if record is None:
            raise await self._ended_sessions.refusal_of_access_token(token.session_id)
        return record

    async def _begin(
        self, record: SessionRecord, first: RefreshToken, *, actor: SessionRecord, reason: str, by_token: bool
    ) -> IssuedSession:
        """Begin the session of *record*, in which the user of *actor* acts; it ends with that one at the latest.

        Raises `PayloadError` for a *reason* that says nothing, and as `Mint.issue`; `StoreUnavailable`.
        """
        lineage = record.lineage
        deadlines = (lineage.absolute_expires_at, actor.lineage.idle_expires_at, actor.lineage.absolute_expires_at)
        ends_at = min(each for each in deadlines if each is not None)
        begun = replace(
            record,
            lineage=replace(
                lineage, idle_expires_at=min(lineage.idle_expires_at, ends_at), absolute_expires_at=ends_at
            ),
            actor=actor.user_id,
            actor_session=actor.handle,
            impersonation_reason=checked_reason(reason),
        )
        key = await self._keyring.signing_key(through=self._joined)
        issued = self._mint.issue(begun, first, key=key, anti_csrf=by_token)  # before the write: it may be too long
        # Should the actor's session have ended since it was read, this one is refused from the beginning.
        audit = self._announcements.audit_of_impersonation(begun)
        await self._store.insert(begun, audit=audit)
        self._announcements.impersonation_started(begun, audit=audit)
        return issued

    async def stop(self, token: AccessToken) -> IssuedSession | None:
        """Replace the actor's own session and that of the verified *token* by a copy of the actor's own.

        `None` if either has ended. Raises `ImpersonationError` if nobody acts in this session, `StoreUnavailable`.
        """
        if token.actor is None or token.actor.handle is None:
            raise ImpersonationError("nobody acts as another user in this session")
        key = await self._keyring.signing_key(through=self._joined)  # before the lock, since it may have to be read
        # From the store, as at a refresh: what is given for this token is worth a session of the actor's.
        acted = await kept_record(self._store, token.session_handle)
        if acted is None:
            return None
        first, by_token = self._new_sessions.refresh_token(), token.anti_csrf_token is not None

        def resumed(waiting: SessionRecord) -> tuple[SessionRecord, tuple[SessionRecord, IssuedSession]]:
            record = self._new_sessions.copied_record(first, waiting, now=self._clock(), restarts=False)
            return record, (record, self._mint.issue(record, first, key=key, anti_csrf=by_token))

        replaced = (token.actor.handle, token.session_handle)
        audit = partial(self._announcements.audit_of_resumption, stopped_by=token.actor, replaced=replaced)
        begun = await self._record_changes.take_over(
            token.actor.handle, resumed, replacing=[token.session_id], audit=audit
        )
        if begun is None:
            return None
        record, issued = begun
        self._announcements.impersonation_stopped(acted, replaced=replaced, resumed=record.handle)
        return issued

    async def ensure_actor(self, record: SessionRecord) -> None:
        """Revoke the impersonation of *record*, and raise the error for its refresh, if the actor's own session has ended.

        Raises `UnauthorisedError`, `SessionSupersededError` and `StoreUnavailable`.
        """
        assert record.actor_session is not None
        if await kept_record(self._store, record.actor_session) is not None:
            return
        ending = Ending("impersonation_ended")
        audit = self._announcements.audit_of_end(ending)
        if await self._store.delete(record.session_id, audit=audit):
            self._announcements.revoked(record, ending, audit=audit)
        reason = "refresh token: the session of who acts as the user has ended"
        session_id = split_handle(record.actor_session)[0]
        raise (await self._ended_sessions.refusal_of_refresh_token(session_id, reason=reason)).about(record.handle)
