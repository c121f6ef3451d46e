"""Verbs of a session in a `def` endpoint.

FastAPI runs such an endpoint on a thread of AnyIO's, while the event loop goes on in its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from anyio import from_thread

T = TypeVar("T")


def blocking(coroutine: Coroutine[Any, Any, T]) -> T:
    """Wait for *coroutine* from a `def` endpoint: `blocking(session.revoke())`.

    Answers what it answers and raises what it raises; `RuntimeError` where it is called on the event loop itself, as in an
    `async def` endpoint, which has `await`, or on a thread that is not FastAPI's.
    """
    try:
        if _on_event_loop():
            raise RuntimeError("blocking() would stop the event loop: in an `async def` function say `await` instead")
        return from_thread.run(_awaited, coroutine)
    finally:
        coroutine.close()  # where it could not be run; otherwise this does nothing


async def _awaited(coroutine: Coroutine[Any, Any, T]) -> T:
    return await coroutine


def _on_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
