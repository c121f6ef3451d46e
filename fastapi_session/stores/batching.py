"""Batching: what the tasks of one event loop ask of a store in the same turn goes to it in one round trip.

| waiting at the end of a turn | batches in flight | then |
|---|---|---|
| one item | fewer than `IN_FLIGHT` | it is sent at once, alone |
| several | fewer than `IN_FLIGHT` | they are sent as one batch, of at most `MAX_BATCH`; the others go on waiting |
| any | `IN_FLIGHT` or more | they wait, and more may join them, until a batch has ended |

So a task that is alone waits for nobody, and the more tasks there are the larger is a batch. A batch that is in flight for longer
than `SLOW` is not counted: it must not hold the others up. With those too there are at most `MAX_IN_FLIGHT`.

| caller | then |
|---|---|
| is cancelled, or its time is over, while its item waits | the item is not sent |
| ... while it is in flight | the item is done all the same, and the other callers get their results |
| has an item in a batch that failed as a whole | raises a copy of the error |
| has an item that failed by itself | raises that error, and the other callers do not |
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
from itertools import chain
from typing import Generic, NamedTuple, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

MAX_BATCH = 128
"""How many items a batch has at most: to bound what a server does in one transaction, and what fails with it."""
IN_FLIGHT = 2
"""How many batches are in flight: while the server works on one, the next is sent. More would only make each of them smaller."""
SLOW = 0.05
"""Seconds after which a batch counts as slow."""
MAX_IN_FLIGHT = 10
"""How many batches are in flight, with those that are slow."""

RunBatch = Callable[[Sequence[Item]], Awaitable[Sequence[Result | Exception]]]
"""Runs a batch, and returns the result of each item, in their order. It ends within the timeout of a caller."""


class _Waiting(NamedTuple, Generic[Item, Result]):
    """An *item*, the *future* that its caller waits for *until* that moment (of the event loop), and the *context* of the caller."""

    item: Item
    future: asyncio.Future[Result]
    context: Context
    until: float


_Batch = Sequence[_Waiting[Item, Result]]


@dataclass(slots=True, eq=False)
class _Queue(Generic[Item, Result]):
    """What waits on one event loop, and the batches that are in flight: all of them, and those that are counted."""

    loop: asyncio.AbstractEventLoop
    waiting: deque[_Waiting[Item, Result]] = field(default_factory=deque)
    in_flight: dict[asyncio.Task[None], _Batch[Item, Result]] = field(default_factory=dict)
    counted: set[asyncio.Task[None]] = field(default_factory=set)
    is_scheduled: bool = False
    is_watched: bool = False

    @property
    def has_room(self) -> bool:
        return len(self.counted) < IN_FLIGHT and len(self.in_flight) < MAX_IN_FLIGHT

    def unfinished(self) -> list[_Waiting[Item, Result]]:
        """Return those whose callers still wait."""
        return [each for each in chain(self.waiting, *self.in_flight.values()) if not each.future.done()]


class Batcher(Generic[Item, Result]):
    """Collects the items of many tasks into batches, and runs each by *run_batch*. Each event loop has batches of its own.

    A caller waits for at most *timeout*; *too_late* is what it raises then.
    """

    def __init__(
        self,
        run_batch: RunBatch[Item, Result],
        *,
        timeout: timedelta,
        too_late: Callable[[], Exception] = TimeoutError,
    ) -> None:
        self._run_batch = run_batch
        self._too_late = too_late
        self._timeout = timeout.total_seconds()
        self._queues: dict[asyncio.AbstractEventLoop, _Queue[Item, Result]] = {}

    async def submit(self, item: Item) -> Result:
        """Return the result of *item*. Raises *too_late*, and whatever *run_batch* raises, or returns for the item."""
        queue = self._queue()
        future: asyncio.Future[Result] = queue.loop.create_future()
        queue.waiting.append(_Waiting(item, future, copy_context(), queue.loop.time() + self._timeout))
        self._schedule(queue)
        if not queue.is_watched:
            self._watch(queue)
        return await future

    async def idle(self) -> None:
        """Wait until what was submitted on this event loop by now has ended, whoever goes on submitting."""
        queue = self._queue()
        if waiting := [each.future for each in queue.waiting]:
            await asyncio.wait(waiting)
        # By now all of it is in flight, or has ended.
        if queue.in_flight:
            await asyncio.wait(queue.in_flight)

    def _queue(self) -> _Queue[Item, Result]:
        """Return the queue of the running event loop."""
        loop = asyncio.get_running_loop()
        if loop not in self._queues:
            self._queues[loop] = _Queue(loop)
            for each in [*self._queues]:  # a copy, since another thread may come with a loop of its own
                if each.is_closed():
                    self._queues.pop(each, None)
        return self._queues[loop]

    def _schedule(self, queue: _Queue[Item, Result]) -> None:
        """Have batches started at the end of this turn of the loop, if something waits and there is room."""
        if queue.waiting and queue.has_room and not queue.is_scheduled:
            queue.is_scheduled = True
            queue.loop.call_soon(self._start, queue)

    def _start(self, queue: _Queue[Item, Result]) -> None:
        queue.is_scheduled = False
        while queue.has_room and (batch := _next_batch(queue.waiting)):
            # What is done for several callers is in the trace of none of them.
            context = batch[0].context if len(batch) == 1 else Context()
            task = queue.loop.create_task(self._run(batch), context=context)
            queue.in_flight[task] = batch
            queue.counted.add(task)
            slow = queue.loop.call_later(SLOW, self._make_room, queue, task)
            task.add_done_callback(partial(self._end, queue, slow))

    def _watch(self, queue: _Queue[Item, Result]) -> None:
        """Fail those who have waited for too long, and look again when that may be so of the next."""
        # One timer for all, which nobody stops: one for each caller would cost as much as the rest of `submit`.
        now, unfinished = queue.loop.time(), queue.unfinished()
        for each in unfinished:
            if each.until <= now:
                each.future.set_exception(self._too_late())
        later = [each.until for each in unfinished if each.until > now]
        queue.is_watched = bool(later)
        if later:
            queue.loop.call_at(min(later), self._watch, queue)

    def _make_room(self, queue: _Queue[Item, Result], task: asyncio.Task[None]) -> None:
        queue.counted.discard(task)
        self._schedule(queue)

    def _end(self, queue: _Queue[Item, Result], slow: asyncio.TimerHandle, task: asyncio.Task[None]) -> None:
        slow.cancel()
        del queue.in_flight[task]
        self._make_room(queue, task)

    async def _run(self, batch: _Batch[Item, Result]) -> None:
        """Run *batch*, and give each caller its result."""
        try:
            results = await self._run_batch([each.item for each in batch])
            # All or none: if they are not as many, nobody knows whose each is.
            for waiting, result in list(zip(batch, results, strict=True)):
                _settle(waiting.future, result)
        except Exception as error:  # noqa: BLE001 - the callers raise it
            for waiting in batch:
                _settle(waiting.future, _copy_of(error))
        finally:
            for waiting in batch:
                waiting.future.cancel()  # in vain, unless this task was cancelled


def _next_batch(waiting: deque[_Waiting[Item, Result]]) -> list[_Waiting[Item, Result]]:
    """Take the next batch from *waiting*, without the items of callers who are gone."""
    batch: list[_Waiting[Item, Result]] = []
    while waiting and len(batch) < MAX_BATCH:
        each = waiting.popleft()
        if not each.future.done():
            batch.append(each)
    return batch


def _settle(future: asyncio.Future[Result], result: Result | Exception) -> None:
    if future.done():
        return
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)


def _copy_of(error: Exception) -> Exception:
    """Return a copy of *error*: one that several tasks raise would have the traceback of each of them."""
    own = copy(error)
    own.__cause__ = error
    return own
