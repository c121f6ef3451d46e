"""How long a request's session lasts: until it is revoked or superseded, or until its access token ends, whichever comes first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from fastapi_session.core.access_token import AccessToken
from fastapi_session.errors import TryRefreshTokenError
from fastapi_session.sessions import Sessions

T = TypeVar("T")

LONGEST_WAIT = 60.0
"""Seconds after which the clock is looked at again, so that a machine that slept is noticed."""


class SessionOver(Exception):
    """The session ended while something was waited for. It never leaves this package."""


async def end_of_session(sessions: Sessions, token: AccessToken) -> str:
    """Wait until the session of *token* is over, and answer why, in the words of the wire."""
    with sessions.ending(token.session_handle) as revoked:
        while not revoked.done():
            remaining = token.expires_at - sessions.now() / 1000
            if remaining <= 0:
                return TryRefreshTokenError.message
            await asyncio.wait([revoked], timeout=min(remaining, LONGEST_WAIT))
    return sessions.last_word(token.session_handle)


async def before(end: asyncio.Future[Any], step: Callable[[], Awaitable[T]]) -> T:
    """Answer what *step* answers. Raises `SessionOver` where *end* is done first, and then *step* has been cancelled.

    It runs in the caller's own task: what the caller's cancellation loses it would have lost anyway, and context variables,
    cancel scopes and task groups in it are where they belong.
    """
    if end.done():
        raise SessionOver
    limit = asyncio.timeout(None)
    stop = partial(_stop, limit)
    end.add_done_callback(stop)
    try:
        async with limit:
            return await step()
    except TimeoutError as error:
        if limit.expired():
            raise SessionOver from error
        raise
    finally:
        end.remove_done_callback(stop)


async def until_end(source: AsyncIterator[T], *, sessions: Sessions, token: AccessToken) -> AsyncIterator[T]:
    """Yield what *source* yields until the session of *token* is over, and close *source* however it ends."""
    end = asyncio.ensure_future(end_of_session(sessions, token))
    try:
        await asyncio.sleep(0)  # until that knows whether the session is over already
        while True:
            yield await before(end, source.__anext__)
    except (SessionOver, StopAsyncIteration):
        return
    finally:
        end.cancel()
        if isinstance(source, AsyncGenerator):
            await source.aclose()


def _stop(limit: asyncio.Timeout, _end: asyncio.Future[Any]) -> None:
    with suppress(RuntimeError):  # the step was over in the same turn of the event loop
        limit.reschedule(asyncio.get_running_loop().time())
