"""Questions of many tasks, asked in one round trip.

What the tasks of one event loop ask in the same turn of it goes to the store together:

| waiting at the end of a turn | under way | then |
|---|---|---|
| one | less than `AT_ONCE` | it is asked, alone |
| several | less than `AT_ONCE` | they are asked together, at most `LARGEST`; the others count as waiting |
| any | `AT_ONCE` or more | they wait, and more may join them, until something comes back |

So one task alone waits for nobody, and the more there are the larger is what they ask together. What is under way for longer
than `SLOW` is not counted: one slow question must not hold the others up. Of these too there are at most `AT_MOST`.

| caller | then |
|---|---|
| is cancelled, or its time is over, while it waits | it is not asked for |
| ... while it is under way | it is done all the same, and the others get what is theirs |
| is one of those whose question failed as a whole | raises an error of its own, of that kind |
| is told an error | raises it, and the others do not |
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context, copy_context
from copy import copy
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Generic, TypeVar

Asked = TypeVar("Asked")
Told = TypeVar("Told")

LARGEST = 128
"""How many are asked together: to bound what a server does in one transaction, and what fails with it."""
AT_ONCE = 2
"""How much is under way: while the server works on one, the next is sent. More would only make each of them smaller."""
SLOW = 0.05
"""Seconds after which a question counts as slow."""
AT_MOST = 10
"""How much is under way, with what is slow."""

Ask = Callable[[Sequence[Asked]], Awaitable[Sequence[Told | Exception]]]
"""Asks for some, and returns what each of them is told, in their order. It has an end within the time of a caller."""

Waiting = tuple[Asked, "asyncio.Future[Told]", Context]
"""What somebody asks, where it is told, and the context of who asks."""


@dataclass(slots=True, eq=False)
class _Turns(Generic[Asked, Told]):
    """What waits on one event loop, and what is under way."""

    loop: asyncio.AbstractEventLoop
    waiting: deque[Waiting[Asked, Told]] = field(default_factory=deque)
    under_way: set[asyncio.Task[None]] = field(default_factory=set)
    counted: set[asyncio.Task[None]] = field(default_factory=set)
    is_called: bool = False

    @property
    def has_room(self) -> bool:
        return len(self.counted) < AT_ONCE and len(self.under_way) < AT_MOST


class Gathering(Generic[Asked, Told]):
    """Gathers what tasks ask, each for at most *timeout*, and asks it by *ask*. Each event loop gathers for itself."""

    def __init__(self, ask: Ask[Asked, Told], *, timeout: timedelta) -> None:
        self._ask = ask
        self._timeout = timeout.total_seconds()
        self._turns: dict[asyncio.AbstractEventLoop, _Turns[Asked, Told]] = {}

    async def told(self, asked: Asked) -> Told:
        """Return what *asked* is told. Raises TimeoutError, and whatever *ask* raises, or returns for it."""
        turns = self._turns_here()
        future: asyncio.Future[Told] = turns.loop.create_future()
        turns.waiting.append((asked, future, copy_context()))
        self._call(turns)
        async with asyncio.timeout(self._timeout):
            return await future

    async def idle(self) -> None:
        """Wait until what has been asked on this event loop by now has ended, whoever goes on asking."""
        turns = self._turns_here()
        if waiting := [future for _, future, _ in turns.waiting]:
            await asyncio.wait(waiting)
        # By now all of it is under way, or has ended.
        if turns.under_way:
            await asyncio.wait(turns.under_way)

    def _turns_here(self) -> _Turns[Asked, Told]:
        loop = asyncio.get_running_loop()
        if loop not in self._turns:
            self._turns[loop] = _Turns(loop)
            for each in [*self._turns]:  # a copy, since another thread may come with a loop of its own
                if each.is_closed():
                    self._turns.pop(each, None)
        return self._turns[loop]

    def _call(self, turns: _Turns[Asked, Told]) -> None:
        """Have what waits asked at the end of this turn, if there is room."""
        if turns.waiting and turns.has_room and not turns.is_called:
            turns.is_called = True
            turns.loop.call_soon(self._begin, turns)

    def _begin(self, turns: _Turns[Asked, Told]) -> None:
        turns.is_called = False
        while turns.has_room and (together := _next(turns.waiting)):
            # What is done for several is nobody's own, and so in nobody's trace.
            context = together[0][-1] if len(together) == 1 else Context()
            task = turns.loop.create_task(self._settle(together), context=context)
            turns.under_way.add(task)
            turns.counted.add(task)
            slow = turns.loop.call_later(SLOW, self._make_room, turns, task)
            task.add_done_callback(partial(self._end, turns, slow))

    def _make_room(self, turns: _Turns[Asked, Told], task: asyncio.Task[None]) -> None:
        turns.counted.discard(task)
        self._call(turns)

    def _end(self, turns: _Turns[Asked, Told], slow: asyncio.TimerHandle, task: asyncio.Task[None]) -> None:
        slow.cancel()
        turns.under_way.discard(task)
        self._make_room(turns, task)

    async def _settle(self, together: Sequence[Waiting[Asked, Told]]) -> None:
        """Ask for all *together*, and tell each of them."""
        try:
            told = await self._ask([asked for asked, _, _ in together])
            # All or none: if they are not as many, nobody knows who was told what.
            for (_, future, _), each in list(zip(together, told, strict=True)):
                _tell(future, each)
        except Exception as error:  # noqa: BLE001 - it is raised by those who asked
            for _, future, _ in together:
                _tell(future, _another(error))
        finally:
            for _, future, _ in together:
                future.cancel()  # in vain, unless this task was cancelled


def _next(waiting: deque[Waiting[Asked, Told]]) -> list[Waiting[Asked, Told]]:
    """Take from *waiting* what is asked next, without those who are gone."""
    together: list[Waiting[Asked, Told]] = []
    while waiting and len(together) < LARGEST:
        each = waiting.popleft()
        if not each[1].done():
            together.append(each)
    return together


def _tell(future: asyncio.Future[Told], told: Told | Exception) -> None:
    if future.done():
        return
    if isinstance(told, Exception):
        future.set_exception(told)
    else:
        future.set_result(told)


def _another(error: Exception) -> Exception:
    """Return an error like *error*: one that several tasks raise would have the traceback of each of them."""
    own = copy(error)
    own.__cause__ = error
    return own
