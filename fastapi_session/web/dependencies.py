"""The providers for `Depends`: `verify_session()`, `create_session()`, `refresh_session()`, `get_sessions()`.

A provider is a frozen value, not a closure: two that ask the same are equal, so FastAPI runs them once a request, and
`app.dependency_overrides[verify_session()]` finds them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from fastapi.security.base import SecurityBase
from starlette.requests import HTTPConnection

from fastapi_session.model import PUBLIC_TENANT, Json
from fastapi_session.sessions import Sessions
from fastapi_session.web.exchange import exchange_of
from fastapi_session.web.openapi import COOKIE_SCHEME, scheme_name
from fastapi_session.web.session import Session
from fastapi_session.web.session_requests import (
    create_new_session_in_request,
    get_session_from_request,
    refresh_session_in_request,
)


@dataclass(frozen=True)
class VerifySession(SecurityBase):
    """Provides the session that the request proves."""

    session_required: bool = True
    anti_csrf_check: bool | None = None
    check_database: bool = False
    scheme_name: str = field(init=False, compare=False, repr=False)

    model = COOKIE_SCHEME

    def __post_init__(self) -> None:
        """Tell the OpenAPI document whether a session is needed."""
        object.__setattr__(self, "scheme_name", scheme_name(required=self.session_required))

    async def __call__(self, connection: HTTPConnection) -> Session | None:
        """Answer the session; `None` for OPTIONS and TRACE, which browsers send without credentials."""
        if connection.scope.get("method") in ("OPTIONS", "TRACE"):
            return None
        return await get_session_from_request(
            connection,
            session_required=self.session_required,
            anti_csrf_check=self.anti_csrf_check,
            check_database=self.check_database,
        )


def verify_session(
    *, session_required: bool = True, anti_csrf_check: bool | None = None, check_database: bool = False
) -> VerifySession:
    """Provide the `Session` of a request, or refuse the request.

    *session_required=False* provides `None` where no token of ours came. *anti_csrf_check* is by default done for every
    method but GET. *check_database=True* asks the store whether the session is still there: a revoked one ends at once,
    at the cost of one round trip.

    The request is refused with 401 "unauthorised" or "try refresh token", with *check_database* also 503.
    """
    return VerifySession(
        session_required=session_required, anti_csrf_check=anti_csrf_check, check_database=check_database
    )


class CreateSession:
    """Begins a session in this request: `session = await create(user_id)`."""

    def __init__(self, connection: HTTPConnection) -> None:
        self._connection = connection

    async def __call__(
        self,
        user_id: str,
        *,
        tenant_id: str = PUBLIC_TENANT,
        recipe_user_id: str | None = None,
        access_token_payload: Json | None = None,
        session_data: Json | None = None,
    ) -> Session:
        """Begin a session of *user_id* and send its tokens with the response; see `create_new_session_in_request`."""
        return await create_new_session_in_request(
            self._connection,
            user_id,
            tenant_id=tenant_id,
            recipe_user_id=recipe_user_id,
            access_token_payload=access_token_payload,
            session_data=session_data,
        )


@dataclass(frozen=True)
class ProvideCreateSession:
    """Provides a `CreateSession`."""

    async def __call__(self, connection: HTTPConnection) -> CreateSession:
        """Answer what begins a session in this request."""
        exchange_of(connection)
        return CreateSession(connection)


def create_session() -> ProvideCreateSession:
    """Provide a `CreateSession`, with which a route that has checked who the user is begins their session."""
    return ProvideCreateSession()


class RefreshSession:
    """Refreshes the session of this request: `session = await refresh()`."""

    def __init__(self, connection: HTTPConnection) -> None:
        self._connection = connection

    async def __call__(self) -> Session:
        """Exchange the refresh token that came for new tokens; see `refresh_session_in_request`."""
        return await refresh_session_in_request(self._connection)


@dataclass(frozen=True)
class ProvideRefreshSession:
    """Provides a `RefreshSession`."""

    async def __call__(self, connection: HTTPConnection) -> RefreshSession:
        """Answer what refreshes the session of this request."""
        exchange_of(connection)
        return RefreshSession(connection)


def refresh_session() -> ProvideRefreshSession:
    """Provide a `RefreshSession`. Most applications will not need it: `session_router()` has the refresh endpoint."""
    return ProvideRefreshSession()


@dataclass(frozen=True)
class GetSessions:
    """Provides the engine."""

    async def __call__(self, connection: HTTPConnection) -> Sessions:
        """Answer the engine of the application that serves this request."""
        return exchange_of(connection).sessions


def get_sessions() -> GetSessions:
    """Provide `Sessions`, the engine: sessions by handle and by user, whoever asks."""
    return GetSessions()
