"""Verbs of a session in a `def` endpoint.

FastAPI runs such an endpoint on a thread of AnyIO's, while the event loop goes on in its own.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

from anyio import from_thread

T = TypeVar("T")


def blocking(awaitable: Awaitable[T]) -> T:
    """Wait for *awaitable* from a `def` endpoint: `blocking(session.revoke())`.

    Answers what it answers and raises what it raises; `RuntimeError` where it is called on the event loop itself, as in an
    `async def` endpoint, which has `await`.
    """
    return from_thread.run(_awaited, awaitable)


async def _awaited(awaitable: Awaitable[T]) -> T:
    return await awaitable
