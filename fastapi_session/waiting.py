"""Waiting for a task that must not end with who waits for it.

`asyncio.shield` does that too. But from Python 3.14 on it logs the error of a task that nobody waits for any more, and an error of a
driver may quote what it was given.
"""

from __future__ import annotations

import asyncio
from typing import TypeVar

Result = TypeVar("Result")


async def outcome_of(task: asyncio.Task[Result]) -> Result:
    """Return what *task* returns, or raise what it raises. If the caller is cancelled, it goes on, and how it ends is nobody's concern."""
    task.add_done_callback(_see)
    await asyncio.wait([task])
    return task.result()


def _see(task: asyncio.Task[Result]) -> None:
    if not task.cancelled():
        task.exception()  # or asyncio would log that nobody has seen it
