"""What the OpenAPI document says of sessions: cookie or bearer, either will do, and the answers of a refusal.

FastAPI gives a dependency one security scheme, and no responses. So a provider of sessions carries the cookie scheme as a
mark, and the document of an application that `install` was called on is completed from it.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.models import APIKey, APIKeyIn, HTTPBearer

from fastapi_session.config import SessionConfig
from fastapi_session.web.transport import ACCESS_COOKIE

REQUIRED = "SessionCookie"
OPTIONAL = "OptionalSessionCookie"
BEARER = "SessionBearer"

COOKIE_SCHEME = APIKey(
    **{"in": APIKeyIn.cookie}, name=ACCESS_COOKIE, description="The access token in a cookie, set at sign-in."
)
_BEARER_SCHEME = HTTPBearer(bearerFormat="JWT", description="The access token as `Authorization: Bearer`.")


def scheme_name(*, required: bool) -> str:
    """Answer the mark of an operation that needs a session, or that knows one if it comes."""
    return REQUIRED if required else OPTIONAL


def document_sessions(app: FastAPI, config: SessionConfig) -> None:
    """Have the OpenAPI document of *app* say both ways to bring a session, and the answers without one."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        return _completed(generate(), config)

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend the document


def _completed(document: dict[str, Any], config: SessionConfig) -> dict[str, Any]:
    operations = [
        operation
        for path in document.get("paths", {}).values()
        for operation in path.values()
        if isinstance(operation, dict) and _marks(operation)
    ]
    for operation in operations:
        _complete(operation, config)
    schemes = document.get("components", {}).get("securitySchemes", {})
    if schemes.pop(OPTIONAL, None) or REQUIRED in schemes:
        schemes[REQUIRED] = COOKIE_SCHEME.model_dump(mode="json", by_alias=True, exclude_none=True)
        schemes[BEARER] = _BEARER_SCHEME.model_dump(mode="json", by_alias=True, exclude_none=True)
    return document


def _marks(operation: dict[str, Any]) -> set[str]:
    return {name for requirement in operation.get("security", ()) for name in requirement} & {REQUIRED, OPTIONAL}


def _complete(operation: dict[str, Any], config: SessionConfig) -> None:
    others = [given for given in operation["security"] if not given.keys() & {REQUIRED, OPTIONAL, BEARER}]
    anonymous: list[dict[str, list[str]]] = [] if REQUIRED in _marks(operation) else [{}]
    operation["security"] = [{REQUIRED: []}, {BEARER: []}, *others, *anonymous]
    for status, description in (
        (config.session_expired_status_code, "No session (`unauthorised`), or one to refresh (`try refresh token`)"),
        (config.invalid_claim_status_code, "The session does not satisfy the claims asked for"),
    ):
        operation["responses"].setdefault(str(status), {"description": description, "content": _message()})


def _message() -> dict[str, Any]:
    schema = {"type": "object", "properties": {"message": {"type": "string"}}, "required": ["message"]}
    return {"application/json": {"schema": schema}}
