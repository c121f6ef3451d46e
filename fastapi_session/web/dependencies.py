"""The providers for `Depends`: `verify_session()`, `create_session()`, `refresh_session()`, `get_sessions()`.

A provider is a frozen value, not a closure. The same arguments return the same object or an equal one: so FastAPI runs it once a
request, and `app.dependency_overrides[verify_session()]` finds it.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic
from weakref import WeakValueDictionary

from fastapi.security.base import SecurityBase
from starlette.requests import HTTPConnection

from fastapi_session.config.lifetimes import AS_CONFIGURED, Lifetime
from fastapi_session.config.session_limit import SessionLimit
from fastapi_session.core.authentication import Authentication
from fastapi_session.core.claims.validators import ClaimValidator, validators_of
from fastapi_session.core.guests import Merge
from fastapi_session.external_session import ExternalSession
from fastapi_session.handles import PUBLIC_TENANT
from fastapi_session.model import GUEST_KIND
from fastapi_session.sessions import Sessions
from fastapi_session.web.creating import create_new_session_in_request
from fastapi_session.web.exchange import exchange_of
from fastapi_session.web.openapi import REFRESH, REFRESH_SCHEME
from fastapi_session.web.refreshing import refresh_session_in_request
from fastapi_session.web.session import Session
from fastapi_session.web.session_types import Data, Payload, SessionTypes
from fastapi_session.web.transport import Method
from fastapi_session.web.uncalled import Uncalled, marked
from fastapi_session.web.verifying import OverrideValidators, SessionProvider

# A cache, so that the same arguments return the same provider: a `SessionProvider` is equal to itself alone, which spares FastAPI's
# look-ups a comparison. It is the one state of the module, and no setting depends on it. Weak, so a provider is dropped when no
# route has it any more.
_PROVIDERS: WeakValueDictionary[Hashable, SessionProvider[Any, Any]] = WeakValueDictionary()
"""Every provider in use, by its requirements."""


def verify_session(
    *validators: Annotated[ClaimValidator, Uncalled("verify_session")],
    session_required: bool = True,
    anti_csrf_check: bool | None = None,
    check_database: bool = False,
    bound: bool = False,
    override_global_claim_validators: OverrideValidators | None = None,
    payload: type[Payload] | None = None,
    data: type[Data] | None = None,
) -> SessionProvider[Payload, Data]:
    """Provide the `Session` of a request or a WebSocket, or refuse it: `session: Annotated[Session, Depends(verify_session())]`.

    The session has to satisfy *validators* and the global ones; *override_global_claim_validators* returns others in place of
    those. *session_required=False* provides `None` if no token of ours came. *anti_csrf_check* is by default done for every
    method but GET. *check_database=True* asks the store whether the session is still there, at the cost of one round trip;
    without it, what another process revoked is known within two seconds. *bound=True* asks for a session that is bound to a
    key of its client. *payload* and *data* are the Pydantic models of a `Session[Payload, Data]`.

    Raises `ConfigurationError` for what is no validator, such as a claim without a rule.

    A request is refused with 401 "unauthorised" or "try refresh token", 403 "invalid claim" or "session not bound", and 503 if
    the store is needed and down.
    """
    asked = (
        validators_of(validators),  # before it is looked up, since a list has no hash
        session_required,
        anti_csrf_check,
        check_database,
        bound,
        override_global_claim_validators,
        SessionTypes(payload, data),
    )
    provider = _PROVIDERS.get(asked)
    if provider is None:
        provider = _PROVIDERS[asked] = SessionProvider(*asked)
    return provider


class CreateSession(Generic[Payload, Data]):
    """Begins a session in this request: `session = await create(user_id)`, or that of a guest: `await create.guest()`."""

    def __init__(self, connection: HTTPConnection, types: SessionTypes[Payload, Data]) -> None:
        self._connection = connection
        self._types = types

    async def __call__(  # noqa: PLR0913 - all but one are named, and a session has that many sides
        self,
        user_id: str,
        *,
        tenant_id: str = PUBLIC_TENANT,
        recipe_user_id: str | None = None,
        access_token_payload: object = None,
        session_data: object = None,
        within: object = None,
        method: Method | None = None,
        lifetime: Lifetime = AS_CONFIGURED,
        authentication: Authentication | None = None,
        limit: SessionLimit | None = None,
        evict: Sequence[str] = (),
        upgrading: Session[Any, Any] | None = None,
        merge: Merge = "keep",
        label: str | None = None,
        device: str | None = None,
        external: ExternalSession | None = None,
    ) -> Session[Payload, Data]:
        """Begin a session of *user_id* and send its tokens with the response. Sessions whose tokens the request brought end.

        *access_token_payload* travels in the access token, where the user can read it; *session_data* stays in the store.
        *tenant_id* is whose user it is, *label* what the user calls the session. *lifetime* chooses how long it lives:
        `Lifetime(kind="web", remember=False)`. *authentication* says how the user was authenticated:
        `Authentication(("pwd", "otp"))`. *method* is "cookie" or "header", by default as the client wishes.
        *within* is a database connection in whose transaction the session is written. *limit* is the limit of the user's
        sessions in the place of the configured one, *evict* the handles of those that end first if it is reached.
        *upgrading* is the guest's session that goes over into this one, with its data as *merge* says. *device* is by what a
        client without cookies is known again, *external* the session at an identity provider with which it ends.

        `create_new_session_in_request` tells more of each. Raises as that does: `PayloadError` for what is no JSON or too long,
        `SessionLimitReached`, `StoreUnavailable`.
        """
        return await create_new_session_in_request(
            self._connection,
            user_id,
            tenant_id=tenant_id,
            recipe_user_id=recipe_user_id,
            access_token_payload=access_token_payload,
            session_data=session_data,
            payload=self._types.payload,
            data=self._types.data,
            within=within,
            method=method,
            lifetime=lifetime,
            authentication=authentication,
            limit=limit,
            evict=evict,
            upgrading=upgrading,
            merge=merge,
            label=label,
            device=device,
            external=external,
        )

    async def guest(
        self,
        *,
        tenant_id: str = PUBLIC_TENANT,
        access_token_payload: object = None,
        session_data: object = None,
        within: object = None,
        method: Method | None = None,
    ) -> Session[Payload, Data]:
        """Begin a session of a guest, with a user id of its own, and send its tokens with the response.

        Its kind is "guest", `session.is_guest` is true, and its token has the claim `is_anonymous`. All else as in a call.
        """
        return await self(
            exchange_of(self._connection).sessions.new_guest_id(),
            tenant_id=tenant_id,
            access_token_payload=access_token_payload,
            session_data=session_data,
            within=within,
            method=method,
            lifetime=Lifetime(GUEST_KIND),
        )


@dataclass(frozen=True)
class CreateSessionProvider(Generic[Payload, Data]):
    """Provides a `CreateSession`."""

    types: SessionTypes[Payload, Data]

    async def __call__(self, connection: HTTPConnection) -> CreateSession[Payload, Data]:
        """Return what begins a session in this request."""
        exchange_of(connection)
        return CreateSession(connection, self.types)


def create_session(
    *,
    payload: Annotated[type[Payload] | None, Uncalled("create_session")] = None,
    data: type[Data] | None = None,
) -> CreateSessionProvider[Payload, Data]:
    """Provide a `CreateSession`, by which a route begins the session of a user it has authenticated.

    `async def login(create: Annotated[CreateSession, Depends(create_session())])`, and in it `await create(user_id)`.
    *payload* and *data* are the Pydantic models of a `Session[Payload, Data]`.
    """
    return CreateSessionProvider(SessionTypes(payload, data))


class RefreshSession:
    """Refreshes the session of this request: `session = await refresh()`."""

    def __init__(self, connection: HTTPConnection) -> None:
        self._connection = connection

    async def __call__(self) -> Session:
        """Exchange the refresh token that came for new tokens; see `refresh_session_in_request`."""
        return await refresh_session_in_request(self._connection)


@dataclass(frozen=True)
class RefreshSessionProvider(SecurityBase):
    """Provides a `RefreshSession`."""

    scheme_name = REFRESH
    model = REFRESH_SCHEME

    async def __call__(self, connection: HTTPConnection) -> RefreshSession:
        """Return what refreshes the session of this request."""
        exchange_of(connection)
        return RefreshSession(connection)


@marked
def refresh_session() -> RefreshSessionProvider:
    """Provide a `RefreshSession`. Most applications will not need it: `session_router()` has the refresh endpoint."""
    return RefreshSessionProvider()


@dataclass(frozen=True)
class SessionsProvider:
    """Provides the engine."""

    async def __call__(self, connection: HTTPConnection) -> Sessions:
        """Return the engine of the application that serves this request."""
        return exchange_of(connection).sessions


@marked
def get_sessions() -> SessionsProvider:
    """Provide `Sessions`, the engine, for sessions by handle and by user: `sessions: Annotated[Sessions, Depends(get_sessions())]`.

    The request needs no session, so the route has to see to it who may do that.
    """
    return SessionsProvider()
