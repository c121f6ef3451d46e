"""What an endpoint holds: the facts of a session, and verbs that call the engine and put new tokens onto the response."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import datetime
from typing import Any, Generic, NoReturn, TypeVar

from fastapi_session.core.access_token import AccessToken
from fastapi_session.core.authentication import Authentication
from fastapi_session.core.claims.claim import Claim
from fastapi_session.core.claims.validators import ClaimValidator
from fastapi_session.core.payload import is_same, merged
from fastapi_session.engine.revocation.watched_session import Ask
from fastapi_session.engine.tokens.issuing import IssuedSession
from fastapi_session.errors import SessionError, UnauthorisedError, claims_refusal
from fastapi_session.model import NOT_KNOWN, Circumstances, EndReason, Json, Tokens, moment
from fastapi_session.session_information import SessionInformation
from fastapi_session.sessions import Sessions
from fastapi_session.web.exchange import Begun, Exchange
from fastapi_session.web.session_tokens import SessionTokens
from fastapi_session.web.session_types import Data, Payload, SessionTypes
from fastapi_session.web.session_watch import SessionWatch, until_end
from fastapi_session.web.transport import Method, front_token

T = TypeVar("T")


class Session(Generic[Payload, Data]):
    """One request's session. Its facts are those of its access token; a verb that changes them sends a new one by itself.

    `Session[MyClaims, MyData]` has *claims* and session data as Pydantic models, `Session` has them as plain JSON.
    """

    __slots__ = ("_begun", "_content", "_exchange", "_method", "_text", "_tokens", "_types", "validators")

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

    @property
    def user_id(self) -> str:
        """Whose session it is."""
        return self._content.user_id

    @property
    def recipe_user_id(self) -> str:
        """By which of the user's sign-in methods it began; the user id unless `create` was given another."""
        return self._content.recipe_user_id

    @property
    def tenant_id(self) -> str:
        """The tenant it belongs to, `public` unless `create` was given another."""
        return self._content.tenant_id

    @property
    def handle(self) -> str:
        """Its public name. It is no secret: it can be shown, logged and used to revoke."""
        return self._content.session_handle

    @property
    def access_token(self) -> str:
        """The access token as text. Whoever has it is the user until it expires: never log it."""
        return self._text

    @property
    def access_token_payload(self) -> dict[str, Any]:
        """A copy of the whole payload of the access token, standard and custom claims."""
        return self._content.claims()

    @property
    def claims(self) -> Payload:
        """The application's own claims in the access token. Raises `InvalidClaimsError` if they do not fit the model."""
        return self._types.read_payload(self._content.custom)

    @property
    def authenticated_at(self) -> datetime | None:
        """When the user was authenticated last, by whichever factor (UTC); `None` if the application did not say."""
        known = self._content.authenticated
        return None if known is None else moment(known.auth_time * 1000)

    @property
    def factors(self) -> dict[str, datetime]:
        """When the user was authenticated last by each factor (UTC): names of RFC 8176, empty if the application said none."""
        known = self._content.authenticated
        return {} if known is None else {name: moment(at * 1000) for name, at in known.factors.items()}

    @property
    def acr(self) -> str | None:
        """The assurance level that the session has reached, `None` if the application gave none."""
        known = self._content.authenticated
        return None if known is None else known.acr

    @property
    def expires_at(self) -> datetime:
        """When the access token ends (UTC). The session itself goes on with the next refresh."""
        return moment(self._content.expires_at * 1000)

    @property
    def tokens(self) -> SessionTokens:
        """All tokens, for a caller that attaches them itself; the response of this request has them in any case."""
        tokens = self._tokens or Tokens(
            access_token=self._text,
            access_token_expires_at=self._content.expires_at * 1000,
            claims=self._content.claims(),
            anti_csrf_token=self._content.anti_csrf_token,
        )
        return SessionTokens(
            access_token=tokens.access_token,
            refresh_token=tokens.refresh_token,
            front_token=front_token(tokens),
            anti_csrf_token=tokens.anti_csrf_token,
            is_new=self._tokens is not None,
        )

    async def revoke(self, *, reason: EndReason | str = "signed_out", circumstances: Circumstances = NOT_KNOWN) -> None:
        """End the session and clear the client's tokens. Raises `StoreUnavailable`, and then it has not ended.

        *reason* and *circumstances* are told by the event `SessionRevoked`.

        If another one has taken its place, that one goes on and the tokens are kept: raises `TryRefreshTokenError`, or after a
        while `UnauthorisedError`.
        """
        if not await self._sessions.revoke(self.handle, reason=reason, circumstances=circumstances):
            refusal = await self._refusal()
            if not refusal.clears_tokens:
                self._exchange.refuse(refusal)
                raise refusal
        self._exchange.clear()

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
        """Set the value of *claim*, fetched now, and send the new access token. Raises as above."""
        await self.merge_into_access_token_payload(claim.entry(value, now=self._sessions.now()))

    def get_claim_value(self, claim: Claim[T]) -> T | None:
        """Return the value of *claim* in the access token, `None` if it has none."""
        return claim.value(self._content.custom)

    async def remove_claim(self, claim: Claim[Any]) -> None:
        """Remove the value of *claim*, and send the new access token. Raises as above."""
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
            refusal = claims_refusal(checked.failures).about(self.handle)
            self._exchange.refuse(refusal)
            raise refusal

    async def elevate(self, *methods: str, acr: str | None = None) -> None:
        """Note that the user was just authenticated again by *methods*, as "otp" (RFC 8176), which reach the level *acr*.

        Another session takes the place of this one, with all that it has, and its tokens are sent with the response: whoever
        holds the tokens of before, as a thief may, is not elevated. The handle changes, and the deadlines begin anew.

        Raises `ConfigurationError` if the response has started, `ImpersonatedSessionError`, `UnauthorisedError` or
        `TryRefreshTokenError` if the session has ended, `PayloadError` for what is no method or if the token would be too long,
        `StoreUnavailable`.
        """
        exchange, sessions = self._exchange, self._sessions
        exchange.ensure_not_started()
        try:
            issued = await sessions.elevate(self._content, Authentication(methods, acr))
        except SessionError as error:
            exchange.refuse(error)
            raise
        self._begun = Begun(issued.access_token.session_handle, self._method, sessions)
        if sessions is not exchange.sessions:  # it began in a transaction that is still open
            exchange.count_only_if_committed(self._begun)
        exchange.begin(issued, self._begun)
        self._content, self._text, self._tokens = issued.access_token, issued.tokens.access_token, issued.tokens

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

    async def _catch_up(self, stored: Json | None) -> None:
        """Take over what another dependency of this request changed, and the claims *stored* now if the store was asked."""
        changed = self._exchange.issued
        if changed is not None and changed.access_token.session_handle == self.handle:
            self._send(changed)
        if stored is not None and not is_same(stored, self._content.custom):
            self._send(await self._sessions.reissue(self._content, stored))

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
