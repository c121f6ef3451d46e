"""Sessions for FastAPI, in your own process: short access tokens, rotating refresh tokens, theft detection."""

from fastapi_session.clock import Clock, system_clock
from fastapi_session.config import SessionConfig
from fastapi_session.core.access_token import AccessToken
from fastapi_session.core.rotation import Verdict
from fastapi_session.engine.minting import IssuedSession
from fastapi_session.errors import (
    ClaimFailure,
    ClearDuplicateSessionCookiesError,
    ConfigurationError,
    DuplicateSessionCookiesError,
    InvalidClaimsError,
    PayloadError,
    SessionError,
    StoreUnavailable,
    TokenTheftError,
    TryRefreshTokenError,
    UnauthorisedError,
)
from fastapi_session.model import SessionInformation, Tokens
from fastapi_session.sessions import Sessions
from fastapi_session.stores.memory import MemoryStore
from fastapi_session.stores.sqlite import SqliteStore
from fastapi_session.web.cors import get_all_cors_headers
from fastapi_session.web.dependencies import (
    CreateSession,
    RefreshSession,
    create_session,
    get_sessions,
    refresh_session,
    verify_session,
)
from fastapi_session.web.install import install
from fastapi_session.web.router import session_router
from fastapi_session.web.session import Session
from fastapi_session.web.session_requests import (
    create_new_session_in_request,
    get_session_from_request,
    refresh_session_in_request,
)

__all__ = [
    "AccessToken",
    "ClaimFailure",
    "ClearDuplicateSessionCookiesError",
    "Clock",
    "ConfigurationError",
    "CreateSession",
    "DuplicateSessionCookiesError",
    "InvalidClaimsError",
    "IssuedSession",
    "MemoryStore",
    "PayloadError",
    "RefreshSession",
    "Session",
    "SessionConfig",
    "SessionError",
    "SessionInformation",
    "Sessions",
    "SqliteStore",
    "StoreUnavailable",
    "TokenTheftError",
    "Tokens",
    "TryRefreshTokenError",
    "UnauthorisedError",
    "Verdict",
    "create_new_session_in_request",
    "create_session",
    "get_all_cors_headers",
    "get_session_from_request",
    "get_sessions",
    "install",
    "refresh_session",
    "refresh_session_in_request",
    "session_router",
    "system_clock",
    "verify_session",
]
