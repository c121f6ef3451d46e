"""Which error is which HTTP response: those of `error_responses`, with the statuses of `error_statuses`.

A page that the server renders gets a page, as the table of `pages.page_responses` says, if the application serves pages so.
A WebSocket is refused with the same response before it is accepted, and closed after, as the table of `sockets` says.

What becomes of the client's tokens was recorded when the error was raised. So an application may register a handler of its own
for any of these classes, and loses nothing. Only for an error that a route raises itself the handler here records it.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI
from fastapi.responses import Response
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocket

from fastapi_session.config import SessionConfig
from fastapi_session.errors import (
    DuplicateSessionCookiesError,
    RenewalSkippedError,
    SessionError,
    SessionSupersededError,
    StoreUnavailable,
)
from fastapi_session.web.error_responses import response_to
from fastapi_session.web.error_statuses import status_of
from fastapi_session.web.exchange import exchange_of
from fastapi_session.web.pages.page_responses import page_response, visit_of
from fastapi_session.web.sockets import close_of
from fastapi_session.web.transport import RETRY_AFTER_HEADER

Respond = Callable[[HTTPConnection, Exception, int], Response]
"""Returns the response to an error, given its status."""
Handler = Callable[[HTTPConnection, Exception], Awaitable[Response]]

logger = logging.getLogger("fastapi_session")


def register_handlers(app: FastAPI, config: SessionConfig) -> None:
    """Register a handler for each row of the table, unless *app* has one of its own."""
    responses: list[tuple[type[Exception], Respond]] = [
        (SessionError, _session_error),
        (
            SessionSupersededError,
            _session_error,
        ),  # not over, as these: an application's own handler for a `SessionError`
        (RenewalSkippedError, _session_error),  # is for sessions that are
        (DuplicateSessionCookiesError, _duplicate_session_cookies),
        (StoreUnavailable, _store_unavailable),
    ]
    for error_class, respond in responses:
        # The application's own handler stays, whether it was registered before `install` or after.
        app.exception_handlers.setdefault(error_class, _on_sockets_too(_on_pages_too(respond, app, config)))


def _on_pages_too(respond: Respond, app: FastAPI, config: SessionConfig) -> Handler:
    """Return the handler that responds as *respond* does, and to a page with a page, with the same `Retry-After`."""

    async def handle(connection: HTTPConnection, error: Exception) -> Response:
        response = respond(connection, error, status_of(type(error), config, connection.scope["headers"]))
        visit = visit_of(connection, app, config)
        shown = None if visit is None else page_response(visit, error)
        if shown is None:
            return response
        if RETRY_AFTER_HEADER in response.headers:
            shown.headers[RETRY_AFTER_HEADER] = response.headers[RETRY_AFTER_HEADER]
        return shown

    return handle


def _on_sockets_too(handler: Handler) -> Callable[[Any, Exception], Awaitable[Any]]:
    """Return *handler* so that a WebSocket is refused with the same response before it is accepted, and closed after."""

    async def handle(connection: HTTPConnection, error: Exception) -> Response | None:
        response = await handler(connection, error)
        if not isinstance(connection, WebSocket):
            return response
        await _refuse(connection, response, error)
        return None  # Starlette sends what a handler returns, and this response has been sent

    return handle


async def _refuse(socket: WebSocket, response: Response, error: Exception) -> None:
    # Not `socket.application_state`: a mounted application has a WebSocket object of its own, and accepted that one.
    is_open = exchange_of(socket).has_started
    if not is_open and "websocket.http.response" in socket.scope.get("extensions", {}):
        await socket.send_denial_response(response)
    else:
        await socket.close(*close_of(error))


def _session_error(connection: HTTPConnection, error: Exception, status: int) -> Response:
    assert isinstance(error, SessionError)
    exchange_of(connection).refuse(error)  # a route may raise one too
    return response_to(error, status, exchange_of(connection).credentials(connection).scheme)


def _duplicate_session_cookies(_connection: HTTPConnection, error: Exception, status: int) -> Response:
    logger.debug("refused: %s", error)
    return response_to(error, status)


def _store_unavailable(_connection: HTTPConnection, error: Exception, status: int) -> Response:
    logger.error("the session store is unavailable: %s", error)
    return response_to(error, status)
