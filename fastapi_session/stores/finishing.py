"""What goes on to its end, whatever becomes of who asked for it: a connection that is left in the middle is of no use to the next."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Generic, TypeVar

from fastapi_session.waiting import outcome_of

Result = TypeVar("Result")


class Finishing(Generic[Result]):
    """Tasks that nobody cancels. Each has an end of its own, in time."""

    def __init__(self) -> None:
        # The event loop refers to its tasks weakly.
        self._tasks: set[asyncio.Task[Result]] = set()

    async def run(self, work: Coroutine[object, None, Result]) -> Result:
        """Return what *work* returns, or raise what it raises. If the caller is cancelled, it goes on, and how it ends is nobody's concern."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await outcome_of(task)

    async def idle(self) -> None:
        """Wait until what was begun on this event loop has ended."""
        loop = asyncio.get_running_loop()
        # A copy, since another thread may begin something on a loop of its own.
        await asyncio.gather(*(task for task in [*self._tasks] if task.get_loop() is loop), return_exceptions=True)
