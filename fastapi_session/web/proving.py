"""From the refresh token that came with a request to its session, and from a session to its response."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import HTTPConnection

from fastapi_session.core.access_token import ParsedAccessToken
from fastapi_session.core.anti_csrf import AntiCsrfProof
from fastapi_session.engine.tokens.issuing import IssuedSession
from fastapi_session.errors import SessionError, UnauthorisedError
from fastapi_session.sessions import Sessions
from fastapi_session.web.circumstances import circumstances_of
from fastapi_session.web.exchange import Begun, Exchange
from fastapi_session.web.session import Session
from fastapi_session.web.session_types import Data, Payload, SessionTypes
from fastapi_session.web.token_choice import (
    anti_csrf_proof,
    is_left_over,
    presented_access_tokens,
    presented_refresh_token,
)
from fastapi_session.web.transport import Method


async def refreshed_session(
    connection: HTTPConnection,
    exchange: Exchange,
    types: SessionTypes[Payload, Data],
    *,
    proof: AntiCsrfProof | None = None,
) -> Session[Payload, Data]:
    """Return the session whose refresh token came, with new tokens sent in the method in which that came.

    *proof* is what the request offers against forgery, if its headers do not say it.
    """
    credentials = exchange.credentials(connection)
    presented = presented_refresh_token(connection, exchange)
    if presented is None:
        by = proof or anti_csrf_proof(connection, exchange, method="cookie")
        raise await _refusal_without_token(connection, exchange, proof=by)
    method = presented.method
    issued = await exchange.sessions.refresh(
        presented.text,
        proof=proof or anti_csrf_proof(connection, exchange, method=method),
        circumstances=circumstances_of(connection),
    )
    if method == "header" and credentials.refresh_cookies:
        exchange.clear(["cookie"])
    if method == "cookie" and credentials.bearer is not None and exchange.sessions.is_refresh_token(credentials.bearer):
        exchange.clear(["header"])
    begun = Begun(issued.access_token.session_handle, method, exchange.sessions)
    return sent_session(issued, exchange=exchange, begun=begun, types=types)


async def _refusal_without_token(
    connection: HTTPConnection, exchange: Exchange, *, proof: AntiCsrfProof
) -> SessionError:
    """Return what a refresh is told that brought no refresh token.

    An access token that was left over alone is cleared, unless another session took the place of its own: by now the client
    may have the tokens of that one. Raises `StoreUnavailable`.
    """
    reason, sessions = "no refresh token came with the request", exchange.sessions
    if not is_left_over(connection, exchange, proof=proof):
        return UnauthorisedError(reason)
    presented = presented_access_tokens(exchange.credentials(connection))
    left_over = [(method, token) for method, token in presented if method == "cookie"]
    for handle in await verified_handles(exchange, left_over, sessions=sessions):
        refusal = await sessions.refusal_of_refresh(handle, reason=reason)
        if not refusal.clears_tokens:
            return refusal
    return UnauthorisedError(reason, clears_tokens=True)


def forget_legacy_session(connection: HTTPConnection, exchange: Exchange) -> None:
    """A refresh that was answered is the end of the legacy cookie; a store that is down changes nothing."""
    if exchange.credentials(connection).has_legacy_cookie:
        exchange.clear_legacy_cookie()


def sent_session(
    issued: IssuedSession, *, exchange: Exchange, begun: Begun, types: SessionTypes[Payload, Data]
) -> Session[Payload, Data]:
    """Return *issued*, which *begun* says how to send, as the session of this request from here on."""
    exchange.begun = begun
    session = Session(
        issued.access_token,
        issued.tokens.access_token,
        exchange=exchange,
        method=begun.method,
        types=types,
        begun=begun,
    )
    session.send(issued)
    return session


def session_begun_here(begun: Begun, exchange: Exchange, types: SessionTypes[Payload, Data]) -> Session[Payload, Data]:
    """Return the session that this request has *begun*, whatever token came with it: nothing needs to be proved."""
    assert exchange.issued is not None
    return sent_session(exchange.issued, exchange=exchange, begun=begun, types=types)


async def verified_handles(
    exchange: Exchange, presented: Sequence[tuple[Method, ParsedAccessToken]], *, sessions: Sessions
) -> list[str]:
    """Return the sessions that *presented* proves to *sessions*, and one that this request has begun before, each once."""
    handles = [await sessions.verified_handle(token) for _, token in presented]
    if exchange.begun is not None:
        handles.append(exchange.begun.handle)
    return list(dict.fromkeys(handle for handle in handles if handle is not None))
