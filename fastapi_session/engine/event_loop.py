"""The event loop of asyncio: ensuring that there is one, and letting other tasks run on it during long loops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import TypeVar

from fastapi_session.errors import ConfigurationError

PORTION = 1_000
"""After how many items other tasks may run."""

T = TypeVar("T")


def ensure_asyncio() -> None:
    """Raise `ConfigurationError` if no event loop of asyncio is running, as under trio."""
    try:
        asyncio.get_running_loop()
    except RuntimeError as error:
        raise ConfigurationError(
            "sessions need the event loop of asyncio, and none is running: serve the application by asyncio, not by trio "
            "(with Hypercorn, worker_class asyncio or uvloop)"
        ) from error


async def letting_others_run(things: Iterable[T]) -> AsyncIterator[T]:
    """Yield *things*, and let other tasks of the event loop run after each `PORTION` of them."""
    for number, thing in enumerate(things, 1):
        yield thing
        if number % PORTION == 0:
            await asyncio.sleep(0)
