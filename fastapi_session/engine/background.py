"""Work that nobody waits for."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine


class Background:
    """Tasks of one process, kept alive until they are done. The work itself must deal with its own failures."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[None, None, None]) -> None:
        """Begin *work* on the running event loop."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def finish(self) -> None:
        """Wait for what was begun on the running event loop."""
        loop = asyncio.get_running_loop()
        await asyncio.gather(*(task for task in self._tasks if task.get_loop() is loop), return_exceptions=True)
