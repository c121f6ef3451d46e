"""Verbs of a session in a `def` endpoint.

FastAPI runs such an endpoint on a thread of AnyIO's, while the event loop goes on in its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine
from typing import Any, TypeVar

from anyio import from_thread

T = TypeVar("T")


def blocking(coroutine: Coroutine[Any, Any, T]) -> T:
    """Wait for *coroutine* from a `def` endpoint: `blocking(session.revoke())`.

    Returns and raises what *coroutine* does; `RuntimeError` if it is called on the event loop, as in an `async def` endpoint,
    which has `await`, or on a thread that is not FastAPI's.
    """
    try:
        if _on_event_loop():
            raise RuntimeError("blocking() would stop the event loop: in an `async def` function say `await` instead")
        return from_thread.run(_awaited, coroutine)
    finally:
        coroutine.close()  # if it could not be run: Python would warn of it; otherwise this does nothing


async def _awaited(coroutine: Awaitable[T]) -> T:
    return await coroutine


def _on_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
