"""Refreshing: the refresh token that came with a request is exchanged for new tokens, which are sent with the response."""

from __future__ import annotations

from typing import NoReturn

from starlette.requests import HTTPConnection

from fastapi_session.core.anti_csrf import NOT_ASKED, AntiCsrfProof
from fastapi_session.core.binding.bound_keys import Possession
from fastapi_session.errors import (
    ForgedRequestError,
    RenewalSkippedError,
    SessionError,
    UnauthorisedError,
    UnprovenKeyError,
)
from fastapi_session.model import moment
from fastapi_session.sessions import Sessions
from fastapi_session.web.adopting import adopt_login
from fastapi_session.web.binding.possession import possession_of
from fastapi_session.web.circumstances import circumstances_of
from fastapi_session.web.device_session import SKIPPED_HEADER
from fastapi_session.web.exchange import Begun, Exchange, exchange_of
from fastapi_session.web.session import Session, begun_session
from fastapi_session.web.session_types import Data, Payload, SessionTypes
from fastapi_session.web.token_choice import (
    ChosenToken,
    allowed_method,
    anti_csrf_proof,
    first_access_cookie,
    presented_access_tokens,
    presented_refresh_token,
    verified_handles,
)


async def refresh_session_in_request(
    connection: HTTPConnection, *, payload: type[Payload] | None = None, data: type[Data] | None = None
) -> Session[Payload, Data]:
    """Exchange the refresh token that came for new tokens, and send those with the response.

    Raises `UnauthorisedError`, `UnprovenKeyError`, `TokenTheftError`, `ClearDuplicateSessionCookiesError`, `DuplicateSessionCookiesError`,
    `StoreUnavailable`.
    """
    return await refresh_with_proof(connection, None, types=SessionTypes(payload, data))


async def refresh_with_proof(
    connection: HTTPConnection,
    proof: AntiCsrfProof | None,
    *,
    types: SessionTypes[Payload, Data],
    possession: Possession | None = None,
) -> Session[Payload, Data]:
    """Refresh as `refresh_session_in_request`. *proof* is the anti-CSRF proof of the request, `None` for that in its headers.

    *possession* is what the request has proved of a key already, `None` for what it brings.
    """
    exchange = exchange_of(connection)
    exchange.ensure_not_started()
    try:
        await _refresh(connection, exchange, proof=proof, possession=possession)
    except SessionError as error:
        _forget_legacy_session(connection, exchange)
        exchange.refuse(error)
        raise
    _forget_legacy_session(connection, exchange)
    return begun_session(exchange, types)


async def _ensure_not_skipped(connection: HTTPConnection, sessions: Sessions, error: UnprovenKeyError) -> None:
    """Raise `RenewalSkippedError` in place of *error*, if a browser may prove its key a moment later, or `StoreUnavailable`.

    It says so itself if it could not, or has only just bound the session: then it may not have the credential yet.
    """
    # Nothing is relaxed, as any client can say so. But clients of pages sign out at a 401, and this may be a hiccup of the network.
    if SKIPPED_HEADER in connection.headers or await _has_just_begun(sessions, error.handle or ""):
        raise RenewalSkippedError(error.reason, handle=error.handle) from None


async def _has_just_begun(sessions: Sessions, handle: str) -> bool:
    """Say whether a browser may still be about to bind the session, or has not heard yet that it is."""
    information = await sessions.information(handle)
    now = moment(sessions.now())
    return information is not None and now - information.created_at < sessions.config.device_binding_grace


async def _refresh(
    connection: HTTPConnection, exchange: Exchange, *, proof: AntiCsrfProof | None, possession: Possession | None
) -> None:
    """Refresh the session whose refresh token came, and send its new tokens by the method by which that came."""
    credentials, sessions = exchange.credentials(connection), exchange.sessions
    presented = presented_refresh_token(
        connection, exchange, session_id=None if possession is None else possession.session_id
    )
    if exchange.adopters and not _is_ours(presented, sessions) and await _adopt(connection, exchange, proof=proof):
        return
    if presented is None:
        by = proof or anti_csrf_proof(connection, exchange, method="cookie")
        await _refuse_without_token(connection, exchange, proof=by)
    method = presented.method
    try:
        issued = await sessions.refresh(
            presented.text,
            proof=proof or anti_csrf_proof(connection, exchange, method=method),
            circumstances=circumstances_of(connection),
            possession=possession or possession_of(connection, exchange, presented),
        )
    except UnprovenKeyError as error:
        if method == "cookie":
            await _ensure_not_skipped(connection, sessions, error)
        raise
    if method == "header" and credentials.refresh_cookies:
        exchange.clear(["cookie"])
    if method == "cookie" and credentials.bearer is not None and sessions.is_refresh_token(credentials.bearer):
        exchange.clear(["header"])
    exchange.begin(issued, Begun(issued.access_token.session_handle, method, sessions), is_offered=False)


def _is_ours(presented: ChosenToken | None, sessions: Sessions) -> bool:
    """Say whether *presented* is a refresh token of ours: any other bearer token may be a login of another system."""
    return presented is not None and (presented.method == "cookie" or sessions.is_refresh_token(presented.text))


async def _adopt(connection: HTTPConnection, exchange: Exchange, *, proof: AntiCsrfProof | None) -> bool:
    """Let a login of another system be the session of this request, if one came, and say whether it did."""
    asked = proof or anti_csrf_proof(connection, exchange, method="cookie")
    try:
        # A token that the client has not been sent yet is not asked for.
        return await adopt_login(connection, exchange, proof=NOT_ASKED if asked.mode == "VIA_TOKEN" else asked)
    except ForgedRequestError as error:  # there is no other refresh to try
        raise UnauthorisedError(error.reason, handle=error.handle) from None


async def _refuse_without_token(connection: HTTPConnection, exchange: Exchange, *, proof: AntiCsrfProof) -> NoReturn:
    """Raise the refusal of a refresh that brought no refresh token that counts, or `StoreUnavailable`.

    If an access-token cookie was left over alone, the refusal clears it.
    """
    reason, sessions = "no refresh token came with the request", exchange.sessions
    # Under `__Host-` one counts only beside an access token, which a browser that guards all keeps no longer than until it renews.
    if exchange.credentials(connection).refresh_cookies and SKIPPED_HEADER in connection.headers:
        raise RenewalSkippedError(reason)
    if not _is_left_over(connection, exchange, proof=proof):
        raise UnauthorisedError(reason)
    presented = presented_access_tokens(exchange.credentials(connection))
    left_over = [(method, token) for method, token in presented if method == "cookie"]
    for handle in await verified_handles(exchange, left_over, sessions=sessions):
        refusal = await sessions.refusal_of_refresh(handle, reason=reason)
        # Another session took the place of this one. By now the client may have the tokens of that one: none is cleared.
        if not refusal.clears_tokens:
            raise refusal
    raise UnauthorisedError(reason, clears_tokens=True)


def _is_left_over(connection: HTTPConnection, exchange: Exchange, *, proof: AntiCsrfProof) -> bool:
    """Say whether an access-token cookie came without its refresh token, and *proof* shows that no other site sent it."""
    # Another site can send one so for any session: by a path such as `/session/%72efresh`, which a browser does not take for
    # that of the refresh cookie, while a server does.
    if allowed_method(connection, exchange) == "header":
        return False
    credentials = exchange.credentials(connection)
    token = first_access_cookie(credentials)
    return bool(credentials.access_cookies) and proof.holds(token.content.anti_csrf_token if token else None)


def _forget_legacy_session(connection: HTTPConnection, exchange: Exchange) -> None:
    """Clear the legacy cookie once a refresh has succeeded or was refused, but not if the store is down."""
    if exchange.credentials(connection).has_legacy_cookie:
        exchange.clear_legacy_cookie()
