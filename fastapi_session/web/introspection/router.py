"""The endpoints for services: `POST {prefix}/introspect` says what a token is worth now, and `POST {prefix}/revoke` ends its session.

| | RFC | reads the store | writes there | response |
|---|---|---|---|---|
| introspection | 7662 | yes, for a genuine token | no | as the table of `asking` says |
| revocation | 7009 | yes, for a genuine token | ends the session, as the table of `ending` says | 200, whatever the token was |

Both are for clients with a secret, as the table of `clients` says, and refuse as that of `responses` says. Who asks is found out before
the body is read. The token is in the body alone: what is in a URL is in logs. `token_type_hint` changes nothing, since the form of a
token says what it is.

A parameter without a value counts as omitted, and one that has two is refused (RFC 6749, section 3.2, which says so of the endpoint that
makes tokens; RFC 7662 and RFC 7009 say nothing of it).

No cookie is read, and none is sent: a page that lets a browser send such a request brings no session along, and no secret. So there is no
anti-CSRF check.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.openapi.models import HTTPBase
from fastapi.responses import Response
from fastapi.security.base import SecurityBase
from pydantic import SecretStr
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from fastapi_session import endpoint_paths
from fastapi_session.errors import ConfigurationError, StoreUnavailable
from fastapi_session.model import Circumstances
from fastapi_session.sessions import Sessions
from fastapi_session.web.circumstances import circumstances_of
from fastapi_session.web.dependencies import get_sessions
from fastapi_session.web.form_body import FORM, NoForm, form_fields
from fastapi_session.web.introspection.asking import Disclosure, Names, told
from fastapi_session.web.introspection.clients import (
    Clients,
    ClientsUnavailable,
    KnownClients,
    client_of,
    known_clients,
)
from fastapi_session.web.introspection.ending import UnsupportedTokenType, end
from fastapi_session.web.introspection.responses import (
    InvalidRequest,
    come_again,
    done,
    invalid_client,
    invalid_request,
    said,
    unsupported_token_type,
    wrong_method,
)
from fastapi_session.web.prefixes import ensure_prefix
from fastapi_session.web.published_endpoints import INTROSPECTION_NAME, REVOCATION_NAME

NO_AUDIENCES: Mapping[str, Names] = MappingProxyType({})
CREDENTIALS = frozenset({"client_secret", "client_assertion", "client_assertion_type"})
"""Fields by which a client says who it is in another way."""

_FORM = {
    "required": True,
    "content": {
        FORM: {
            "schema": {
                "type": "object",
                "required": ["token"],
                "properties": {"token": {"type": "string"}, "token_type_hint": {"type": "string"}},
            }
        }
    },
}
_TOLD = {
    "type": "object",
    "required": ["active"],
    "properties": {
        "active": {"type": "boolean"},
        **{name: {"type": "string"} for name in ("token_type", "iss", "sub", "sid", "tId", "aud", "scope", "acr")},
        **{name: {"type": "integer"} for name in ("iat", "exp", "auth_time")},
        "amr": {"type": "array", "items": {"type": "string"}},
        **{name: {"type": "object"} for name in ("act", "cnf")},
        **{name: {"type": "boolean"} for name in ("is_anonymous", "deviceBound")},
    },
}
_REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"description": "The request is not as it has to be (`invalid_request`)"},
    401: {"description": "It is no client (`invalid_client`)"},
    503: {"description": "The session store is down or too slow, nothing has changed: come again"},
}

logger = logging.getLogger("fastapi_session")


def introspection_router(
    clients: Clients,
    *,
    prefix: str = "/auth",
    claims: Names | Mapping[str, Names] = (),
    audiences: Mapping[str, str | Names] = NO_AUDIENCES,
    introspect: bool = True,
    revoke: bool = True,
) -> APIRouter:
    """Return the router by which other services ask what a token is worth, and end its session: `introspect` and `revoke` below *prefix*.

    *clients* are the services: their secrets by their ids, of at least 32 random characters each, in a list while one is being
    replaced; or a function, async or not, that is given an id and a secret and returns `True` if a client has them.
    *claims* are the names of those of your payload that all clients are told, or, by client id, that each is told; by default none.
    *audiences* are, by client id, those for which `session.token_for(audience)` makes tokens that the client may ask about; else that is
    its id. With *introspect=False* or *revoke=False* one of the endpoints is left out.

    Raises `ConfigurationError` if there is no client, a secret is easy to guess, something is for a client that is none, or a setting
    is of another kind.
    """
    if not introspect and not revoke:
        raise ConfigurationError("introspection_router: leave one endpoint there, introspect or revoke")
    disclosure = Disclosure(claims, audiences)
    endpoints = _Endpoints(known_clients(clients), disclosure)
    if isinstance(clients, Mapping):  # else whoever knows them is asked at each request
        disclosure.ensure_clients(clients)
    ensure_prefix(prefix, of="introspection_router")
    router = APIRouter(prefix=prefix, tags=["services"], dependencies=[Depends(_ClientScheme())])
    if introspect:
        _serve(router, endpoint_paths.INTROSPECTION, endpoints.introspect, name=INTROSPECTION_NAME, told=_TOLD)
    if revoke:
        _serve(router, endpoint_paths.REVOCATION, endpoints.revoke, name=REVOCATION_NAME)
    return router


def _serve(
    router: APIRouter, path: str, endpoint: Callable[..., Any], *, name: str, told: dict[str, Any] | None = None
) -> None:
    content = {} if told is None else {"content": {"application/json": {"schema": told}}}
    router.post(
        path,
        name=name,
        summary="Introspect a token" if told else "Revoke a token",
        response_class=Response,
        responses={
            200: {"description": "What it is worth" if told else "Done, whatever the token was"} | content,
            **_REFUSALS,
        },
        openapi_extra={"requestBody": _FORM},
    )(endpoint)
    router.routes.append(Route(f"{router.prefix}{path}", _OtherMethods(), include_in_schema=False))


class _OtherMethods:
    """Refuses every method: an application has them all as an endpoint, and its route comes after that of POST."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        await wrong_method()(scope, receive, send)


class _ClientScheme(SecurityBase):
    """Says in the OpenAPI document how a client authenticates; the endpoints do the work, so that they can refuse as OAuth does."""

    def __init__(self) -> None:
        self.model = HTTPBase(scheme="basic", description="The id and the secret of a client, each percent-encoded.")
        self.scheme_name = "ServiceClient"

    async def __call__(self) -> None:
        """Do nothing."""


class _Endpoints:
    """The endpoints, for those whom *clients* has."""

    def __init__(self, clients: KnownClients, disclosure: Disclosure) -> None:
        self._clients = clients
        self._disclosure = disclosure

    async def introspect(self, request: Request, sessions: Annotated[Sessions, Depends(get_sessions())]) -> Response:
        """Respond with what the token is worth."""
        return await self._respond(request, partial(self._told, sessions=sessions))

    async def revoke(self, request: Request, sessions: Annotated[Sessions, Depends(get_sessions())]) -> Response:
        """End the session of the token."""
        by = circumstances_of(request)
        return await self._respond(request, partial(self._ended, sessions=sessions, by=by))

    async def _told(self, client_id: str, token: SecretStr, *, sessions: Sessions) -> Response:
        return said(await told(token, client_id, disclosure=self._disclosure, sessions=sessions))

    async def _ended(self, client_id: str, token: SecretStr, *, sessions: Sessions, by: Circumstances) -> Response:
        await end(token, client_id, sessions=sessions, circumstances=by)
        return done()

    async def _respond(self, request: Request, respond: Callable[[str, SecretStr], Awaitable[Response]]) -> Response:
        try:
            client_id = await client_of(request, self._clients)
            if client_id is None:
                return invalid_client()
            return await respond(client_id, await _token(request, client_id))
        except InvalidRequest as error:
            return invalid_request(error)
        except UnsupportedTokenType:
            return unsupported_token_type()
        except ClientsUnavailable:  # which was logged
            return come_again()
        except StoreUnavailable as error:
            logger.warning("a service has to ask again, the session store is unavailable: %s", error)
            return come_again()


async def _token(request: Request, client_id: str) -> SecretStr:
    """Return the token in the form that came. Raises `InvalidRequest`."""
    try:
        fields = await form_fields(request)
    except NoForm:
        raise InvalidRequest(f"send a form ({FORM}) with the token") from None
    names = [name for name, _ in fields]
    if len(names) != len(set(names)):
        raise InvalidRequest("send each parameter once")
    return _found(dict(fields), client_id)


def _found(fields: Mapping[str, str], client_id: str) -> SecretStr:
    if not CREDENTIALS.isdisjoint(fields) or fields.get("client_id", client_id) != client_id:
        raise InvalidRequest("send who the client is by HTTP Basic alone")
    if "token" not in fields:
        raise InvalidRequest("send the token")
    return SecretStr(fields["token"])
