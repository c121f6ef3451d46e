"""Work that nobody waits for, and work that many wait for together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Generic, ParamSpec

from fastapi_session.engine.event_loop import ensure_asyncio
from fastapi_session.waiting import outcome_of

P = ParamSpec("P")

PATIENCE = 5.0
"""Seconds that tasks are given to finish when the engine is closed."""


class Background:
    """Tasks of one process, kept alive until they are done. The work itself must deal with its own failures."""

    def __init__(self) -> None:
        # The event loop refers to its tasks weakly: one that nobody else keeps may be collected before it is done.
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[object, None, None]) -> asyncio.Task[None]:
        """Begin *work* on the running event loop, and return its task."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def finish(self) -> None:
        """Wait for what was begun on the running event loop; what takes longer than `PATIENCE` is cancelled."""
        loop = asyncio.get_running_loop()
        tasks = [task for task in self._tasks if task.get_loop() is loop]
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await asyncio.gather(*tasks, return_exceptions=True)


class SingleFlight(Generic[P]):
    """Work done once for all who call it at the same time: the first one begins it, the others wait with him."""

    def __init__(self, work: Callable[P, Coroutine[object, None, None]], *, background: Background) -> None:
        self._work = work
        self._background = background
        self._task: asyncio.Task[None] | None = None

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Wait until the work is done, and raise what it raised. A caller that is cancelled leaves the work to the others."""
        ensure_asyncio()
        task = self._under_way()
        if task is None:
            task = self._task = self._background.start(self._work(*args, **kwargs))
        await outcome_of(task)  # awaited itself, it would be cancelled for all with any caller that is

    async def join(self) -> None:
        """Wait for the work that is under way, and raise what it raised. Does nothing if none is."""
        task = self._under_way()
        if task is not None:
            await outcome_of(task)

    async def run_again(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Wait until the work is done that begins after this call, and raise what it raised."""
        await self.join()
        await self(*args, **kwargs)

    def _under_way(self) -> asyncio.Task[None] | None:
        """Return the task that runs on this event loop; that of another one cannot be waited for."""
        task = self._task
        if task is None or task.done() or task.get_loop() is not asyncio.get_running_loop():
            return None
        return task
