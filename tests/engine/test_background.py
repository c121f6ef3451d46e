"""Work in the background is kept alive, waited for at the end, and done once for all who ask at the same time."""

from __future__ import annotations

import asyncio
import gc

import pytest

from fastapi_session.engine.background import Background, SingleFlight
from fastapi_session.errors import StoreUnavailable


class Work:
    """Something to do that can be held up, and fails where it is told to."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.begun = 0
        self.done = 0
        self.go = asyncio.Event()
        self._failure = failure

    async def __call__(self) -> None:
        self.begun += 1
        await self.go.wait()
        self.done += 1
        if self._failure is not None:
            raise self._failure


async def test_work_is_kept_alive() -> None:
    """A task that nobody holds on to is not lost to the garbage collector."""
    background, work = Background(), Work()
    background.start(work())
    await asyncio.sleep(0)
    gc.collect()
    work.go.set()
    await background.finish()

    assert 1 == work.done


async def test_finish_waits_and_survives_failures() -> None:
    """Finishing waits for everything that was begun, whether it succeeds or not."""
    background = Background()
    works = [Work(), Work(StoreUnavailable("down")), Work()]
    for work in works:
        background.start(work())
        work.go.set()
    await background.finish()

    assert [1, 1, 1] == [work.done for work in works]


def test_work_of_a_closed_event_loop_is_not_waited_for() -> None:
    """What was begun on another event loop holds nobody up."""
    background = Background()

    async def begin() -> None:
        background.start(Work()())

    asyncio.run(begin())
    asyncio.run(background.finish())


async def test_single_flight_does_the_work_once() -> None:
    """A hundred who ask at once wait for the same work, and who asks afterwards begins it anew."""
    work = Work()
    flight = SingleFlight(work, background=Background())
    asking = [asyncio.ensure_future(flight()) for _ in range(100)]
    await asyncio.sleep(0)
    work.go.set()
    await asyncio.gather(*asking)
    await flight()

    assert (2, 2) == (work.begun, work.done)


async def test_single_flight_tells_everybody_of_a_failure() -> None:
    """All who waited learn why the work failed, and none is told of the failure before."""
    work = Work(StoreUnavailable("down"))
    flight = SingleFlight(work, background=Background())
    asking = [asyncio.ensure_future(flight()) for _ in range(3)]
    work.go.set()
    answers = await asyncio.gather(*asking, return_exceptions=True)
    await flight.join()

    assert [StoreUnavailable] * 3 == [type(answer) for answer in answers]


async def test_single_flight_outlives_who_began_it() -> None:
    """A client that goes away leaves the work to those who wait with it."""
    work = Work()
    flight = SingleFlight(work, background=Background())
    first = asyncio.ensure_future(flight())
    await asyncio.sleep(0)
    joined = asyncio.ensure_future(flight.join())
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    work.go.set()
    await joined

    assert (1, 1) == (work.begun, work.done)


def test_single_flight_waits_for_no_other_event_loop() -> None:
    """Each event loop does its own work: that of another may never end."""
    begun = []

    async def work() -> None:
        begun.append(asyncio.get_running_loop())
        if len(begun) == 1:
            await asyncio.Event().wait()

    flight = SingleFlight(work, background=Background())

    async def give_up() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(flight(), 0.01)

    asyncio.run(give_up())
    asyncio.run(flight())

    assert 2 == len(begun)
