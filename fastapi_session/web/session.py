"""What an endpoint holds: the facts of a session, and verbs that call the engine and put new tokens onto the response."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, NoReturn, TypeVar

from fastapi_session.core import audience_token
from fastapi_session.core.access_token import AccessToken
from fastapi_session.core.authentication import Authentication
from fastapi_session.core.claims.claim import Claim
from fastapi_session.core.claims.validators import ClaimValidator
from fastapi_session.core.payload import is_same, merged
from fastapi_session.engine.revocation.watched_session import Ask
from fastapi_session.engine.tokens.issuing import IssuedSession
from fastapi_session.errors import (
    SessionError,
    SessionNotBoundError,
    UnauthorisedError,
    UnprovenKeyError,
    claims_refusal,
)
from fastapi_session.model import NOT_KNOWN, Circumstances, EndReason, Json, Tokens
from fastapi_session.session_information import SessionInformation
from fastapi_session.sessions import Sessions
from fastapi_session.web.exchange import Begun, Exchange
from fastapi_session.web.session_types import Data, Payload, SessionTypes
from fastapi_session.web.session_watch import SessionWatch, until_end
from fastapi_session.web.transport import Method
from fastapi_session.web.verified_session import VerifiedSession

T = TypeVar("T")


class Session(VerifiedSession[Payload, Data]):
    """One request's session. Its facts are those of its access token; a verb that changes them sends a new one by itself.

    `Session[MyClaims, MyData]` has *claims* and session data as Pydantic models, `Session` has them as plain JSON.
    """

    __slots__ = ("_begun", "_exchange", "_method", "validators")

    def __init__(
        self,
        content: AccessToken,
        text: str,
        *,
        exchange: Exchange,
        method: Method,
        types: SessionTypes[Payload, Data],
        begun: Begun | None = None,
        tokens: Tokens | None = None,
    ) -> None:
        self._begun = begun
        self._content = content
        self._text = text
        self._exchange = exchange
        self._method: Method = method
        self._types = types
        self._tokens = tokens
        self.validators: tuple[ClaimValidator, ...] = ()
        """Those that this route requires. They run again for an open socket or stream if the claims change."""

    def __repr__(self) -> str:
        return f"Session(user_id={self.user_id!r}, handle={self.handle!r})"

    async def revoke(self, *, reason: EndReason | str = "signed_out", circumstances: Circumstances = NOT_KNOWN) -> None:
        """End the session and clear the client's tokens. Raises `StoreUnavailable`, and then it has not ended.

        *reason* and *circumstances* are told by the event `SessionRevoked`.
        If somebody acts as its user, the actor's own session ends too: nobody is left signed in.

        If another one has taken its place, that one goes on and the tokens are kept: raises `TryRefreshTokenError`, or after a
        while `UnauthorisedError`.
        """
        if self.actor is not None and self.actor.handle is not None:
            # First: whatever fails after it, the impersonation is over.
            await self._sessions.revoke(self.actor.handle, reason=reason, circumstances=circumstances)
        if not await self._sessions.revoke(self.handle, reason=reason, circumstances=circumstances):
            refusal = await self._refusal()
            if not refusal.clears_tokens:
                self._exchange.refuse(refusal)
                raise refusal
        self._exchange.sign_out()

    async def impersonate(
        self,
        user_id: str,
        *,
        reason: str,
        lifetime: timedelta = timedelta(minutes=30),
        tenant_id: str | None = None,
        access_token_payload: object = None,
        session_data: object = None,
    ) -> Session[Payload, Data]:
        """Act as *user_id* from now on: return a session of that user, and send its tokens with the response.

        **Check first whether the user of this session may do that.** This session waits in the store, and
        `stop_impersonating` brings its user back. *reason*, 1 to 255 characters, is kept with the session and told by the event.
        The impersonation ends after *lifetime*, an hour at most, and with this session; its cookies end with the browser.

        Raises `ImpersonationError` (409) if somebody acts in this session already, it is a guest's, or *user_id* its own;
        `PayloadError` for a *reason* that says nothing, and for payload or data as `create`; `ConfigurationError` if the
        response has started or *lifetime* is none; `UnauthorisedError` if this session has ended; `StoreUnavailable`.
        """
        self._exchange.ensure_not_started()
        beginning = self._sessions.impersonate(
            self._content,
            user_id,
            reason=reason,
            lifetime=lifetime,
            tenant_id=tenant_id,
            access_token_payload=self._types.write_payload(access_token_payload),
            session_data=self._types.write_data(session_data),
        )
        await self._handing_over(beginning)
        return begun_session(self._exchange, self._types)

    async def stop_impersonating(self) -> Session[Payload, Data]:
        """End the impersonation: return a copy of the actor's own session, and send its tokens with the response.

        Only in a route that changes something, as by POST: it needs the anti-CSRF check. Raises `ImpersonationError` (409) if
        nobody acts in this session; `UnauthorisedError` if the actor's own has ended, with the tokens cleared; `TryRefreshTokenError`
        if another request has just stopped it; `ConfigurationError` if the response has started; `StoreUnavailable`.
        """
        self._exchange.ensure_not_started()
        await self._handing_over(self._sessions.stop_impersonating(self._content))
        return begun_session(self._exchange, self._types)

    async def merge_into_access_token_payload(self, changes: Json) -> None:
        """Lay *changes* over the custom claims (`None` removes one) and send the new access token with the response.

        If the response has started already (in a background task, a stream, an open socket), requests with the client's token
        are refused with "try refresh token" from then on, and the refresh brings the new claims. Raises `PayloadError` if the
        claims are not JSON, do not fit the model or are too long for a cookie, `UnauthorisedError` if the session has ended,
        `StoreUnavailable`.
        """
        self._types.write_payload(merged(self._content.custom, changes))
        issued = await self._sessions.merge_and_reissue(self._content, changes, marks_stale=self._exchange.has_started)
        if issued is None:
            await self._refuse()
        self._send(issued)

    async def fetch_and_set_claim(self, claim: Claim[Any]) -> None:
        """Fetch the value of *claim* now, and send the new access token. Raises as `merge_into_access_token_payload` does."""
        value = await claim.fetch(self.user_id, self.tenant_id, self._content.custom)
        if value is not None:
            await self.set_claim_value(claim, value)

    async def set_claim_value(self, claim: Claim[T], value: T) -> None:
        """Set the value of *claim*, fetched now, and send the new access token. Raises as `merge_into_access_token_payload`."""
        await self.merge_into_access_token_payload(claim.entry(value, now=self._sessions.now()))

    def get_claim_value(self, claim: Claim[T]) -> T | None:
        """Return the value of *claim* in the access token, `None` if it has none."""
        return claim.value(self._content.custom)

    async def remove_claim(self, claim: Claim[Any]) -> None:
        """Remove the value of *claim*, and send the new access token. Raises as `merge_into_access_token_payload`."""
        await self.merge_into_access_token_payload({claim.key: None})

    async def assert_claims(self, *validators: ClaimValidator) -> None:
        """Run *validators*, after fetching the claims that they need. Raises `InvalidClaimsError` with every failure at once."""
        try:
            checked = await self._sessions.check_claims(
                self._content, validators, marks_stale=self._exchange.has_started
            )
        except SessionError as error:
            self._exchange.refuse(error)
            raise
        if checked.issued is not None:
            self._send(checked.issued)
        if checked.failures:
            refusal = claims_refusal(checked.failures, is_impersonated=self.actor is not None).about(self.handle)
            self._exchange.refuse(refusal)
            raise refusal

    async def elevate(self, *methods: str, acr: str | None = None) -> None:
        """Note that the user was just authenticated again by *methods*, as "otp" (RFC 8176), which reach the level *acr*.

        Another session takes the place of this one, with all that it has, and its tokens are sent with the response: whoever
        holds the tokens of before, as a thief may, is not elevated. The handle changes, and the deadlines begin anew.

        Raises `ConfigurationError` if the response has started, `ImpersonationError`, `UnauthorisedError` or
        `TryRefreshTokenError` if the session has ended, `PayloadError` for what is no method or if the token would be too long,
        `StoreUnavailable`.
        """
        self._exchange.ensure_not_started()
        issued, self._begun = await self._handing_over(
            self._sessions.elevate(self._content, Authentication(methods, acr))
        )
        self._content, self._text, self._tokens = issued.access_token, issued.tokens.access_token, issued.tokens

    async def token_for(self, audience: str, *, validity: timedelta = timedelta(minutes=5), scope: str = "") -> str:
        """Return a JWT by which the service *audience*, and no other, knows whose request it is, for *validity*, 10 minutes at most.

        It says whose session this is, who acts in it and how its user was authenticated, and *scope* if that is given; nothing of
        your own claims. It is no access token, and good until it expires, whatever becomes of the session: only
        introspection tells a service that it has ended.
        Raises `PayloadError` for what is no audience or too long, and `StoreUnavailable`.
        """
        claims = audience_token.claims_for(self._content, audience, scope=scope)
        validity = audience_token.checked_validity(validity)
        return await self._sessions.create_jwt(claims, validity=validity, use_static_signing_key=False)

    async def information(self) -> SessionInformation:
        """Return what the store has of the session. Raises `UnauthorisedError` if it has ended, `StoreUnavailable`."""
        information = await self._sessions.information(self.handle)
        if information is None:
            await self._refuse()
        return information

    async def get_session_data(self) -> Data:
        """Return what the store keeps with the session. Raises as `information` does, and `PayloadError` if it does not fit the model."""
        return self._types.read_data((await self.information()).session_data)

    async def update_session_data(self, session_data: object) -> None:
        """Replace what the store keeps with the session, by a model or plain JSON. Raises as `get_session_data` does."""
        data = self._types.write_data(session_data) or {}
        if not await self._sessions.update_session_data(self.handle, data):
            await self._refuse()

    async def change_session_data(self, change: Callable[[Data], object]) -> Data:
        """Write what *change* returns for the session data, a model or plain JSON, and return it: no other writer's change is lost.

        *change* is given a copy, and called again if another writer came first, so it should do nothing else. If it raises, the
        data stay as they were. Raises as `get_session_data` does.
        """
        made: list[Json] = []

        def changed(data: Json) -> Json:
            made.append(self._types.change_data(data, change))
            return made[-1]

        if not await self._sessions.change_session_data(self.handle, changed):
            await self._refuse()
        return self._types.read_data(made[-1])

    def while_alive(self, source: AsyncIterator[T]) -> AsyncIterator[T]:
        """Yield what *source* yields until the session ends, or its new claims do not satisfy the route: for event streams."""
        return until_end(source, self._watch(self._go_on_with))

    # From here on: what the other modules of `web` call. Underscored, since all else is in every user's completion list.

    def _watch(self, ask: Ask) -> SessionWatch:
        """Return what watches the session of a socket or a stream. If its claims change, *ask* is called with the new ones."""
        return SessionWatch(self._sessions.lasting(self._content, ask))

    async def _go_on_with(self, claims: Json) -> None:
        """Take over *claims*, which were changed elsewhere. Raises `InvalidClaimsError` if they do not satisfy the route."""
        self._content = replace(self._content, custom=claims)
        if self.validators:
            await self.assert_claims(*self.validators)
        self._check_shape()

    def _check_shape(self) -> None:
        """Raise `InvalidClaimsError` if the claims do not fit the model. Plain JSON always fits."""
        self._types.read_payload(self._content.custom)

    async def _catch_up(self, stored: Json | None, *, bound: bool) -> None:
        """Take over what another dependency of this request changed, and the claims *stored* now if the store was asked.

        Raises `UnprovenKeyError`, and if it has to be *bound* as `_ensure_bound`.
        """
        if self._content.is_device_bound:
            self._ensure_came_in_a_cookie()  # first of all: no token may be on the response to who copied this one
        changed = self._exchange.issued
        if changed is not None and changed.access_token.session_handle == self.handle:
            self._send(changed)
        if stored is not None and not is_same(stored, self._content.custom):
            self._send(await self._sessions.reissue(self._content, stored))
        if bound and not self._content.is_bound:
            await self._ensure_bound()

    async def _ensure_bound(self) -> None:
        """Raise `SessionNotBoundError` unless the store says that the session is bound.

        Its browser has bound it after the access token was issued: so a new one that says so is sent.
        """
        if not (await self.information()).bound:
            raise SessionNotBoundError("the route asks for a session that is bound to a key")
        self._ensure_came_in_a_cookie()
        self._send(await self._sessions.reissue(replace(self._content, is_device_bound=True), self._content.custom))

    def _ensure_came_in_a_cookie(self) -> None:
        """Raise `UnprovenKeyError` if the access token came in a header, where no browser sends that of a session it has bound."""
        if self._method == "header":
            raise UnprovenKeyError("access token: a browser has bound its session, and it came as a bearer token")

    async def _handing_over(self, beginning: Awaitable[IssuedSession]) -> tuple[IssuedSession, Begun]:
        """Return the session that takes over the client from this one, once it has begun, and send its tokens."""
        exchange, sessions = self._exchange, self._sessions
        try:
            issued = await beginning
        except SessionError as error:
            exchange.refuse(error.about(self.handle))
            raise
        begun = Begun(issued.access_token.session_handle, self._method, sessions)
        if sessions is not exchange.sessions:  # it began in a transaction that is still open
            exchange.count_only_if_committed(begun)
        exchange.begin(issued, begun)
        return issued, begun

    def _send(self, issued: IssuedSession) -> None:
        """Be *issued* from here on, and send its tokens with the response."""
        self._content, self._text, self._tokens = issued.access_token, issued.tokens.access_token, issued.tokens
        self._exchange.record(issued, self._method)

    @property
    def _sessions(self) -> Sessions:
        return self._exchange.sessions if self._begun is None else self._begun.sessions

    async def _refuse(self) -> NoReturn:
        """Raise the error that says why the session is not there any more."""
        refusal = await self._refusal()
        self._exchange.refuse(refusal)
        raise refusal

    async def _refusal(self) -> SessionError:
        if self._begun is not None and self._begun.is_undone:
            return UnauthorisedError("session: the transaction in which it began was rolled back", handle=self.handle)
        return await self._sessions.refusal(self.handle)


def begun_session(exchange: Exchange, types: SessionTypes[Payload, Data]) -> Session[Payload, Data]:
    """Return the session that the request of *exchange* has begun. It was issued here, so there is nothing to verify."""
    begun, issued = exchange.begun, exchange.issued
    assert begun is not None
    assert issued is not None
    return Session(
        issued.access_token,
        issued.tokens.access_token,
        exchange=exchange,
        method=begun.method,
        types=types,
        begun=begun,
        tokens=issued.tokens,
    )
