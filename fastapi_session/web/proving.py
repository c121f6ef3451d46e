"""From the tokens that came with a request to its session."""

from __future__ import annotations

import asyncio

from starlette.requests import HTTPConnection

from fastapi_session.core.access_token import ParsedAccessToken
from fastapi_session.core.anti_csrf import NOT_ASKED, AntiCsrfProof
from fastapi_session.engine.minting import IssuedSession
from fastapi_session.errors import SessionError
from fastapi_session.web.circumstances import circumstances_of
from fastapi_session.web.exchange import Exchange, exchange_of
from fastapi_session.web.presented import (
    anti_csrf_proof,
    may_be_refresh_token,
    presented_access_token,
    presented_refresh_token,
)
from fastapi_session.web.requirements import Requirements
from fastapi_session.web.session import Session
from fastapi_session.web.session_types import Data, Payload, SessionTypes
from fastapi_session.web.transport import Method
from fastapi_session.web.websocket_origin import ensure_own_origin


async def required_session(
    connection: HTTPConnection, requirements: Requirements[Payload, Data]
) -> Session[Payload, Data] | None:
    """Answer the session that the request proves, once it is as *requirements* say.

    `None` only where no session is required and no token of ours came.
    """
    exchange = exchange_of(connection)
    try:
        method, presented = presented_access_token(connection, exchange)
        if presented is None:
            requirements.allow_none()
            return None
        is_socket = connection.scope["type"] == "websocket"
        ended = _expected_end(connection, exchange, method=method, presented=presented) if is_socket else None
        content = await exchange.sessions.verify(
            presented,
            check_database=requirements.check_database,
            proof=_proof(connection, exchange, method=method, is_asked=requirements.anti_csrf_check),
        )
        if ended is not None:
            exchange.guarded = (content, ended)
        session = Session(content, presented.text, exchange=exchange, method=method, types=requirements.types)
        issued = exchange.issued
        if issued is not None and issued.access_token.session_handle == session.handle:
            session.send(issued)  # another dependency of this request has changed it
        validators = requirements.asked(exchange.sessions.validators, session)
        if validators:
            await session.assert_claims(*validators)
        session.check_shape()
    except SessionError as error:
        raise exchange.refuse(error)  # noqa: B904  it is the same error
    return session


def _expected_end(
    connection: HTTPConnection, exchange: Exchange, *, method: Method, presented: ParsedAccessToken
) -> asyncio.Future[None]:
    """Expect the end of a socket's session before its token is proved, so that none between the two is missed."""
    if method == "cookie":
        ensure_own_origin(connection, exchange.sessions.config)
    return exchange.expect_end(presented.content.session_handle)


def _proof(connection: HTTPConnection, exchange: Exchange, *, method: Method, is_asked: bool | None) -> AntiCsrfProof:
    if is_asked is None:
        is_asked = connection.scope.get("method", "GET") != "GET"  # a socket has none, and is opened by a GET
    return anti_csrf_proof(connection, exchange, method=method) if is_asked else NOT_ASKED


async def refreshed_session(
    connection: HTTPConnection, exchange: Exchange, types: SessionTypes[Payload, Data]
) -> Session[Payload, Data]:
    """Answer the session whose refresh token came, with new tokens sent in the method in which that came."""
    credentials = exchange.credentials(connection)
    method, presented = presented_refresh_token(connection, exchange)
    issued = await exchange.sessions.refresh(
        presented,
        proof=anti_csrf_proof(connection, exchange, method=method),
        circumstances=circumstances_of(connection),
    )
    if method == "header" and credentials.refresh_cookies:
        exchange.clear(["cookie"])
    if method == "cookie" and may_be_refresh_token(credentials.bearer):
        exchange.clear(["header"])
    return sent_session(issued, exchange=exchange, method=method, types=types)


def forget_legacy_session(connection: HTTPConnection, exchange: Exchange) -> None:
    """A refresh that was answered is the end of the legacy cookie; a store that is down changes nothing."""
    if exchange.credentials(connection).has_legacy_cookie:
        exchange.clear_legacy_cookie()


def sent_session(
    issued: IssuedSession, *, exchange: Exchange, method: Method, types: SessionTypes[Payload, Data]
) -> Session[Payload, Data]:
    """Answer *issued* as the session of this request, its tokens sent with the response by *method*."""
    session = Session(issued.access_token, issued.tokens.access_token, exchange=exchange, method=method, types=types)
    session.send(issued)
    return session


async def proven_handles(exchange: Exchange, presented: list[tuple[Method, ParsedAccessToken]]) -> list[str]:
    """Answer the sessions that *presented* proves, each once."""
    handles = [await exchange.sessions.handle_proven_by(token) for _, token in presented]
    return list(dict.fromkeys(handle for handle in handles if handle is not None))
