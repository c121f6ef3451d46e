"""All verbs of sessions: create, verify and refresh them; by handle or by user, know, change and end them.

It knows no web framework: it takes tokens as text and returns values, so it serves an endpoint, a background job and a command
line alike. Each verb hands on to the part of `engine/` that does the work. Subclass `Sessions` to change what a verb does:
verbs that consist of others call those on `self`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from copy import copy
from datetime import timedelta
from functools import partial
from secrets import token_bytes
from typing import Any, Self, TypeVar

from pydantic import SecretStr

from fastapi_session.adoption import OldLogin
from fastapi_session.audit import EventQuery
from fastapi_session.clock import Clock, system_clock
from fastapi_session.config import SessionConfig
from fastapi_session.config.lifetimes import AS_CONFIGURED, Lifetime
from fastapi_session.config.session_limit import SessionLimit
from fastapi_session.core import access_token, refresh_token, service_jwt
from fastapi_session.core.access_token import AccessToken, ParsedAccessToken
from fastapi_session.core.anti_csrf import NOT_ASKED, AntiCsrfProof
from fastapi_session.core.authentication import Authentication, authenticated
from fastapi_session.core.binding.bound_keys import Possession
from fastapi_session.core.claims.claim import Claim, claims_of
from fastapi_session.core.claims.validators import ClaimValidator, failures, validators_of
from fastapi_session.core.endings import ending
from fastapi_session.core.guests import Merge, guest_user_id
from fastapi_session.core.payload import json_object, merged
from fastapi_session.engine import audit_trail
from fastapi_session.engine.administration import Administration
from fastapi_session.engine.adopting import Brought
from fastapi_session.engine.assembly import Engine
from fastapi_session.engine.claim_checks import NOTHING_TO_SAY, CheckedClaims
from fastapi_session.engine.event_loop import ensure_asyncio, letting_others_run
from fastapi_session.engine.known_tokens import KnownTokens
from fastapi_session.engine.live_records import handles_in, live_record
from fastapi_session.engine.revocation.watched_session import Ask, WatchedSession
from fastapi_session.engine.tokens.issuing import IssuedSession
from fastapi_session.engine.tokens.taking_in import TakingIn
from fastapi_session.engine.tokens.verified_tokens import AnyAccessToken, VerifiedAccessToken
from fastapi_session.errors import ClaimFailure, ConfigurationError, ForgedRequestError, SessionError, UnauthorisedError
from fastapi_session.events import EventPage, Subscriber
from fastapi_session.external_session import ExternalSession
from fastapi_session.foreign_sessions import ForeignSessions
from fastapi_session.handles import PUBLIC_TENANT, split_handle
from fastapi_session.model import GUEST_KIND, NOT_KNOWN, Actor, Circumstances, EndReason, Json
from fastapi_session.randomness import Random
from fastapi_session.session_information import SessionInformation
from fastapi_session.stores.base import Store, TransactionalStore

T = TypeVar("T")


class Sessions:
    """Sessions of one deployment: its configuration, store, secrets and clock.

    A verb raises `StoreUnavailable` if the store is down. One that takes a handle returns `None` or `False` for a session that
    is not there, and raises no error.
    """

    def __init__(
        self,
        config: SessionConfig | None = None,
        *,
        claims: Sequence[Claim[Any]] = (),
        validators: Sequence[ClaimValidator] = (),
        subscribers: Sequence[Subscriber] = (),
        moving_from: ForeignSessions | None = None,
        clock: Clock = system_clock,
        random: Random = token_bytes,
    ) -> None:
        """Take the deployment's *config*; nothing is connected before `open` or first use.

        *claims* are fetched into each new session, *validators* hold for every route, *subscribers* are called with events;
        sessions of *moving_from* go on here; *clock* and *random* are for tests. Raises
        `ConfigurationError` if there is no store or no secret, or for what is no claim or validator.
        """
        self.config = config or SessionConfig()
        # Not `_engine`: a subclass that keeps its database would choose that name for it.
        self._parts = Engine(self.config, clock=clock, random=random, subscribers=subscribers, moving_from=moving_from)
        self.administration = Administration(self.config, self._parts)  # which administrators ask
        self.claims = claims_of(claims)
        self.validators = validators_of(validators)
        self.subscribers = tuple(subscribers)
        self.moving_from = moving_from
        self.telemetry_counts = self._parts.counts  # which OpenTelemetry reads
        self.verified_tokens = self._parts.verified_tokens  # which each request asks, by no method of this class
        self.device_binding = self._parts.device_binding  # which the endpoints for browsers ask
        self.dpop_proofs = self._parts.dpop_proofs  # which requests by the scheme DPoP ask
        self.known_tokens = KnownTokens(self._parts)  # which the endpoints for other services ask

    @property
    def store(self) -> Store:
        """Where sessions, signing keys and the revocation feed are kept."""
        return self._parts.store

    @property
    def taking_in(self) -> TakingIn:
        """What takes in sessions of *moving_from* in batches, as an import does. Raises `ConfigurationError` without that."""
        if self._parts.continuing is None:
            raise ConfigurationError("moving_from: give the system from which sessions are to be taken in")
        return self._parts.continuing.taking_in

    @property
    def revocation_feed_age(self) -> timedelta | None:
        """How long ago the revocations of other processes were read, `None` if they never were."""
        age = self._parts.feed.age
        return None if age is None else timedelta(milliseconds=age)

    async def open(self) -> None:
        """Connect the store, load the signing keys and follow the revocation feed, on this event loop until `close`.

        Not needed, but here a wrong secret is found before the first user, and verifying never has to read the feed.
        Raises `ConfigurationError` if the secret is not the store's or asyncio is not running, `StoreUnavailable`.
        """
        ensure_asyncio()
        await self._parts.open(observed=self.config.telemetry != "off")

    async def close(self) -> None:
        """Finish what runs in the background and let go of the store."""
        await self._parts.close()

    def within(self, connection: object) -> Self:
        """Return these sessions, with what creates, changes and ends them written in the open transaction of *connection*.

        That is a connection of the database that has the sessions; its owner commits or rolls back. Once it has committed,
        subscribers are called, and this process refuses the sessions that ended. All is read through it, and the very first key
        is made there: waiting for a second connection can deadlock a full pool. Refreshing and revoking a key are not part of it.
        Raises `ConfigurationError` if the store knows no transactions.
        """
        if not isinstance(self.store, TransactionalStore):
            raise ConfigurationError("within: this store has no transactions to write in; SqlStore has")
        joined = copy(self)  # not a new one, so that a subclass keeps its verbs and attributes
        joined._parts = self._parts.within(self.store.within(connection))  # noqa: SLF001  it is one of these
        return joined

    def on_end(self, callback: Callable[[bool], None]) -> None:
        """Call *callback* once it is certain what became of what was just written: true, it stays; false, it was undone.

        That is at once; `within` a transaction, when that has committed, or that or a savepoint around it was rolled back.
        """
        self._parts.on_end(callback)

    def now(self) -> int:
        """Return what time it is for these sessions, in milliseconds since the epoch."""
        return self._parts.clock()

    # Requests come through these.

    async def create(  # noqa: PLR0913 - all but two are named, and a session has that many sides
        self,
        user_id: str,
        *,
        tenant_id: str = PUBLIC_TENANT,
        recipe_user_id: str | None = None,
        access_token_payload: Json | None = None,
        session_data: Json | None = None,
        replacing: Sequence[str] = (),
        anti_csrf: bool | None = None,
        circumstances: Circumstances = NOT_KNOWN,
        lifetime: Lifetime = AS_CONFIGURED,
        authentication: Authentication | None = None,
        limit: SessionLimit | None = None,
        evict: Sequence[str] = (),
        upgrading: str | None = None,
        merge: Merge = "keep",
        label: str | None = None,
        device: str | None = None,
        external: ExternalSession | None = None,
        bound_key: str | None = None,
    ) -> IssuedSession:
        """Begin a session of *user_id* in the place of those whose handles are *replacing*, in one transaction.

        Those end as superseded: a request of theirs that is late leaves its client the tokens of the new one.
        *access_token_payload* travels in the access token, where the user can read it; *session_data* stays in the store.
        *anti_csrf* asks for an anti-CSRF token, by default if `VIA_TOKEN` is configured. *lifetime* chooses how long it lives,
        and whether its cookies outlive the browser. *authentication* says how the user was authenticated: then demands on that,
        as `Fresh`, can hold. *limit* is that of the user's sessions in place of the configured one; if it is reached, those of his
        whose handles are *evict* end first, and may end even if it refuses. *upgrading* is the handle of a session that ends too:
        if it is a guest's, *merge* makes the session data of the guest's and of *session_data*, as the table of `core.guests`
        says, and no change of the guest's that was written is lost. *label* is what its user calls it, as in `set_label`.
        *device* is by what a client without cookies is known again at its next sign-in.
        *external* is the provider's session by which the user signed in. *bound_key* is the key of its client to which it is
        bound from the beginning, as `core.binding.bound_keys` writes it: whoever gives it has seen it proved.

        Raises `PayloadError`, `ConfigurationError` for what cannot be, `SessionLimitReached` (nothing is written), `StoreUnavailable`.
        """
        engine, now, replaced = self._parts, self.now(), handles_in(replacing)
        engine.known_devices.ensure_device(device)
        payload = await engine.claim_checks.first_payload(self.claims, access_token_payload, user_id, tenant_id)
        token = engine.new_sessions.refresh_token()
        record = engine.new_sessions.record(
            token,
            user_id=user_id,
            recipe_user_id=recipe_user_id,
            tenant_id=tenant_id,
            payload=payload,
            session_data=json_object(session_data, "session_data"),
            circumstances=circumstances,
            lifetime=lifetime,
            authentication=authentication,
            label=label,
            external=external,
            now=now,
            bound_key=bound_key,
        )
        room = engine.session_limits.limit_for(record, said=limit, evict=evict)
        by_token = self.config.anti_csrf == "VIA_TOKEN" if anti_csrf is None else anti_csrf
        key = await engine.keyring.signing_key(through=engine.joined)
        issued = engine.mint.issue(record, token, key=key, anti_csrf=by_token)  # before the write: it may be too long
        await engine.beginnings.begin(
            record, replaced=replaced, upgrading=upgrading, merge=merge, limit=room, device=device
        )
        engine.housekeeping.tidy()  # here, since only what adds rows makes it necessary to delete old ones
        return issued

    async def create_guest(
        self,
        *,
        tenant_id: str = PUBLIC_TENANT,
        access_token_payload: Json | None = None,
        session_data: Json | None = None,
        anti_csrf: bool | None = None,
        circumstances: Circumstances = NOT_KNOWN,
    ) -> IssuedSession:
        """Begin a session of a guest, with a user id of its own: of the kind "guest", with the claim `is_anonymous`.

        Claims are fetched for it too. All else as `create`.
        """
        return await self.create(
            self.new_guest_id(),
            tenant_id=tenant_id,
            access_token_payload=access_token_payload,
            session_data=session_data,
            anti_csrf=anti_csrf,
            circumstances=circumstances,
            lifetime=Lifetime(GUEST_KIND),
        )

    def new_guest_id(self) -> str:
        """Return a user id for a guest. It is random, so that none is given out twice."""
        return guest_user_id(self._parts.random(16))

    async def verify(
        self,
        token: str | AnyAccessToken,
        *,
        check_database: bool = False,
        proof: AntiCsrfProof = NOT_ASKED,
        possession: Possession | None = None,
    ) -> AccessToken:
        """Return the content of an access token that is genuine, has not expired and was not revoked.

        What other processes revoked is known within two seconds, without I/O; *check_database* asks the store, and returns
        the claims that the store has. It is asked as well, once a token, if the session's claims were changed by handle.

        *possession* is what the request has proved: a token that is bound to a DPoP key is good only with that key.

        Raises `UnauthorisedError` if it is none of ours or its session has ended, clearing the tokens unless the session was
        superseded; `UnprovenKeyError`; `TryRefreshTokenError` if a refresh may help; `StoreUnavailable` with *check_database*, or if the
        revocation feed is older than it may be.
        """
        # The fast path, inlined: each request comes here, and usually neither waits nor verifies (`benchmarks.calls` counts).
        engine, known = self._parts, self.verified_tokens.parse(token) if isinstance(token, str) else token
        del token  # error reporters send the local variables of this frame
        now, feed, keyring = engine.clock(), engine.feed, engine.keyring
        if not feed.trusted_from <= now < feed.trusted_until:
            # First: it may report that the key was deleted.
            check_database |= await engine.slow_verifying.catch_up(known)
            now = engine.clock()
        if (
            not isinstance(known, VerifiedAccessToken)
            or known.keys is not keyring.keys
            or not (now < known.content.expires_at * 1000 and keyring.read_at <= now < keyring.reload_at)
        ):
            known = await engine.slow_verifying.verify(known)
        content = known.content
        try:
            if proof is not NOT_ASKED and not proof.holds(content.anti_csrf_token):
                raise ForgedRequestError("anti-CSRF: the request does not prove that no other site forged it")
            if (notice := feed.about(known.session_id)) is not None:
                await engine.token_check.check_notice(notice, content)
            if content.actor is not None or content.jkt is not None:
                engine.token_check.check_holder(content, possession)
            if check_database:
                content = await engine.token_check.check_database(content)
        except SessionError as error:
            raise error.about(content.session_handle)  # noqa: B904  it is the same error
        engine.used(content)
        return content

    async def refresh(
        self,
        token: str,
        *,
        proof: AntiCsrfProof = NOT_ASKED,
        circumstances: Circumstances = NOT_KNOWN,
        possession: Possession | None = None,
    ) -> IssuedSession:
        """Exchange the refresh token *token* for new tokens, as the table of `core.rotation` says.

        *possession* is what the request has proved. Raises `UnauthorisedError`, `UnprovenKeyError` (nothing has changed then),
        `TokenTheftError` (the session is then revoked already), `SessionSupersededError` and `StoreUnavailable`.
        """
        engine, by_token = self._parts, proof.mode == "VIA_TOKEN"
        presented = refresh_token.read(token, engine.secrets)
        unread = None if presented is not None else SecretStr(token)
        clears_tokens = presented is None and not engine.may_be_foreign(token)
        del token  # as in `verify`
        if presented is None:
            foreign = None if unread is None else await engine.read_foreign_when_open(unread)
            if foreign is None or engine.continuing is None:
                raise UnauthorisedError("refresh token: BAD_TOKEN", clears_tokens=clears_tokens)
            key = await engine.keyring.signing_key(through=engine.joined)
            record, to_send = await engine.continuing.advance(
                foreign, proof=proof, by=circumstances, possession=possession
            )
            return engine.mint.issue(record, to_send, key=key, anti_csrf=by_token)
        if not proof.holds_for_any(
            refresh_token.accepted_anti_csrf_tokens(presented, engine.secrets) if by_token else ()
        ):
            refused = UnauthorisedError("anti-CSRF: the refresh does not prove that no other site forged it")
            raise refused.about(presented.session_id)
        key = await engine.keyring.signing_key(through=engine.joined)  # before the write, since it can fail
        record, to_send = await engine.refreshing.advance(presented, by=circumstances, possession=possession)
        if record.actor is not None:
            await engine.impersonation.ensure_actor(record)
        return engine.mint.issue(record, to_send, key=key, anti_csrf=by_token)

    async def elevate(self, token: AccessToken, authentication: Authentication) -> IssuedSession:
        """Replace the session of the verified *token* by one with new tokens and these facts of authentication.

        It has all that the one before has, but a new handle, and its deadlines begin anew. The level is never lowered. Late
        requests with the tokens of before are treated as those of a superseded session.

        Raises the error of a session that has ended, `ImpersonationError`, `PayloadError` if the new token would be too
        long (nothing is written then), and `StoreUnavailable`.
        """
        issued = await self._parts.elevation.elevate(token, authentication)
        if issued is None:
            raise await self.refusal(token.session_handle)
        return issued

    async def check_claims(
        self, token: AccessToken, validators: Sequence[ClaimValidator], *, marks_stale: bool = False
    ) -> CheckedClaims:
        """Check the verified *token* by *validators*, after fetching each claim that they need once.

        No I/O if nothing has to be fetched; what is fetched is written as by `merge_and_reissue`. Raises `UnauthorisedError` if
        the session has ended meanwhile, `PayloadError`, `StoreUnavailable`.
        """
        fetch_due = self._parts.claim_checks.fetch_due
        fetched = await fetch_due(validators, token.user_id, token.tenant_id, token.custom)
        issued = None
        if fetched.entries:
            issued = await self.merge_and_reissue(token, fetched.entries, marks_stale=marks_stale)
            if issued is None:
                raise await self.refusal(token.session_handle)
        # The claims as the store has them now: another request may have changed some since the token was issued.
        parts, known = self._parts, token.authenticated
        facts = parts.no_facts
        if known is not None or token.actor is not None or token.is_guest:
            facts = parts.facts(known, actor=token.actor, is_guest=token.is_guest)
        failed = failures(
            validators, issued.access_token.custom if issued else token.custom, now=fetched.began, facts=facts
        )
        if failed:
            self._parts.announcements.rejected(token, failed)
        return CheckedClaims(tuple(failed), issued) if failed or issued else NOTHING_TO_SAY

    async def adopt(self, login: OldLogin, brought: Brought) -> IssuedSession | None:
        """Return the session of a *login* of another system, which begins at the first call.

        `None` if there is none, or its client has tokens: see `engine.adopting`. Raises as the other system, `PayloadError`, `StoreUnavailable`.
        """
        first_payload = partial(self._parts.claim_checks.first_payload, self.claims)
        return await self._parts.adopting.adopt(login, brought, first_payload=first_payload)

    # What a token is, without I/O.

    def parse(self, token: str) -> ParsedAccessToken | None:
        """Return *token* taken apart, `None` if it has not the structure of an access token. Nothing in it is verified yet."""
        return access_token.parse(token)

    def is_refresh_token(self, text: str, *, session_id: str | None = None) -> bool:
        """Return whether this deployment wrote *text* as a refresh token, not always the newest; of *session_id*, if given. No I/O."""
        token = refresh_token.read(text, self._parts.secrets) or self._parts.read_foreign(text)
        return token is not None and session_id in (None, token.session_id)

    def may_have_written(self, text: str) -> bool:
        """Return whether *text* may be a token of this deployment: one that it can refresh, or an access token that names it.

        The access token is not verified. No I/O.
        """
        return self.is_refresh_token(text) or self._parts.verified_tokens.names_issuer(text)

    # A session by its access token.

    async def verified_handle(self, parsed: ParsedAccessToken) -> str | None:
        """Return the handle of the session that *parsed* was issued for, expired or not; `None` if nothing shows it is genuine.

        If its signing key is gone, the refresh token that it names shows it: only the client was sent that. Raises `StoreUnavailable`.
        """
        return await self._parts.slow_verifying.handle(parsed)

    async def merge_and_reissue(
        self, token: AccessToken, changes: Json, *, marks_stale: bool = False
    ) -> IssuedSession | None:
        """Merge *changes* into the claims of the verified *token*'s session, and return it with a new access token.

        That expires with the old one. *marks_stale* is for a token that cannot be sent to the client any more: then earlier
        access tokens are refused with "try refresh token", as after a change by handle. `None` if the session has ended. Raises `PayloadError`,
        `StoreUnavailable`.
        """
        record = await self._parts.record_changes.change_payload(
            token.session_handle, lambda payload: merged(payload, changes), marks_stale=marks_stale
        )
        return None if record is None else await self.reissue(token, record.access_token_payload)

    async def reissue(self, token: AccessToken, claims: Json) -> IssuedSession:
        """Return the session of the verified *token* with a new access token that carries *claims*, and expires with the old one.

        Nothing is written: *claims* have to be those that the store has. Raises `PayloadError`, `StoreUnavailable`.
        """
        key = await self._parts.keyring.signing_key(through=self._parts.joined)
        return self._parts.mint.reissue(token, claims, key=key)

    async def impersonate(
        self,
        token: AccessToken,
        user_id: str,
        *,
        reason: str,
        lifetime: timedelta = timedelta(minutes=30),
        tenant_id: str | None = None,
        access_token_payload: Json | None = None,
        session_data: Json | None = None,
    ) -> IssuedSession:
        """Begin a session in which the user of the verified *token*, the actor, acts as *user_id*. The actor's own waits.

        **The application has to check first whether the actor may.** *reason* is kept with the session. It ends after *lifetime*, an
        hour at most, and with the actor's own session. *tenant_id* is by default the actor's.

        Raises `ImpersonationError` if the actor acts as another already, is a guest, or is *user_id*; `UnauthorisedError` or
        `TryRefreshTokenError` if the actor's session has ended; `PayloadError`, also for a *reason* that says nothing;
        `ConfigurationError` for a *lifetime* that is none; `StoreUnavailable`.
        """
        return await self._parts.impersonation.begin(
            token,
            user_id,
            reason=reason,
            lifetime=lifetime,
            tenant_id=tenant_id,
            access_token_payload=access_token_payload,
            session_data=session_data,
            first_payload=partial(self._parts.claim_checks.first_payload, self.claims),
        )

    async def stop_impersonating(self, token: AccessToken) -> IssuedSession:
        """End the impersonation of the verified *token*: a copy of the actor's own session takes its place.

        Both are superseded in one transaction. If the actor's own has ended meanwhile, this one ends too. Raises `ImpersonationError`
        if nobody acts in this session, `UnauthorisedError` if either has ended, clearing the tokens;
        `TryRefreshTokenError` if another request has just stopped it; `StoreUnavailable`.
        """
        issued = await self._parts.impersonation.stop(token)
        if issued is not None:
            return issued
        refusal = await self.refusal(token.session_handle)
        if refusal.clears_tokens:
            await self.revoke(token.session_handle)
        raise refusal

    def issued_now(self, issued: IssuedSession) -> IssuedSession:
        """Return *issued*, which may have been made a while ago, with the current time as its `iat`, by which clients set their clock.

        The access token expires when it did. Nothing is changed if the key that signed it is not known here. No I/O.
        """
        return self._parts.mint.issued_now(issued, keys=self._parts.keyring.keys)

    def lasting(self, token: AccessToken, ask: Ask) -> WatchedSession:
        """Return the session of the verified *token*, to be watched by a socket or a stream that goes on with it.

        *ask* is called with its claims when they have changed, and raises if it may not go on with them.
        """
        engine = self._parts
        return WatchedSession(token, feed=engine.feed, token_check=engine.token_check, clock=engine.clock, ask=ask)

    # A session by its handle, without a request and without a token: for background jobs, command lines and administration.

    async def information(self, handle: str) -> SessionInformation | None:
        """Return what is known of the session named *handle*, `None` if there is none."""
        record = await live_record(self._parts.records, handle)
        return None if record is None else SessionInformation.of(record)

    async def revoke(
        self,
        handle: str,
        *,
        reason: EndReason | str = "by_handle",
        by: Actor | None = None,
        circumstances: Circumstances = NOT_KNOWN,
    ) -> bool:
        """End the session named *handle*, and say whether it was alive. After this no refresh of it succeeds.

        *reason*, *by* and *circumstances* are told by the event `SessionRevoked`. Raises `PayloadError` for a reason that is
        no text of 1 to 64 characters.
        """
        return await self._parts.record_changes.end(handle, ending(reason, by=by, circumstances=circumstances))

    async def revoke_several(
        self,
        handles: Iterable[str],
        *,
        reason: EndReason | str = "by_handle",
        by: Actor | None = None,
        circumstances: Circumstances = NOT_KNOWN,
    ) -> list[str]:
        """End the sessions named by *handles*, and return those that were alive; the rest as `revoke`."""
        # One by one, and not in one statement: a subclass may do something else when a session is revoked.
        return [
            handle for handle in handles if await self.revoke(handle, reason=reason, by=by, circumstances=circumstances)
        ]

    async def refusal(self, handle: str) -> SessionError:
        """Return the error for a client whose session, named *handle*, is not there any more.

        It says whether the client's tokens are to be cleared.
        """
        return (await self._parts.ended_sessions.refusal_of_access_token(split_handle(handle)[0])).about(handle)

    async def refusal_of_refresh(self, handle: str, *, reason: str) -> SessionError:
        """Return the error for a refresh whose session, named *handle*, is not there any more; *reason* is for logs."""
        return await self._parts.ended_sessions.refusal_of_refresh_token(split_handle(handle)[0], reason=reason)

    def ending(self, handle: str) -> AbstractContextManager[asyncio.Future[None]]:
        """Give a future that is done when the session named *handle* is revoked or superseded. It may be done already.

        That is at once if this process ends the session, within two seconds if another one does.
        """
        return self._parts.feed.ending(split_handle(handle)[0])

    async def update_session_data(self, handle: str, session_data: Json) -> bool:
        """Replace what the store keeps with the session. Says whether the session is there. Raises `PayloadError`."""
        return await self.change_session_data(handle, lambda _: session_data)

    async def change_session_data(self, handle: str, change: Callable[[Json], Json]) -> bool:
        """Write what *change* makes of the data, and call it again if another writer came first: no change is lost.

        *change* is given a copy and returns the new data. Says whether the session is there. What *change*
        raises, or a `PayloadError` for what it returns, leaves the data as they were.
        """
        return await self._parts.record_changes.change_data(handle, change) is not None

    async def set_label(self, handle: str, label: str | None) -> bool:
        """Let the session be called *label* in the list of its user: 1 to 64 characters in one line, `None` takes it away.

        Says whether the session is there. Raises `PayloadError` for any other label.
        """
        return await self._parts.record_changes.change_label(handle, label) is not None

    async def merge_into_access_token_payload(self, handle: str, changes: Json) -> bool:
        """Merge *changes* into the session's own claims; `None` removes one. Says whether the session is there.

        Earlier access tokens are refused with "try refresh token" from then on, in other processes within two seconds; so
        the client has the new claims with its next request. Raises `PayloadError`, and then nothing is written.
        """
        return await self.change_access_token_payload(handle, lambda payload: merged(payload, changes))

    async def change_access_token_payload(self, handle: str, change: Callable[[Json], Json]) -> bool:
        """Do as `change_session_data` does, with the session's own claims."""
        return await self._parts.record_changes.change_payload(handle, change, marks_stale=True) is not None

    async def fetch_and_set_claim(self, handle: str, claim: Claim[Any]) -> bool:
        """Fetch the value of *claim* and keep it. Says whether the session is there."""
        record = await live_record(self._parts.records, handle)
        if record is None:
            return False
        fetch = self._parts.claim_checks.fetch
        fetched = await fetch([claim], record.user_id, record.tenant_id, record.access_token_payload)
        return await self.merge_into_access_token_payload(handle, fetched)

    async def set_claim_value(self, handle: str, claim: Claim[T], value: T) -> bool:
        """Keep *value* as that of *claim*, fetched now. Says whether the session is there."""
        return await self.merge_into_access_token_payload(handle, claim.entry(value, now=self.now()))

    async def claim_value(self, handle: str, claim: Claim[T]) -> T | None:
        """Return the value of *claim*, `None` if the session has none, or is not there."""
        record = await live_record(self._parts.records, handle)
        return None if record is None else claim.value(record.access_token_payload)

    async def remove_claim(self, handle: str, claim: Claim[Any]) -> bool:
        """Forget the value of *claim*. Says whether the session is there."""
        return await self.merge_into_access_token_payload(handle, {claim.key: None})

    async def claim_failures(self, handle: str, validators: Sequence[ClaimValidator]) -> list[ClaimFailure] | None:
        """Return what *validators* say of the session, after fetching what they need; `None` if it is not there."""
        record = await live_record(self._parts.records, handle)
        if record is None:
            return None
        fetch_due, payload = self._parts.claim_checks.fetch_due, record.access_token_payload
        fetched = await fetch_due(validators, record.user_id, record.tenant_id, payload)
        if fetched.entries and not await self.merge_into_access_token_payload(handle, fetched.entries):
            return None
        known = authenticated(record.factors, record.acr)
        facts = self._parts.facts(known, actor=record.acted_by, is_guest=record.kind == GUEST_KIND)
        return failures(validators, merged(payload, fetched.entries), now=fetched.began, facts=facts)

    # All sessions of a user. They are changed one by one: one that begins meanwhile may be left out, and if `StoreUnavailable`
    # is raised in the middle, some are done, and to call the verb again does the rest.

    async def of_user(self, user_id: str, *, tenant_id: str | None = None) -> list[SessionInformation]:
        """Return the sessions of *user_id*, oldest first; of every tenant if none is given."""
        records = await self._parts.user_sessions.records(user_id, tenant_id=tenant_id)
        return [SessionInformation.of(record) async for record in letting_others_run(records)]

    async def revoke_all(
        self,
        user_id: str,
        *,
        tenant_id: str | None = None,
        keep: str | None = None,
        reason: EndReason | str | None = None,
        by: Actor | None = None,
        circumstances: Circumstances = NOT_KNOWN,
    ) -> list[str]:
        """End the sessions of *user_id* (of every tenant if none is given) but the one whose handle is *keep*.

        Returns the handles that were ended. They end in pieces, so that others are served in between; a session that begins
        meanwhile may stay. If `StoreUnavailable` is raised in the middle, some have ended, and to call it again ends the rest.
        *reason*, by default `others` if one is kept and `all` if not, *by* and *circumstances* as for `revoke`.
        """
        default = "all" if keep is None else "others"
        why = ending(default if reason is None else reason, by=by, circumstances=circumstances)
        return await self._parts.user_sessions.end(user_id, tenant_id=tenant_id, keep=keep, ending=why)

    async def revoke_external(
        self, external: ExternalSession, *, circumstances: Circumstances = NOT_KNOWN
    ) -> list[str]:
        """End the sessions that were created with this session at an identity provider, and return their handles.

        If *external* names no `sid`, those are all of its subject. They end as by `revoke_all`, whosever they are, for the reason
        `backchannel`; *circumstances* are those of the provider's request.
        """
        why = ending("backchannel", by=None, circumstances=circumstances)
        return await self._parts.user_sessions.end_external(external, ending=why)

    async def merge_into_access_token_payload_of_all(
        self, user_id: str, changes: Json, *, tenant_id: str | None = None
    ) -> list[str]:
        """Merge *changes* into the claims of all sessions of *user_id*, as `merge_into_access_token_payload` does for one.

        Returns the handles of those that are there, of every tenant if none is given. Their clients refresh and
        come back with the new claims: at once here, within two seconds in other processes. Each session is changed by
        itself; if `StoreUnavailable` is raised in the middle, some have changed, and to call it again changes the rest.
        Raises `PayloadError` at the first that cannot carry them.
        """
        handles = await self._parts.user_sessions.handles(user_id, tenant_id=tenant_id)
        return [handle for handle in handles if await self.merge_into_access_token_payload(handle, changes)]

    async def fetch_and_set_claim_of_all(
        self, user_id: str, claim: Claim[Any], *, tenant_id: str | None = None
    ) -> list[str]:
        """Fetch the value of *claim* for each session of *user_id*, and keep it; else as `set_claim_value_of_all`.

        Call it once the fact that is fetched has been committed.
        """
        handles = await self._parts.user_sessions.handles(user_id, tenant_id=tenant_id)
        return [handle for handle in handles if await self.fetch_and_set_claim(handle, claim)]

    async def set_claim_value_of_all(
        self, user_id: str, claim: Claim[T], value: T, *, tenant_id: str | None = None
    ) -> list[str]:
        """Keep *value* as that of *claim* in all sessions of *user_id*, fetched now; else as `merge_into_access_token_payload_of_all`.

        It fetches nothing, so it can be given what a transaction that is still open has written: `within` that transaction.
        """
        changes = claim.entry(value, now=self.now())
        return await self.merge_into_access_token_payload_of_all(user_id, changes, tenant_id=tenant_id)

    # What happened.

    async def events(
        self,
        *,
        user_id: str | None = None,
        tenant_id: str | None = None,
        after: str | None = None,
        newest_first: bool = False,
        limit: int = 100,
    ) -> EventPage:
        """Return a page of what happened, as the store has kept it with `audit`: of a user, of a tenant, or all of it.

        Give `EventPage.after` of one page as *after* for the next, in the same order. Oldest first, no event is written before
        a page that was returned, but one of a transaction that was open for more than a minute; for that a `SqlStore` returns
        nothing of the last minute. *newest_first* returns all that is there.

        Raises `PayloadError` if *after* is none, or *limit* is not 1 to 1,000, `ConfigurationError` if the store keeps no events, and `StoreUnavailable`.
        """
        query = EventQuery(limit, user_id=user_id, tenant_id=tenant_id, after=after, newest_first=newest_first)
        return await audit_trail.page(audit_trail.event_store(self.store), query)

    # The keys: published, used beside sessions, and revoked.

    async def create_jwt(
        self,
        payload: Json,
        *,
        validity: timedelta,
        use_static_signing_key: bool = True,
        typ: str = service_jwt.TYPE,
    ) -> str:
        """Return *payload* as a JWT that expires after *validity*, for other services that know the JWKS.

        It is no access token and opens no session. *typ* is its type in its header, so that nobody takes it for one (RFC 8725,
        section 3.11); give "JWT" only for a verifier that knows no other.

        Raises `PayloadError`, also if *validity* is not positive or *typ* no media type, and `StoreUnavailable`.
        """
        keys = self._parts.published_keys
        return await keys.sign(payload, validity=validity, static=use_static_signing_key, typ=typ)

    async def jwks(self) -> dict[str, list[dict[str, Any]]]:
        """Return the public keys that verify access tokens and JWTs, as a JWK Set (RFC 7517).

        The key that does not rotate is among them before it has signed anything. Raises `StoreUnavailable` if no key is
        known at all.
        """
        return await self._parts.published_keys.jwks()

    def discovery(self) -> dict[str, str | list[str]]:
        """Return the discovery document: who issues the tokens, and the URL of the keys (OpenID Connect Discovery, section 3)."""
        return self._parts.published_keys.discovery()

    async def revoke_signing_key(self, kid: str) -> bool:
        """Delete the signing key named *kid*, as after a leak of it, and say whether it was there.

        What it signed is refused from now on, in other processes within two seconds; clients refresh and go on with
        another key. Services that verify by the JWKS believe it until they read that again: after five to ten minutes as a
        rule, PyJWT with `cache_keys=True` only after a restart. Raises `StoreUnavailable`.
        """
        return await self._parts.published_keys.revoke(kid)
