"""Verifying: the access token that came with a request becomes its session, if it meets what the route requires.

| the request | its session |
|---|---|
| has begun or refreshed one itself | that one, whatever token came |
| brings an access token that `Sessions.verify` accepts, by the scheme `DPoP` with a proof | that of the token, as this request has changed it since |
| brings no access token of ours, but a login that is adopted | that one, as the tables of `adopting` say |
| brings neither | `None` if none is required, else refused |
| anything else | refused |

What has to be proved of the key of its session:

| the token | came in a cookie | came in a header |
|---|---|---|
| says a DPoP key | that key | that key |
| says that its browser has a key | nothing: the browser proves it at each refresh | it is refused: no browser sends it so |
| says nothing, and the route asks for a bound session | the store is asked; if a browser has bound it meanwhile, a new token says so | as beside, and then it is refused |

A session is returned once its claims satisfy the validators of all routes and of this one. A refusal is recorded in the
`Exchange` before it is raised.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, overload

from fastapi.security.base import SecurityBase
from starlette.requests import HTTPConnection

from fastapi_session.config import SessionConfig
from fastapi_session.core.anti_csrf import NOT_ASKED, AntiCsrfProof
from fastapi_session.core.claims.validators import ClaimValidator, validators_of
from fastapi_session.errors import SessionError, TryRefreshTokenError, UnauthorisedError
from fastapi_session.model import Json
from fastapi_session.web.adopting import adopt_login
from fastapi_session.web.binding.dpop_requests import verified_by_proof
from fastapi_session.web.browsers import is_configured_origin
from fastapi_session.web.exchange import Exchange, exchange_of
from fastapi_session.web.openapi import COOKIE_SCHEME, scheme_name
from fastapi_session.web.session import Session, begun_session
from fastapi_session.web.session_types import Data, Payload, SessionTypes
from fastapi_session.web.token_choice import anti_csrf_proof, presented_access_token
from fastapi_session.web.transport import Method

OverrideValidators = Callable[[Sequence[ClaimValidator], Session[Any, Any]], Iterable[ClaimValidator]]
"""Returns the validators of one route, given the global ones and the session."""


@dataclass(frozen=True, eq=False)
class SessionProvider(SecurityBase, Generic[Payload, Data]):
    """Provides the session of a request that meets these requirements; `verify_session` explains each of them."""

    # Two providers are equal only if they are the same: FastAPI looks one up three times a request, and by identity that takes
    # a microsecond less. `verify_session` returns the same one for the same requirements.

    validators: tuple[ClaimValidator, ...] = ()
    session_required: bool = True
    anti_csrf_check: bool | None = None
    check_database: bool = False
    bound: bool = False
    override_global_claim_validators: OverrideValidators | None = None
    types: SessionTypes[Payload, Data] = field(default_factory=SessionTypes)
    scheme_name: str = field(init=False, repr=False)

    model = COOKIE_SCHEME

    def __post_init__(self) -> None:
        """Name the scheme by which the OpenAPI document says whether a session is needed. Raises `ConfigurationError` for what is no validator."""
        validators_of(self.validators)
        object.__setattr__(self, "scheme_name", scheme_name(required=self.session_required))

    async def __call__(self, connection: HTTPConnection) -> Session[Payload, Data] | None:
        """Return the session of the request, as the table says. `None` only if none is required and no token of ours came."""
        # One coroutine, without a function for each step: each more would cost every request a microsecond. No HTTP method is
        # exempt: FastAPI runs providers only for those of the route, and the CORS middleware responds to a preflight before.
        http_method = connection.scope.get("method", "GET")  # a socket has none in its scope, and is opened by a GET
        exchange = exchange_of(connection)
        session: Session[Payload, Data] | None = None
        method: Method | None = None
        stored: Json | None = None
        try:
            if exchange.begun is not None:
                session = begun_session(exchange, self.types)
            else:
                method, presented = presented_access_token(connection, exchange)
                if presented is None:
                    method = None  # of no token
                    return await self._without_token(connection, exchange, http_method)
                proof = NOT_ASKED if method == "header" else self._proof(connection, exchange, http_method)
                content = await (
                    verified_by_proof(connection, exchange, presented, check_database=self.check_database)
                    if exchange.proves
                    else exchange.sessions.verify(presented, check_database=self.check_database, proof=proof)
                )
                session = Session(
                    presented.content, exchange.access_token, exchange=exchange, method=method, types=self.types
                )
                stored = content.custom if self.check_database else None
            if self.bound or self.check_database or exchange.issued is not None or session._content.is_device_bound:
                await session._catch_up(stored, bound=self.bound)
            globally, override = exchange.sessions.validators, self.override_global_claim_validators
            validators = (globally if override is None else tuple(override(globally, session))) + self.validators
            session.validators = validators
            if validators:
                await session.assert_claims(*validators)
            if self.types.payload is not None:
                session._check_shape()
            if exchange.guard is not None:
                exchange.guard(session)
        except SessionError as error:
            exchange.refuse_token(error if session is None else error.about(session.handle), method)
            raise
        return session

    async def _without_token(
        self, connection: HTTPConnection, exchange: Exchange, http_method: str
    ) -> Session[Payload, Data] | None:
        """Return the session of a login of another system, if one came; else `None`, if none is required."""
        if exchange.adopters:
            proof = self._proof(connection, exchange, http_method)
            if await adopt_login(connection, exchange, proof=proof):
                return await self(connection)  # which finds a session that this request has begun
        if not self.session_required:
            return None
        if exchange.credentials(connection).has_legacy_cookie:
            raise TryRefreshTokenError("a cookie of a legacy session came, and no access token of ours")
        raise UnauthorisedError("no access token of ours came with the request")

    def _proof(self, connection: HTTPConnection, exchange: Exchange, http_method: str) -> AntiCsrfProof:
        """Return what a request whose token came in a cookie, which browsers send by themselves, offers against forgery."""
        if connection.scope["type"] == "websocket":
            _ensure_own_origin(connection, exchange.sessions.config)
        is_asked = http_method != "GET" if self.anti_csrf_check is None else self.anti_csrf_check
        return anti_csrf_proof(connection, exchange, method="cookie") if is_asked else NOT_ASKED


def _ensure_own_origin(connection: HTTPConnection, config: SessionConfig) -> None:
    """Raise `UnauthorisedError` unless a page of the website or the API opens the socket."""
    # SameSite does not keep a sibling subdomain out, and a browser sends no CORS preflight for a WebSocket, so the server has
    # to look. A client that sends no Origin is no browser, and no page can have tricked it.
    given = connection.headers.get("origin")
    if given is not None and not is_configured_origin(given, config):
        raise UnauthorisedError("the socket was opened by a page of another origin")


@overload
async def get_session_from_request(
    connection: HTTPConnection,
    *validators: ClaimValidator,
    session_required: Literal[True] = True,
    anti_csrf_check: bool | None = None,
    check_database: bool = False,
    bound: bool = False,
    override_global_claim_validators: OverrideValidators | None = None,
    payload: type[Payload] | None = None,
    data: type[Data] | None = None,
) -> Session[Payload, Data]: ...


@overload
async def get_session_from_request(
    connection: HTTPConnection,
    *validators: ClaimValidator,
    session_required: bool,
    anti_csrf_check: bool | None = None,
    check_database: bool = False,
    bound: bool = False,
    override_global_claim_validators: OverrideValidators | None = None,
    payload: type[Payload] | None = None,
    data: type[Data] | None = None,
) -> Session[Payload, Data] | None: ...


async def get_session_from_request(
    connection: HTTPConnection,
    *validators: ClaimValidator,
    session_required: bool = True,
    anti_csrf_check: bool | None = None,
    check_database: bool = False,
    bound: bool = False,
    override_global_claim_validators: OverrideValidators | None = None,
    payload: type[Payload] | None = None,
    data: type[Data] | None = None,
) -> Session[Payload, Data] | None:
    """Return the session of the request, once it satisfies the global validators and *validators*.

    `None` only if *session_required* is false and no token of ours came. *anti_csrf_check* is by default done for every
    method but GET, and never for a bearer token. *bound* asks for a session that is bound to a key.
    *override_global_claim_validators* returns others in place of the global validators; *payload* and *data* are the Pydantic models of a `Session[Payload, Data]`.

    Raises `UnauthorisedError`, `TryRefreshTokenError`, `SessionNotBoundError`, `InvalidClaimsError`, and with *check_database* or if a claim
    has to be fetched `StoreUnavailable`; `ConfigurationError` for what is no validator.
    """
    provider = SessionProvider(
        validators=validators,
        session_required=session_required,
        anti_csrf_check=anti_csrf_check,
        check_database=check_database,
        bound=bound,
        override_global_claim_validators=override_global_claim_validators,
        types=SessionTypes(payload, data),
    )
    return await provider(connection)
