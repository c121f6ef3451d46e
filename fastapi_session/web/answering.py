"""Errors of ours that nobody within has answered, put before the handlers of the application that has the sessions.

| raised in | what becomes of it there | answered |
|---|---|---|
| a route | the application's handlers answer it | there |
| a mounted application that has a handler for it | that answers it | there |
| any other mounted application | answered 500 as a crash, and raised on | here, in place of the 500 |
| a middleware between `install` and the routes | raised on, handlers stand further inside | here |

So a server error of a mounted application is held back until it is known whether it stands for an error of ours.
"""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fastapi_session.errors import DuplicateSessionCookiesError, SessionError, StoreUnavailable

ANSWERED = (SessionError, DuplicateSessionCookiesError, StoreUnavailable)
"""What is answered with a response of its own; every other error is the application's to answer."""

SERVER_ERROR = 500
"""From this status on a response may stand for an error that nobody answered (RFC 9110, section 15.6)."""


async def keep(held: list[Message], message: Message) -> None:
    """Take *message* in place of the client."""
    held.append(message)


async def release(held: list[Message], send: Send) -> None:
    """Send what was held."""
    for message in held:
        await send(message)


def answer_to(error: Exception, app: Starlette, *, is_late: bool = False) -> ASGIApp:
    """Return what answers *error* by the handlers of *app*. Raises it if it is not of ours or *is_late*, so the server hears of it."""
    ours = None if is_late else _of_ours(error)
    if ours is None:
        raise error

    async def raise_it_again(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise ours

    return ExceptionMiddleware(raise_it_again, app.exception_handlers)


def _of_ours(error: BaseException | None) -> Exception | None:
    """Return the error of ours that *error* is, or that Starlette found a handler for too late; `None` if it is another."""
    if isinstance(error, RuntimeError) and "response already started" in str(error):
        return _of_ours(error.__cause__)
    return error if isinstance(error, ANSWERED) else None
