"""Sessions for FastAPI, in your own process: short access tokens, rotating refresh tokens, theft detection."""

from fastapi_session.admin.router import admin_router
from fastapi_session.clock import Clock, system_clock
from fastapi_session.config import SessionConfig
from fastapi_session.config.lifetimes import Lifetime, SessionKind
from fastapi_session.config.session_limit import SessionLimit
from fastapi_session.core.access_token import AccessToken
from fastapi_session.core.anti_csrf import AntiCsrfProof
from fastapi_session.core.authentication import Authentication
from fastapi_session.core.claims.claim import Claim
from fastapi_session.core.claims.persons import NotGuest, NotImpersonated
from fastapi_session.core.claims.ready_made import BooleanClaim, PrimitiveArrayClaim, PrimitiveClaim
from fastapi_session.core.claims.step_up import Acr, AnyOf, Factor, Fresh
from fastapi_session.core.claims.validators import ClaimRule, ClaimValidator, PayloadRule
from fastapi_session.core.rotation import Verdict
from fastapi_session.device import Device, describe_user_agent
from fastapi_session.engine.tokens.issuing import IssuedSession
from fastapi_session.errors import (
    ClaimFailure,
    ClearDuplicateSessionCookiesError,
    ConfigurationError,
    DpopError,
    DuplicateSessionCookiesError,
    ImpersonationError,
    InvalidClaimsError,
    PayloadError,
    RenewalSkippedError,
    SessionError,
    SessionLimitReached,
    SessionNotBoundError,
    SessionSupersededError,
    StepUpRequired,
    StoreUnavailable,
    TokenTheftError,
    TryRefreshTokenError,
    UnauthorisedError,
    UnprovenKeyError,
)
from fastapi_session.events import (
    AuditEvent,
    ClaimsRejected,
    DeviceBound,
    DeviceMismatch,
    EventPage,
    ImpersonationEnded,
    ImpersonationStarted,
    SessionAdopted,
    SessionCreated,
    SessionElevated,
    SessionEvent,
    SessionRefreshed,
    SessionRevoked,
    TokenTheftDetected,
)
from fastapi_session.external_session import ExternalSession
from fastapi_session.installing import install
from fastapi_session.local_address import safe_next
from fastapi_session.model import Actor, Circumstances, EndReason, Tokens
from fastapi_session.session_information import SessionInformation
from fastapi_session.sessions import Sessions
from fastapi_session.stores.memory import MemoryStore
from fastapi_session.stores.sqlite import SqliteStore
from fastapi_session.web.backchannel_logout import backchannel_logout
from fastapi_session.web.blocking import blocking
from fastapi_session.web.cors import get_all_cors_headers
from fastapi_session.web.creating import attach_session_to_request, create_new_session_in_request
from fastapi_session.web.dependencies import (
    CreateSession,
    RefreshSession,
    create_session,
    get_sessions,
    refresh_session,
    verify_session,
)
from fastapi_session.web.devices import devices_router
from fastapi_session.web.forward_auth.router import forward_auth_router
from fastapi_session.web.forward_auth.rules import Rule
from fastapi_session.web.given_token import session_from_token
from fastapi_session.web.guard import guarded
from fastapi_session.web.introspection.router import introspection_router
from fastapi_session.web.refreshing import refresh_session_in_request
from fastapi_session.web.router import session_router
from fastapi_session.web.session import Session
from fastapi_session.web.session_tokens import SessionTokens
from fastapi_session.web.transport import front_token
from fastapi_session.web.verifying import get_session_from_request

__all__ = [
    "AccessToken",
    "Acr",
    "Actor",
    "AntiCsrfProof",
    "AnyOf",
    "AuditEvent",
    "Authentication",
    "BooleanClaim",
    "Circumstances",
    "Claim",
    "ClaimFailure",
    "ClaimRule",
    "ClaimValidator",
    "ClaimsRejected",
    "ClearDuplicateSessionCookiesError",
    "Clock",
    "ConfigurationError",
    "CreateSession",
    "Device",
    "DeviceBound",
    "DeviceMismatch",
    "DpopError",
    "DuplicateSessionCookiesError",
    "EndReason",
    "EventPage",
    "ExternalSession",
    "Factor",
    "Fresh",
    "ImpersonationEnded",
    "ImpersonationError",
    "ImpersonationStarted",
    "InvalidClaimsError",
    "IssuedSession",
    "Lifetime",
    "MemoryStore",
    "NotGuest",
    "NotImpersonated",
    "PayloadError",
    "PayloadRule",
    "PrimitiveArrayClaim",
    "PrimitiveClaim",
    "RefreshSession",
    "RenewalSkippedError",
    "Rule",
    "Session",
    "SessionAdopted",
    "SessionConfig",
    "SessionCreated",
    "SessionElevated",
    "SessionError",
    "SessionEvent",
    "SessionInformation",
    "SessionKind",
    "SessionLimit",
    "SessionLimitReached",
    "SessionNotBoundError",
    "SessionRefreshed",
    "SessionRevoked",
    "SessionSupersededError",
    "SessionTokens",
    "Sessions",
    "SqliteStore",
    "StepUpRequired",
    "StoreUnavailable",
    "TokenTheftDetected",
    "TokenTheftError",
    "Tokens",
    "TryRefreshTokenError",
    "UnauthorisedError",
    "UnprovenKeyError",
    "Verdict",
    "admin_router",
    "attach_session_to_request",
    "backchannel_logout",
    "blocking",
    "create_new_session_in_request",
    "create_session",
    "describe_user_agent",
    "devices_router",
    "forward_auth_router",
    "front_token",
    "get_all_cors_headers",
    "get_session_from_request",
    "get_sessions",
    "guarded",
    "install",
    "introspection_router",
    "refresh_session",
    "refresh_session_in_request",
    "safe_next",
    "session_from_token",
    "session_router",
    "system_clock",
    "verify_session",
]
