"""What tasks ask in one batch: how many at once, in which order, and what each caller gets."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from datetime import timedelta

import pytest

from fastapi_session.errors import StoreUnavailable
from fastapi_session.stores import batching
from fastapi_session.stores.batching import MAX_BATCH, MAX_IN_FLIGHT, Batcher

NEVER = timedelta(hours=1)
TRACE: ContextVar[str] = ContextVar("trace", default="")


class Server:
    """Returns ten times what it is asked, when it is let, and notes what was asked together."""

    def __init__(self) -> None:
        self.asked: list[Sequence[int]] = []
        self.traces: list[str] = []
        self.gates: list[asyncio.Event] = []
        self.fails: Callable[[int], Exception | None] = lambda _: None

    async def ask(self, together: Sequence[int]) -> Sequence[int | Exception]:
        gate = asyncio.Event()
        self.asked.append(together)
        self.traces.append(TRACE.get())
        self.gates.append(gate)
        await gate.wait()
        return [self.fails(each) or 10 * each for each in together]

    def reply(self, *numbers: int) -> None:
        for number in numbers:
            self.gates[number].set()


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def batcher(server: Server) -> Batcher[int, int]:
    return Batcher(server.ask, timeout=NEVER)


def begun(batcher: Batcher[int, int], *numbers: int) -> list[asyncio.Task[int]]:
    return [asyncio.create_task(batcher.submit(number)) for number in numbers]


async def begun_in_turn(batcher: Batcher[int, int], *numbers: int) -> list[asyncio.Task[int]]:
    """Ask each in a turn of its own."""
    tasks: list[asyncio.Task[int]] = []
    for number in numbers:
        tasks += begun(batcher, number)
        await turns()
    return tasks


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_one_alone(batcher: Batcher[int, int], server: Server) -> None:
    """One is asked alone, in the trace of who asks."""
    TRACE.set("mine")
    (one,) = begun(batcher, 1)
    await turns()
    server.reply(0)

    assert 10 == await one
    assert [[1]] == server.asked
    assert ["mine"] == server.traces


async def test_each_in_its_own_trace(batcher: Batcher[int, int], server: Server) -> None:
    """Who has waited for a place, and is alone then, is asked in the trace of its own, not of who came before or is gone."""
    tasks: list[asyncio.Task[int]] = []
    for number in (1, 2, 3, 4):
        TRACE.set(f"of {number}")
        tasks += begun(batcher, number)
        await turns()
    tasks[2].cancel()
    server.reply(0)
    await turns()
    server.reply(1, 2)

    await asyncio.gather(*tasks, return_exceptions=True)
    assert [[1], [2], [4]] == server.asked
    assert ["of 1", "of 2", "of 4"] == server.traces


async def test_one_turn_is_one_batch(batcher: Batcher[int, int], server: Server) -> None:
    """What is asked in one turn is one batch, in nobody's trace, and each caller gets its own result."""
    TRACE.set("mine")
    tasks = begun(batcher, 1, 2, 3)
    await turns()
    server.reply(0)

    assert [10, 20, 30] == await asyncio.gather(*tasks)
    assert [[1, 2, 3]] == server.asked
    assert [""] == server.traces


async def test_two_in_flight(batcher: Batcher[int, int], server: Server) -> None:
    """While two batches are in flight the others wait, gather, and go in one batch in the order in which they came."""
    tasks = await begun_in_turn(batcher, 1, 2, 3, 4, 5)

    assert [[1], [2]] == server.asked
    server.reply(1)
    await turns()
    assert [[1], [2], [3, 4, 5]] == server.asked
    server.reply(0, 2)
    assert [10, 20, 30, 40, 50] == await asyncio.gather(*tasks)


async def test_a_caller_who_goes_on(batcher: Batcher[int, int], server: Server) -> None:
    """Tasks that ask again as soon as they have their results stay in one batch."""

    async def ask_twice(number: int) -> int:
        return await batcher.submit(await batcher.submit(number))

    tasks = [asyncio.create_task(ask_twice(number)) for number in (1, 2, 3)]
    await turns()
    server.reply(0)
    await turns()
    server.reply(1)

    assert [100, 200, 300] == await asyncio.gather(*tasks)
    assert [[1, 2, 3], [10, 20, 30]] == server.asked


async def test_bounded(batcher: Batcher[int, int], server: Server) -> None:
    """No batch is larger than `MAX_BATCH`, and all are asked."""
    count = 2 * MAX_BATCH + 1
    tasks = begun(batcher, *range(count))
    await turns()
    server.reply(0, 1)
    await turns()
    server.reply(2)

    assert [10 * number for number in range(count)] == await asyncio.gather(*tasks)
    assert [MAX_BATCH, MAX_BATCH, 1] == [len(each) for each in server.asked]


async def test_slow_ones_make_room(batcher: Batcher[int, int], server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch that takes long holds nobody up, until there are `MAX_IN_FLIGHT` of them."""
    monkeypatch.setattr(batching, "SLOW", 0)
    tasks = []
    for number in range(MAX_IN_FLIGHT + 3):
        tasks += begun(batcher, number)
        await asyncio.sleep(0.001)

    assert [[number] for number in range(MAX_IN_FLIGHT)] == server.asked
    server.reply(3)
    await turns()
    assert [MAX_IN_FLIGHT, MAX_IN_FLIGHT + 1, MAX_IN_FLIGHT + 2] == server.asked[-1]
    server.reply(*range(MAX_IN_FLIGHT + 1))
    assert [10 * number for number in range(MAX_IN_FLIGHT + 3)] == await asyncio.gather(*tasks)


async def test_who_goes_away_before(batcher: Batcher[int, int], server: Server) -> None:
    """Who is cancelled while waiting is not asked for, and an empty batch is not run."""
    first = begun(batcher, 1)
    await turns()
    second = begun(batcher, 2)
    await turns()
    gone, stays = begun(batcher, 3, 4)
    await turns()
    gone.cancel()
    server.reply(0, 1)
    await turns()
    server.reply(2)

    assert [10, 20, 40] == await asyncio.gather(*first, *second, stays)
    assert [[1], [2], [4]] == server.asked


async def test_who_goes_away_meanwhile(batcher: Batcher[int, int], server: Server) -> None:
    """Who is cancelled while the batch is in flight takes nothing from the others."""
    gone, stays = begun(batcher, 1, 2)
    await turns()
    gone.cancel()
    server.reply(0)

    assert 20 == await stays
    with pytest.raises(asyncio.CancelledError):
        await gone


async def test_an_error_of_ones_own(batcher: Batcher[int, int], server: Server) -> None:
    """An error that is returned for one is raised for that one alone."""
    server.fails = {2: StoreUnavailable("twice")}.get
    tasks = begun(batcher, 1, 2, 3)
    await turns()
    server.reply(0)
    one, two, three = await asyncio.gather(*tasks, return_exceptions=True)

    assert (10, 30) == (one, three)
    assert "StoreUnavailable('twice')" == repr(two)


async def test_a_failure_of_all() -> None:
    """If the batch fails, each caller raises an error like it, and no two the same."""

    async def fail(_together: Sequence[int]) -> Sequence[int]:
        raise StoreUnavailable("down")

    one, two = await asyncio.gather(*begun(Batcher(fail, timeout=NEVER), 1, 2), return_exceptions=True)

    assert ["StoreUnavailable('down')"] * 2 == [repr(one), repr(two)]
    assert one is not two
    assert isinstance(one, StoreUnavailable)
    assert "StoreUnavailable('down')" == repr(one.__cause__)


async def test_too_few_results() -> None:
    """A reply that leaves some out is an error, not somebody else's outcome."""

    async def leave_out(together: Sequence[int]) -> Sequence[int]:
        return together[1:]

    batcher = Batcher(leave_out, timeout=NEVER)
    told = await asyncio.gather(*begun(batcher, 1, 2), return_exceptions=True)

    assert [ValueError] * 2 == [type(each) for each in told]


async def test_time_is_over(server: Server) -> None:
    """Who waits too long gives up, for a place as for an outcome."""
    batcher = Batcher(server.ask, timeout=timedelta(milliseconds=1))
    first = begun(batcher, 1)
    await turns()
    second = begun(batcher, 2)
    await turns()
    told = await asyncio.gather(*first, *second, *begun(batcher, 3), return_exceptions=True)

    assert [TimeoutError] * 3 == [type(each) for each in told]
    server.reply(0, 1)
    await batcher.idle()
    assert [[1], [2]] == server.asked


async def test_each_has_its_own_time(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has come later is not given up with those who came before, be it in flight or waiting; nor is who has a result."""
    moment = 100.0
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: moment)
    batcher = Batcher(server.ask, timeout=timedelta(seconds=10))
    first, second, third, fourth = await begun_in_turn(batcher, 1, 2, 3, 4)
    moment = 106
    (later,) = await begun_in_turn(batcher, 5)
    server.reply(1)
    await turns()
    moment = 110.5
    await turns()

    assert [True, True, True, True, False] == [each.done() for each in (first, second, third, fourth, later)]
    assert 20 == await second
    moment = 116.5
    told = await asyncio.gather(first, third, fourth, later, return_exceptions=True)
    assert [TimeoutError] * 4 == [type(each) for each in told]
    moment = 200
    (again,) = await begun_in_turn(batcher, 6)
    assert not again.done()
    server.reply(-1)
    assert 60 == await again


async def test_idle(batcher: Batcher[int, int], server: Server) -> None:
    """It is idle when all that was asked has ended, also what still waited."""
    tasks = await begun_in_turn(batcher, 1, 2, 3)
    idle = asyncio.create_task(batcher.idle())
    await turns()
    server.reply(0, 1)
    await turns()
    assert not idle.done()
    server.reply(2)
    await idle

    assert [10, 20, 30] == [task.result() for task in tasks]


async def test_idle_though_others_go_on_asking(batcher: Batcher[int, int], server: Server) -> None:
    """It does not wait for what is asked later, but for what is under way for somebody who is gone."""
    tasks = await begun_in_turn(batcher, 1, 2, 3)
    idle = asyncio.create_task(batcher.idle())
    await turns()
    server.reply(0)
    await turns()
    tasks[2].cancel()
    tasks += begun(batcher, 4)
    await turns()
    assert not idle.done()
    server.reply(1, 2)
    await turns()
    await asyncio.wait_for(idle, timeout=30)

    assert [[1], [2], [3], [4]] == server.asked
    assert not tasks[3].done()
    server.reply(3)
    assert 40 == await tasks[3]


def test_loops_do_not_meet(server: Server) -> None:
    """Each event loop has turns of its own, and those of one that is closed are forgotten."""
    batcher = Batcher(server.ask, timeout=NEVER)

    async def ask(number: int) -> int:
        (task,) = begun(batcher, number)
        await turns()
        server.reply(-1)
        return await task

    assert [10, 20, 30] == [asyncio.run(ask(number)) for number in (1, 2, 3)]
    gc.collect()
    assert 1 == len(batcher._queues)


def test_loops_of_two_threads(server: Server) -> None:
    """While one thread forgets the loops that are closed, another may come with its own, which is not forgotten."""
    batcher = Batcher(server.ask, timeout=NEVER)
    meanwhile: list[asyncio.Runner] = []

    async def ask(number: int) -> int:
        (task,) = begun(batcher, number)
        await turns()
        server.reply(-1)
        return await task

    class Met(asyncio.SelectorEventLoop):
        def is_closed(self) -> bool:
            while meanwhile:
                with ThreadPoolExecutor() as threads:
                    assert 20 == threads.submit(meanwhile.pop().run, ask(2)).result()
            return super().is_closed()

    with asyncio.Runner(loop_factory=Met) as first, asyncio.Runner() as other, asyncio.Runner() as third:
        assert 10 == first.run(ask(1))
        meanwhile.append(other)
        assert 30 == third.run(ask(3))

        assert {each.get_loop() for each in (first, other, third)} == batcher._queues.keys()


def test_the_end_of_a_loop(server: Server) -> None:
    """A loop that ends cancels what is under way, and who waits for it."""
    batcher = Batcher(server.ask, timeout=NEVER)
    tasks: list[asyncio.Task[int]] = []

    async def begin() -> None:
        tasks.extend(begun(batcher, 1, 2))
        await turns()

    asyncio.run(begin())

    assert [True, True] == [task.cancelled() for task in tasks]
