"""Taking turns: writers of one session in this process queue up, where trying again and again would starve the last."""

from __future__ import annotations

import asyncio
from weakref import WeakValueDictionary


class Turns:
    """A lock for each session that is being changed, on each event loop. What nobody waits for is not kept."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[tuple[asyncio.AbstractEventLoop, str], asyncio.Lock] = WeakValueDictionary()

    def of(self, handle: str) -> asyncio.Lock:
        """Answer the lock of the session *handle*: `async with turns.of(handle)`."""
        return self._locks.setdefault((asyncio.get_running_loop(), handle), asyncio.Lock())
