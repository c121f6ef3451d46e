"""Work that is repeated for as long as anybody wants it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class _Round:
    task: asyncio.Task[None]
    wanted_by: set[object] = field(default_factory=set)


class PeriodicWork:
    """Does *work* every *interval* seconds on each event loop on which somebody wants it, and on no other.

    The work itself must deal with its own failures.
    """

    def __init__(self, work: Callable[[], Awaitable[None]], *, interval: float) -> None:
        self._work = work
        self._interval = interval
        self._rounds: dict[asyncio.AbstractEventLoop, _Round] = {}

    def __bool__(self) -> bool:
        """Say whether the work is being done on any event loop."""
        return any(not each.task.done() and not loop.is_closed() for loop, each in tuple(self._rounds.items()))

    def begin(self, wanted_by: object) -> None:
        """Do the work on the running event loop until `end` was called for *wanted_by* and for everybody else who called this."""
        loop = asyncio.get_running_loop()
        known = self._rounds.get(loop)
        if known is None or known.task.done():
            # No task of `Background`: closing waits for those, and this one has no end.
            known = self._rounds[loop] = _Round(loop.create_task(self._repeat()))
        known.wanted_by.add(wanted_by)

    def end(self, wanted_by: object) -> asyncio.Task[None] | None:
        """Note that *wanted_by* needs the work on the running event loop no more. Return its task if that is cancelled by this."""
        loop = asyncio.get_running_loop()
        known = self._rounds.get(loop)
        if known is None:
            return None
        known.wanted_by.discard(wanted_by)
        if known.wanted_by:
            return None
        del self._rounds[loop]
        known.task.cancel()
        return known.task

    async def _repeat(self) -> None:
        while True:
            await asyncio.sleep(self._interval)
            await self._work()
