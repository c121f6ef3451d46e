"""What a route asks of the session of a request, and the way from the access token that came to the session."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic

from starlette.requests import HTTPConnection

from fastapi_session.core.access_token import AccessToken
from fastapi_session.core.anti_csrf import NOT_ASKED, AntiCsrfProof
from fastapi_session.core.claims.validators import ClaimValidator
from fastapi_session.errors import SessionError, TryRefreshTokenError, UnauthorisedError
from fastapi_session.web.exchange import Exchange, exchange_of
from fastapi_session.web.proving import session_begun_here
from fastapi_session.web.session import Session
from fastapi_session.web.session_types import Data, Payload, SessionTypes
from fastapi_session.web.token_choice import anti_csrf_proof, presented_access_token
from fastapi_session.web.websocket_origin import ensure_own_origin

OverrideValidators = Callable[[Sequence[ClaimValidator], Session[Any, Any]], Iterable[ClaimValidator]]
"""Answers the validators of one route, given the global ones and the session."""


@dataclass(frozen=True)
class Requirements(Generic[Payload, Data]):
    """The parameters of `verify_session`, whose words explain them."""

    validators: tuple[ClaimValidator, ...] = ()
    session_required: bool = True
    anti_csrf_check: bool | None = None
    check_database: bool = False
    override_global_claim_validators: OverrideValidators | None = None
    types: SessionTypes[Payload, Data] = field(default_factory=SessionTypes)

    async def __call__(self, connection: HTTPConnection) -> Session[Payload, Data] | None:
        """Return the session that the request proves, or that it has begun, once it meets these requirements.

        `None` only if no session is required and no token of ours came. It is one coroutine on purpose: each more would
        cost every request a microsecond.
        """
        http_method = connection.scope.get("method", "GET")  # a socket has none, and is opened by a GET
        exchange = exchange_of(connection)
        session: Session[Payload, Data] | None = None
        try:
            if exchange.begun is not None:
                session = session_begun_here(exchange.begun, exchange, self.types)
            else:
                method, presented = presented_access_token(connection, exchange)
                if presented is None:
                    self._allow_none(connection, exchange)
                    return None
                proof = NOT_ASKED if method == "header" else self._proof(connection, exchange, http_method)
                content = await exchange.sessions.verify(presented, check_database=self.check_database, proof=proof)
                session = Session(presented.content, presented.text, exchange=exchange, method=method, types=self.types)
                if exchange.issued is not None or self.check_database:
                    await self._catch_up(session, exchange, content)
            globally, override = exchange.sessions.validators, self.override_global_claim_validators
            validators = (globally if override is None else tuple(override(globally, session))) + self.validators
            session.validators = validators
            if validators:
                await session.assert_claims(*validators)
            if self.types.payload is not None:
                session.check_shape()
            if exchange.guard is not None:
                exchange.guard(session)
        except SessionError as error:
            raise exchange.refuse(error if session is None else error.about(session.handle))  # noqa: B904  it is the same error
        return session

    async def _catch_up(self, session: Session[Payload, Data], exchange: Exchange, content: AccessToken) -> None:
        """Let *session*, which is what the token says, have what was made of it since."""
        if exchange.issued is not None:
            session.follow(exchange.issued)  # by another dependency of this request
        if self.check_database:
            await session.take_over(content.custom)

    def _allow_none(self, connection: HTTPConnection, exchange: Exchange) -> None:
        if not self.session_required:
            return
        if exchange.credentials(connection).has_legacy_cookie:
            raise TryRefreshTokenError("a cookie of a legacy session came, and no access token of ours")
        raise UnauthorisedError("no access token of ours came with the request")

    def _proof(self, connection: HTTPConnection, exchange: Exchange, http_method: str) -> AntiCsrfProof:
        """Return what a request whose token came in a cookie, which browsers send by themselves, offers against forgery."""
        if connection.scope["type"] == "websocket":
            ensure_own_origin(connection, exchange.sessions.config)
        is_asked = http_method != "GET" if self.anti_csrf_check is None else self.anti_csrf_check
        return anti_csrf_proof(connection, exchange, method="cookie") if is_asked else NOT_ASKED
