"""Work that nobody waits for, and work that many wait for together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Generic, ParamSpec

from fastapi_session.engine.event_loop import ensure_asyncio

P = ParamSpec("P")

PATIENCE = 5.0
"""Seconds in which what is under way may come to its end when everything else does."""


class Background:
    """Tasks of one process, kept alive until they are done. The work itself must deal with its own failures."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Begin *work* on the running event loop, and answer its task."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def finish(self) -> None:
        """Wait for what was begun on the running event loop; what hangs is cancelled."""
        loop = asyncio.get_running_loop()
        tasks = [task for task in self._tasks if task.get_loop() is loop]
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await asyncio.gather(*tasks, return_exceptions=True)


class SingleFlight(Generic[P]):
    """Work done once for all who ask for it at the same time: the first one begins it, the others wait with him."""

    def __init__(self, work: Callable[P, Coroutine[Any, Any, None]], *, background: Background) -> None:
        self._work = work
        self._background = background
        self._task: asyncio.Task[None] | None = None

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Wait until the work is done, and raise what it raised. Who is cancelled leaves it to the others."""
        ensure_asyncio()
        task = self._under_way()
        if task is None:
            task = self._task = self._background.start(self._work(*args, **kwargs))
        await asyncio.shield(task)

    async def join(self) -> None:
        """Wait for the work that is under way, and raise what it raised. Does nothing where none is."""
        task = self._under_way()
        if task is not None:
            await asyncio.shield(task)

    async def anew(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Wait until the work is done that begins after this call, and raise what it raised."""
        await self.join()
        await self(*args, **kwargs)

    def _under_way(self) -> asyncio.Task[None] | None:
        """Return the task that runs on this event loop; that of another one cannot be waited for."""
        task = self._task
        if task is None or task.done() or task.get_loop() is not asyncio.get_running_loop():
            return None
        return task
