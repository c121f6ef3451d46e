"""When a socket or a stream has to end because its session does.

| what happened | the socket or stream |
|---|---|
| the session was revoked, or another took its place | ends |
| its access token expired | ends |
| its claims were changed, and the validators refuse the new ones | ends |
| its claims were changed otherwise | goes on with the new ones |
| the process was paused, and has not read the revocation feed since | waits for the feed before anything is delivered |
| the store is down | goes on, but ends if the feed fails closed |
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

from fastapi_session.engine.revocation.watched_session import WatchedSession
from fastapi_session.errors import SessionError, StoreUnavailable

T = TypeVar("T")

LONGEST_WAIT = 60.0
"""Seconds after which the clock is read again. Timers stop while a machine sleeps, so a longer wait would outlive the token."""
RETRY = 1.0
"""Seconds after which the store is asked again for changed claims, while it is down."""

logger = logging.getLogger("fastapi_session")


class SessionOver(Exception):
    """The session ended while something was waited for. It never leaves this package."""


class SessionWatch:
    """Watches *session* for one socket or stream, until the session is over."""

    def __init__(self, session: WatchedSession) -> None:
        self._session = session
        self._heard = asyncio.Event()
        self._over: Exception | None = None

    async def until_over(self) -> Exception:
        """Wait until the session is over, and return the error with which a request would be refused."""
        with self._session.listening(self._heard.set):
            while not await self._is_over():
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._patience()):
                        await self._heard.wait()
                self._heard.clear()
        assert self._over is not None
        return self._over

    async def ensure(self) -> None:
        """Return if the session is not over: at once if nothing happened, else once that is known. Raises `SessionOver`."""
        if self._over is not None or (not self._session.is_unchanged and await self._is_over()):
            raise SessionOver

    def _patience(self) -> float:
        if self._session.is_unchanged:
            return min(max(self._session.seconds_left, 0), LONGEST_WAIT)
        return RETRY

    async def _is_over(self) -> bool:
        try:
            if self._over is None:
                await self._session.catch_up()
        except Exception as error:
            if isinstance(error, SessionError | StoreUnavailable):
                logger.debug("what goes on with a session ends: %s", error)
            else:
                logger.exception("a claim could not be fetched, so what goes on with the session ends")
            self._over = error
            self._heard.set()
        return self._over is not None


async def before(end: asyncio.Future[Exception], step: Callable[[], Awaitable[T]]) -> T:
    """Return what *step* returns. If *end* is done first, cancel *step* and raise `SessionOver`."""
    # In the caller's own task, and not in one that is raced against *end*: context variables, cancel scopes and task groups
    # belong to a task, and what a cancellation of the caller loses it would have lost anyway.
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


async def until_end(source: AsyncIterator[T], watch: SessionWatch) -> AsyncIterator[T]:
    """Yield what *source* yields until the session of *watch* is over, and close *source* however it ends."""
    end = asyncio.ensure_future(watch.until_over())
    try:
        await watch.ensure()
        while True:
            item = await before(end, source.__anext__)
            await watch.ensure()
            yield item
    except (SessionOver, StopAsyncIteration):
        return
    finally:
        end.cancel()
        if isinstance(source, AsyncGenerator):  # closed now, and not when it is collected: it may hold a connection
            await source.aclose()


def _stop(limit: asyncio.Timeout, _end: asyncio.Future[Exception]) -> None:
    with suppress(RuntimeError):  # the step ended in the same iteration of the event loop
        limit.reschedule(asyncio.get_running_loop().time())
