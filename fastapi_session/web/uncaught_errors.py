"""Errors of ours that no handler has caught: they are given to the handlers of the application that has the sessions.

| raised in | what happens there | who responds |
|---|---|---|
| a route | the application's handlers catch it | those handlers |
| a mounted application that has a handler for it | that catches it | that handler |
| any other mounted application | a 500 as for a crash, then it is raised on | this module, in place of the 500 |
| a middleware between `install` and the routes | it is raised on: handlers are further inside | this module |

So a server error of a mounted application is held back until it is known whether an error of ours caused it.
"""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fastapi_session.errors import DuplicateSessionCookiesError, SessionError, StoreUnavailable

RESPONDED = (SessionError, DuplicateSessionCookiesError, StoreUnavailable)
"""The errors that have a response of ours. All others are the application's."""

SERVER_ERROR = 500
"""From this status on a response may have been made for an error that nobody caught (RFC 9110, section 15.6)."""


async def keep(held: list[Message], message: Message) -> None:
    """Keep *message* back. It is `async` since it is called in place of ASGI's `send`."""
    held.append(message)


async def release(held: list[Message], send: Send) -> None:
    """Send what was held."""
    for message in held:
        await send(message)


def responder_to(error: Exception, app: Starlette, *, is_late: bool = False) -> ASGIApp:
    """Return an ASGI application that responds to *error* by the handlers of *app*.

    Raises *error* if it is not ours, or *is_late*, since the response has started: then the server logs it.
    """
    ours = None if is_late else _of_ours(error)
    if ours is None:
        raise error

    async def raise_it_again(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise ours

    return ExceptionMiddleware(raise_it_again, app.exception_handlers)


def _of_ours(error: BaseException | None) -> Exception | None:
    """Return *error* if it is ours, or the one of ours behind it; `None` if there is none."""
    # Starlette raises this if it finds a handler after the response has started: after the 500 of a mounted application.
    if isinstance(error, RuntimeError) and "response already started" in str(error):
        return _of_ours(error.__cause__)
    return error if isinstance(error, RESPONDED) else None
