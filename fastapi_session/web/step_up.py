"""The response that asks for a step-up: a challenge as RFC 9470, section 3, has it, and a body for programs that read JSON.

| the request has | status, unless `step_up_status` says one |
|---|---|
| `rid`, `fdi-version` or `st-auth-mode` | `invalid_claim_status_code`: such clients take a 401 for an access token that has expired, and refresh |
| none of them | 401 |
"""

from __future__ import annotations

from collections.abc import Iterable

from fastapi_session.config import SessionConfig
from fastapi_session.errors import StepUpRequired
from fastapi_session.web.transport import (
    AUTH_MODE_HEADER,
    CHALLENGE_HEADER,
    EXPOSE_HEADER,
    FDI_VERSION_HEADER,
    RID_HEADER,
    RawHeaders,
)

ERROR = "insufficient_user_authentication"
DESCRIPTION = "The user has to be authenticated again, or better."

_OF_REFRESHING_CLIENTS = frozenset(name.encode() for name in (RID_HEADER, FDI_VERSION_HEADER, AUTH_MODE_HEADER))


def step_up_status(config: SessionConfig, request_headers: RawHeaders) -> int:
    """Return the status of the response to a request with *request_headers*, as the table says."""
    if config.step_up_status != "auto":
        return config.step_up_status
    refreshes = any(name in _OF_REFRESHING_CLIENTS for name, _ in request_headers)
    return config.invalid_claim_status_code if refreshes else 401


def step_up_members(error: StepUpRequired) -> dict[str, object]:
    """Return what the body says beside the failures: the same as the challenge."""
    return dict(_asked(error))


def challenge_headers(error: StepUpRequired, scheme: str = "Bearer") -> dict[str, str]:
    """Return the challenge as a header, for a token that came by *scheme*, exposed to the scripts of other origins too."""
    told = {"error": ERROR, "error_description": DESCRIPTION, **step_up_members(error)}
    parameters = ", ".join(f"{name}={_quoted(str(value))}" for name, value in told.items())
    return {CHALLENGE_HEADER: f"{scheme} {parameters}", EXPOSE_HEADER: CHALLENGE_HEADER}


def _asked(error: StepUpRequired) -> Iterable[tuple[str, object]]:
    """Yield what is demanded: only what is not met is named."""
    yield "error", ERROR
    if error.acr_values:
        yield "acr_values", " ".join(error.acr_values)
    if error.max_age is not None:
        yield "max_age", error.max_age


def _quoted(value: str) -> str:
    """Return *value* as a quoted string (RFC 9110, section 5.6.4)."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
