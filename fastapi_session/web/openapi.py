"""Sessions in the OpenAPI document: that a token comes as a cookie or as a bearer token, and the responses of a refusal.

| an operation | security | responses beside its own |
|---|---|---|
| guarded by `verify_session` | the access token, or nothing if it is optional | 401, 403, 503 |
| that refreshes | the refresh token | 401, 503 |

A token may also come by the scheme `DPoP`, if `dpop` is not off; a 401 then says of its challenge.

FastAPI takes one security scheme from a dependency, and no responses. So a provider of sessions has the cookie scheme as a
mark, by which the document of an application with sessions is completed.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.models import APIKey, APIKeyIn, HTTPBase, HTTPBearer

from fastapi_session.config import SessionConfig
from fastapi_session.errors import DpopError, InvalidClaimsError, StepUpRequired, StoreUnavailable, UnauthorisedError
from fastapi_session.web.cookie_names import ACCESS_COOKIE, REFRESH_COOKIE, CookieNames
from fastapi_session.web.error_statuses import status_of
from fastapi_session.web.transport import CHALLENGE_HEADER, FAILED_CLAIMS, NONCE_HEADER, RETRY_AFTER_HEADER

REQUIRED = "SessionCookie"
OPTIONAL = "OptionalSessionCookie"
BEARER = "SessionBearer"
DPOP = "SessionDpop"
REFRESH = "SessionRefreshCookie"
REFRESH_BEARER = "SessionRefreshBearer"
REFRESH_DPOP = "SessionRefreshDpop"

MARKS = {REQUIRED, OPTIONAL, REFRESH}

Document = dict[str, Any]
"""A part of the OpenAPI document, as FastAPI builds it."""

COOKIE_SCHEME = APIKey(
    **{"in": APIKeyIn.cookie}, name=ACCESS_COOKIE, description="The access token in a cookie, set at sign-in."
)
REFRESH_SCHEME = APIKey(
    **{"in": APIKeyIn.cookie},
    name=REFRESH_COOKIE,
    description="The refresh token in a cookie, set at sign-in for this path alone.",
)
_SCHEMES = {
    REQUIRED: COOKIE_SCHEME,
    BEARER: HTTPBearer(bearerFormat="JWT", description="The access token as `Authorization: Bearer`."),
    DPOP: HTTPBase(
        scheme="DPoP", description="The access token as `Authorization: DPoP`, with a proof in `DPoP` (RFC 9449)."
    ),
    REFRESH: REFRESH_SCHEME,
    REFRESH_BEARER: HTTPBearer(description="The refresh token as `Authorization: Bearer`."),
    REFRESH_DPOP: HTTPBase(
        scheme="DPoP", description="The refresh token as `Authorization: DPoP`, with a proof in `DPoP` (RFC 9449)."
    ),
}

_UNAUTHORISED = "No session (`unauthorised`), or one to refresh (`try refresh token`)"
_NOT_REFRESHED = "No session to refresh (`unauthorised`), one whose key was not proved (the same), or a stolen one (`token theft detected`)"
_INVALID_CLAIM = (
    "The session does not satisfy the claims asked for, its user has to be authenticated again (`error`), or it is not bound to a "
    "key (`session not bound`)"
)
_CHALLENGE = {
    CHALLENGE_HEADER: {
        "description": "If the user has to be authenticated again: what is asked for (RFC 9470).",
        "schema": {"type": "string"},
    }
}
_UNPROVED = "A DPoP proof is refused, or missing"
_CHALLENGE_OF_DPOP = {
    CHALLENGE_HEADER: {
        "description": "What is asked for: of a DPoP proof (RFC 9449), or if the user has to be authenticated again (RFC 9470).",
        "schema": {"type": "string"},
    },
    NONCE_HEADER: {
        "description": "The nonce for the next DPoP proof, if one is asked for.",
        "schema": {"type": "string"},
    },
}
_UNAVAILABLE = "The session store is down or too slow, nothing has changed: come again"

_FAILURE = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "description": "The validator that was not satisfied."},
        "reason": {"description": "What it says of that, any JSON."},
    },
    "required": ["id"],
}


def scheme_name(*, required: bool) -> str:
    """Return the mark of an operation that needs a session, or for which it is optional."""
    return REQUIRED if required else OPTIONAL


def document_sessions(app: FastAPI, config: SessionConfig) -> None:
    """Have the OpenAPI document of *app* say both ways to bring a session, and the responses without one."""
    generate = app.openapi

    def openapi() -> Document:
        return _completed(generate(), config)

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend the document


def _completed(document: Document, config: SessionConfig) -> Document:
    operations = [
        operation
        for path in document.get("paths", {}).values()
        for operation in path.values()
        if isinstance(operation, dict) and _marks(operation)
    ]
    for operation in operations:
        _complete(operation, config)
    schemes = document.get("components", {}).get("securitySchemes", {})
    schemes.pop(OPTIONAL, None)
    cookies = CookieNames.of(config).on_wire
    for name in sorted(_named(operations) & _SCHEMES.keys()):
        scheme = _SCHEMES[name].model_dump(mode="json", by_alias=True, exclude_none=True)
        schemes[name] = scheme | {"name": cookies[scheme["name"]]} if "name" in scheme else scheme
    return document


def _named(operations: list[Document]) -> set[str]:
    return {name for operation in operations for requirement in operation.get("security", ()) for name in requirement}


def _marks(operation: Document) -> set[str]:
    return _named([operation]) & MARKS


def _complete(operation: Document, config: SessionConfig) -> None:
    marks = _marks(operation)
    is_guarded = not marks.isdisjoint({REQUIRED, OPTIONAL})
    others = [given for given in operation["security"] if given.keys().isdisjoint({OPTIONAL, *_SCHEMES})]
    ways = [REQUIRED, BEARER, DPOP] if is_guarded else []
    if REFRESH in marks:
        ways += [REFRESH, REFRESH_BEARER, REFRESH_DPOP]
    proves = config.dpop != "off"
    brought: list[dict[str, list[str]]] = [{way: []} for way in ways if proves or way not in {DPOP, REFRESH_DPOP}]
    anonymous: list[dict[str, list[str]]] = [{}] if marks == {OPTIONAL} else []
    operation["security"] = [*brought, *others, *anonymous]
    for status, response in _refusals(config, is_guarded=is_guarded).items():
        operation["responses"].setdefault(str(status), response)


def _refusals(config: SessionConfig, *, is_guarded: bool) -> dict[int, Document]:
    """Return the responses of a refusal by their status. A refresh checks no claims."""
    unauthorised = _UNAUTHORISED if is_guarded else _NOT_REFRESHED
    refusals = {status_of(UnauthorisedError, config): _response(unauthorised)}
    if is_guarded:
        failures = {FAILED_CLAIMS: {"type": "array", "items": _FAILURE}}
        refusals.setdefault(status_of(InvalidClaimsError, config), _response(_INVALID_CLAIM, **failures))
        for status in {status_of(StepUpRequired, config), status_of(InvalidClaimsError, config)} & refusals.keys():
            refusals[status]["headers"] = _CHALLENGE
    if config.dpop != "off":
        refused = refusals.setdefault(status_of(DpopError, config), _response(_UNPROVED))
        refused["headers"] = {**refused.get("headers", {}), **_CHALLENGE_OF_DPOP}
    unavailable = _response(_UNAVAILABLE)
    unavailable["headers"] = {RETRY_AFTER_HEADER: {"description": "Seconds.", "schema": {"type": "integer"}}}
    return {**refusals, status_of(StoreUnavailable, config): unavailable}


def _response(description: str, **properties: Document) -> Document:
    schema = {
        "type": "object",
        "properties": {"message": {"type": "string"}, **properties},
        "required": ["message"],  # a session that is not bound has no claims that failed
    }
    return {"description": description, "content": {"application/json": {"schema": schema}}}
