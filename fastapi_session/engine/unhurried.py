"""Going through many things without holding up whoever else is on the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import TypeVar

PORTION = 1_000
"""After how many things others have a turn."""

T = TypeVar("T")


async def unhurried(things: Iterable[T]) -> AsyncIterator[T]:
    """Yield *things*, and give others a turn from time to time."""
    for number, thing in enumerate(things, 1):
        yield thing
        if number % PORTION == 0:
            await asyncio.sleep(0)
