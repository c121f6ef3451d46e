"""The three requests of a session's life: create, verify, refresh; for use in dependencies and outside of them."""

from __future__ import annotations

from typing import Literal, overload

from starlette.requests import HTTPConnection

from fastapi_session.core.anti_csrf import AntiCsrfProof
from fastapi_session.core.claims.validators import ClaimValidator
from fastapi_session.engine.tokens.issuing import IssuedSession
from fastapi_session.errors import ConfigurationError, SessionError
from fastapi_session.model import PUBLIC_TENANT
from fastapi_session.web.circumstances import circumstances_of
from fastapi_session.web.exchange import Begun, exchange_of
from fastapi_session.web.proving import (
    forget_legacy_session,
    refreshed_session,
    sent_session,
    verified_handles,
)
from fastapi_session.web.requirements import OverrideValidators, Requirements
from fastapi_session.web.session import Session
from fastapi_session.web.session_types import Data, Payload, SessionTypes
from fastapi_session.web.token_choice import anti_csrf_mode, method_of_new_session, superseded_access_tokens
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
) -> Session[Payload, Data]:
    """Begin a session of *user_id* and send its tokens with the response. Sessions that the request came with are ended.

    *access_token_payload* travels in the access token, where the user can read it; *session_data* stays in the store.
    Each is plain JSON or a Pydantic model, checked against the models *payload* and *data* where those are given.
    *within* is a database connection in whose open transaction it is done, as by `Sessions.within`: the tokens are sent only
    if that has committed before the response starts.
    By *method* the tokens travel in cookies or in headers; by default as the client wishes, and in cookies to a browser that
    says nothing, unless a page of another site sent it.

    Raises `PayloadError` where one of them cannot be carried, `ConfigurationError` if `token_transfer_method` rules *method*
    out or the response has started, `StoreUnavailable`.
    """
    exchange, types = exchange_of(connection), SessionTypes(payload, data)
    exchange.ensure_answers()
    method = method_of_new_session(connection, exchange, said=method)
    superseded = superseded_access_tokens(connection, exchange, method=method)
    sessions = exchange.sessions if within is None else exchange.sessions.within(within)
    earlier = await verified_handles(exchange, superseded, sessions=sessions)
    issued = await sessions.create(
        user_id,
        tenant_id=tenant_id,
        recipe_user_id=recipe_user_id,
        access_token_payload=types.write_payload(access_token_payload),
        session_data=types.write_data(session_data),
        replacing=earlier,
        anti_csrf=anti_csrf_mode(exchange, method) == "VIA_TOKEN",
        circumstances=circumstances_of(connection),
    )
    begun = Begun(issued.access_token.session_handle, method, sessions)
    if within is not None:
        exchange.wait_for(begun)
    exchange.clear(other for other, _ in superseded if other != method)
    return sent_session(issued, exchange=exchange, begun=begun, types=types)


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
    `ConfigurationError` if `token_transfer_method` rules *method* out, the response has started, or they need an anti-CSRF
    token and have none.
    """
    exchange = exchange_of(connection)
    exchange.ensure_answers()
    chosen = method_of_new_session(connection, exchange, said=method)
    if anti_csrf_mode(exchange, chosen) == "VIA_TOKEN" and issued.access_token.anti_csrf_token is None:
        raise ConfigurationError(
            'anti_csrf is "VIA_TOKEN", and the session to be attached has no anti-CSRF token: create it without '
            'anti_csrf=False, or refresh it with proof=AntiCsrfProof("VIA_TOKEN", token)'
        )
    begun = Begun(issued.access_token.session_handle, chosen, exchange.sessions)
    return sent_session(
        exchange.sessions.issued_now(issued), exchange=exchange, begun=begun, types=SessionTypes(payload, data)
    )


@overload
async def get_session_from_request(
    connection: HTTPConnection,
    *validators: ClaimValidator,
    session_required: Literal[True] = True,
    anti_csrf_check: bool | None = None,
    check_database: bool = False,
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
    override_global_claim_validators: OverrideValidators | None = None,
    payload: type[Payload] | None = None,
    data: type[Data] | None = None,
) -> Session[Payload, Data] | None:
    """Return the session that the request proves, once it satisfies the global validators and *validators*.

    `None` only where *session_required* is false and no token of ours came. *anti_csrf_check* is by default done for every
    method but GET, and never asked of a bearer token. *override_global_claim_validators* puts others in the place of the
    global validators; *payload* and *data* are the Pydantic models of a `Session[Payload, Data]`.

    Raises `UnauthorisedError`, `TryRefreshTokenError`, `InvalidClaimsError`, and with *check_database* or where a claim
    has to be fetched `StoreUnavailable`.
    """
    required = Requirements(
        validators=validators,
        session_required=session_required,
        anti_csrf_check=anti_csrf_check,
        check_database=check_database,
        override_global_claim_validators=override_global_claim_validators,
        types=SessionTypes(payload, data),
    )
    return await required(connection)


async def refresh_session_in_request(
    connection: HTTPConnection, *, payload: type[Payload] | None = None, data: type[Data] | None = None
) -> Session[Payload, Data]:
    """Exchange the refresh token that came for new tokens, and send those with the response.

    Raises `UnauthorisedError`, `TokenTheftError`, `ClearDuplicateSessionCookiesError`, `DuplicateSessionCookiesError`,
    `StoreUnavailable`.
    """
    return await refresh_with_proof(connection, None, types=SessionTypes(payload, data))


async def refresh_with_proof(
    connection: HTTPConnection, proof: AntiCsrfProof | None, *, types: SessionTypes[Payload, Data]
) -> Session[Payload, Data]:
    """Do as `refresh_session_in_request` does, *proof* being what the request offers against forgery; `None`: its headers say it."""
    exchange = exchange_of(connection)
    exchange.ensure_answers()
    try:
        session = await refreshed_session(connection, exchange, types, proof=proof)
    except SessionError as error:
        forget_legacy_session(connection, exchange)
        raise exchange.refuse(error)  # noqa: B904  it is the same error
    forget_legacy_session(connection, exchange)
    return session
