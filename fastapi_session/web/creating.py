"""A session begins with a request: created in it, or created elsewhere and attached to it.

By which method its tokens travel:

| configured | the route says | the request | method |
|---|---|---|---|
| `cookie` or `header` | nothing, or the same | whatever it is | as configured |
| `cookie` or `header` | the other one | | `ConfigurationError` |
| any | `cookie` or `header` | whatever it is | as the route says |
| any | nothing | has `st-auth-mode` | cookie if that is its value, else header |
| any | nothing | brings an access token of ours as a bearer token | header |
| any | nothing | brings a DPoP proof, and `dpop` is not off | header |
| any | nothing | was made by a browser for a page of ours, as `browsers` says | cookie |
| any | nothing | anything else | header |
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.requests import HTTPConnection

from fastapi_session.config.lifetimes import AS_CONFIGURED, Lifetime
from fastapi_session.config.session_limit import SessionLimit
from fastapi_session.core import access_token
from fastapi_session.core.access_token import ParsedAccessToken
from fastapi_session.core.authentication import Authentication
from fastapi_session.core.binding.bound_keys import jkt_of
from fastapi_session.core.guests import Merge
from fastapi_session.engine.tokens.issuing import IssuedSession
from fastapi_session.errors import ConfigurationError
from fastapi_session.external_session import ExternalSession
from fastapi_session.handles import PUBLIC_TENANT
from fastapi_session.sessions import Sessions
from fastapi_session.web.binding.dpop_requests import key_of_new_session
from fastapi_session.web.browsers import made_for_own_page
from fastapi_session.web.circumstances import circumstances_of
from fastapi_session.web.device_cookie import device_of
from fastapi_session.web.exchange import Begun, Exchange, exchange_of
from fastapi_session.web.session import Session, begun_session
from fastapi_session.web.session_types import Data, Payload, SessionTypes, plain
from fastapi_session.web.token_choice import (
    allowed_method,
    anti_csrf_mode,
    anti_csrf_proof,
    presented_access_tokens,
    verified_handles,
)
from fastapi_session.web.transport import Method


async def create_new_session_in_request(  # noqa: PLR0913 - all but two are named, and a session has that many sides
    connection: HTTPConnection,
    user_id: str,
    *,
    tenant_id: str = PUBLIC_TENANT,
    recipe_user_id: str | None = None,
    access_token_payload: object = None,
    session_data: object = None,
    payload: type[Payload] | None = None,
    data: type[Data] | None = None,
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
    Each is plain JSON or a Pydantic model, validated by the models *payload* and *data* if those are given.
    *within* is a database connection in whose open transaction the session is written, as by `Sessions.within`: the tokens are
    sent only if that has committed before the response starts.
    By *method* the tokens travel in cookies or in headers; by default as the client wishes, and in cookies to a browser that
    says nothing, unless a page of another site sent the request. *lifetime* chooses how long it lives, and whether its cookies
    outlive the browser: `Lifetime(kind="web", remember=False)`. *authentication* says how the user was authenticated, as
    `Authentication(("pwd", "otp"), acr="aal2")`: then demands on that, as `Fresh`, can hold.
    *limit* is the limit of the user's sessions in the place of the configured one; if it is reached, those of the user whose
    handles are *evict* end first, and may end even if it refuses.
    *upgrading* is the session that the client has, if any: it ends. Of a guest's, and of no other, the session data are taken
    over: *merge* lays what is given over them (`"keep"`), drops them (`"drop"`), or is a function of both that returns the data
    to keep. It may be called again, if the guest's data change meanwhile: so no change of them is lost.
    *label* is what the user calls it, as in `Sessions.set_label`. *device* is by what a client without cookies is known again at
    its next sign-in; browsers need none. *external* is the session at an identity provider by which the
    user signed in: the session ends with it, by `backchannel_logout`.
    A session in headers is bound to the key that the request proves by DPoP, if `dpop` is not off.

    Raises `DpopError` if that proof does not hold, or is required and did not come, `PayloadError` if payload or data are no JSON or
    too long, or for a *label* that cannot be, `ConfigurationError` if `token_transfer_method` rules *method* out,
    the response has started or *lifetime*, *limit* or *merge* cannot be,
    `SessionLimitReached` (the client keeps its tokens), `StoreUnavailable`.
    """
    exchange, types = _ready_exchange(connection), SessionTypes(payload, data)
    method, bound_key = _way_of_new_session(connection, exchange, said=method)
    superseded = _superseded_access_tokens(connection, exchange, method=method, jkt=jkt_of(bound_key))
    sessions = exchange.sessions if within is None else exchange.sessions.within(within)
    browser = None if device is not None else device_of(connection, exchange, method=method)
    issued = await sessions.create(
        user_id,
        tenant_id=tenant_id,
        recipe_user_id=recipe_user_id,
        access_token_payload=types.write_payload(access_token_payload),
        session_data=types.write_data(session_data) if upgrading is None else plain(session_data),
        replacing=await verified_handles(exchange, superseded, sessions=sessions),
        anti_csrf=anti_csrf_mode(exchange, method) == "VIA_TOKEN",
        circumstances=circumstances_of(connection),
        lifetime=lifetime,
        authentication=authentication,
        limit=limit,
        evict=evict,
        upgrading=None if upgrading is None else upgrading.handle,
        merge=types.merging(merge),
        label=label,
        device=device if browser is None else browser,
        external=external,
        bound_key=bound_key,
    )
    begun = _begun(exchange, issued, superseded, method=method, sessions=sessions, within=within)
    exchange.begin(issued, begun, device=browser)
    return begun_session(exchange, types)


def attach_session_to_request(
    connection: HTTPConnection,
    issued: IssuedSession,
    *,
    method: Method | None = None,
    payload: type[Payload] | None = None,
    data: type[Data] | None = None,
) -> Session[Payload, Data]:
    """Send the tokens of *issued*, a session that the engine created or refreshed, with the response of this request.

    By *method* they travel in cookies or in headers; by default as those of a session that begins here. Raises
    `ConfigurationError` if `token_transfer_method` rules *method* out, if the response has started, or if *issued* lacks the
    anti-CSRF token that the configuration requires.
    """
    exchange = _ready_exchange(connection)
    chosen = _method_of_new_session(connection, exchange, said=method)
    if anti_csrf_mode(exchange, chosen) == "VIA_TOKEN" and issued.access_token.anti_csrf_token is None:
        raise ConfigurationError(
            'anti_csrf is "VIA_TOKEN", and the session to be attached has no anti-CSRF token: create it without '
            'anti_csrf=False, or refresh it with proof=AntiCsrfProof("VIA_TOKEN", token)'
        )
    if chosen == "cookie" and issued.access_token.jkt is not None:
        raise ConfigurationError(
            'a session that is bound to a DPoP key travels in headers: attach it with method="header"'
        )
    begun = Begun(issued.access_token.session_handle, chosen, exchange.sessions)
    # A session that goes on, of a refresh or of changed claims, may be stolen: whoever has it must not bind it to a key of his own.
    is_new = issued.tokens.refresh_token is not None and issued.access_token.parent_refresh_token_hash is None
    exchange.begin(exchange.sessions.issued_now(issued), begun, is_offered=is_new)
    return begun_session(exchange, SessionTypes(payload, data))


def _ready_exchange(connection: HTTPConnection) -> Exchange:
    """Return the exchange of *connection*. Raises `ConfigurationError` if no response can carry tokens any more."""
    exchange = exchange_of(connection)
    exchange.ensure_not_started()
    return exchange


def _begun(
    exchange: Exchange,
    issued: IssuedSession,
    superseded: Sequence[tuple[Method, ParsedAccessToken]],
    *,
    method: Method,
    sessions: Sessions,
    within: object,
) -> Begun:
    """Return what begins with *issued*, once tokens that came by another method are cleared.

    If it was written in a transaction, all of that counts only if this commits.
    """
    begun = Begun(issued.access_token.session_handle, method, sessions)
    if within is not None:
        exchange.count_only_if_committed(begun)
    exchange.clear(other for other, _ in superseded if other != method)
    return begun


def _way_of_new_session(
    connection: HTTPConnection, exchange: Exchange, *, said: Method | None
) -> tuple[Method, str | None]:
    """Return by which method the tokens of a new session travel, and the key to which it is bound. Raises as the two that say so."""
    method = _method_of_new_session(connection, exchange, said=said)
    return method, key_of_new_session(connection, exchange, method=method)


def _method_of_new_session(connection: HTTPConnection, exchange: Exchange, *, said: Method | None) -> Method:
    """Return by which method the tokens of a new session travel, as the table says; *said* is what its route says.

    Raises `ConfigurationError` if the configuration rules *said* out: no request could bring such a token.
    """
    allowed = allowed_method(connection, exchange, for_create=True)
    if said is not None and allowed not in ("any", said):
        raise ConfigurationError(
            f'a session was to begin with method="{said}", but token_transfer_method is "{allowed}": '
            f'leave method out, or set token_transfer_method to "any"'
        )
    if allowed == "any":
        return said or _wished_method(connection, exchange)
    return allowed


def _wished_method(connection: HTTPConnection, exchange: Exchange) -> Method:
    """Return the method that the client asks for, or else the one whose tokens it is known to keep."""
    credentials = exchange.credentials(connection)
    if credentials.auth_mode is not None:
        return "cookie" if credentials.auth_mode == "cookie" else "header"
    if credentials.bearer is not None and access_token.parse(credentials.bearer) is not None:
        return "header"
    if credentials.proofs and exchange.sessions.config.dpop != "off":
        return "header"
    return "cookie" if made_for_own_page(connection, exchange.sessions.config) else "header"


def _superseded_access_tokens(
    connection: HTTPConnection, exchange: Exchange, *, method: Method, jkt: str | None
) -> list[tuple[Method, ParsedAccessToken]]:
    """Return those of `presented_access_tokens` whose sessions end, as a new one begins whose tokens travel by *method*.

    A token that is bound to a DPoP key says nothing of its client, unless that has proved the key with the thumbprint *jkt*.
    """
    # New cookies overwrite those that came, whoever sent the request. Beside new tokens in headers a session in cookies ends
    # only if no other site can have forged the request: else a form of that site would sign its visitors out.
    proof = anti_csrf_proof(connection, exchange, method="cookie")
    presented = presented_access_tokens(exchange.credentials(connection))
    return [
        (came_by, token)
        for came_by, token in presented
        if token.content.jkt in (None, jkt)
        and (came_by in ("header", method) or proof.holds(token.content.anti_csrf_token))
    ]
