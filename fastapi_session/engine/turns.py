"""Taking turns: writers of one session in this process queue up, where trying again and again would starve the last."""

from __future__ import annotations

import asyncio
from weakref import WeakValueDictionary

from fastapi_session.engine.background import ensure_asyncio


class Turns:
    """A lock for each session that is being changed, on each event loop. What nobody waits for is not kept."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[tuple[asyncio.AbstractEventLoop, str], asyncio.Lock] = WeakValueDictionary()

    def of(self, handle: str) -> asyncio.Lock:
        """Return the lock of the session *handle*: `async with turns.of(handle)`. Raises as `ensure_asyncio`."""
        ensure_asyncio()
        return self._locks.setdefault((asyncio.get_running_loop(), handle), asyncio.Lock())
