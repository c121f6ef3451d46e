"""What tasks ask together: how much at once, in which order, and what becomes of each of them."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from datetime import timedelta

import pytest

from fastapi_session.errors import StoreUnavailable
from fastapi_session.stores import gathering
from fastapi_session.stores.gathering import AT_MOST, LARGEST, Gathering

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
def asking(server: Server) -> Gathering[int, int]:
    return Gathering(server.ask, timeout=NEVER)


def begun(asking: Gathering[int, int], *numbers: int) -> list[asyncio.Task[int]]:
    return [asyncio.create_task(asking.told(number)) for number in numbers]


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_one_alone(asking: Gathering[int, int], server: Server) -> None:
    """One is asked alone, in the trace of who asks."""
    TRACE.set("mine")
    (one,) = begun(asking, 1)
    await turns()
    server.reply(0)

    assert 10 == await one
    assert [[1]] == server.asked
    assert ["mine"] == server.traces


async def test_each_in_its_own_trace(asking: Gathering[int, int], server: Server) -> None:
    """Who has waited for a place, and is alone then, is asked in the trace of its own, not of who came before or is gone."""
    tasks: list[asyncio.Task[int]] = []
    for number in (1, 2, 3, 4):
        TRACE.set(f"of {number}")
        tasks += begun(asking, number)
        await turns()
    tasks[2].cancel()
    server.reply(0)
    await turns()
    server.reply(1, 2)

    await asyncio.gather(*tasks, return_exceptions=True)
    assert [[1], [2], [4]] == server.asked
    assert ["of 1", "of 2", "of 4"] == server.traces


async def test_one_turn_is_one_question(asking: Gathering[int, int], server: Server) -> None:
    """What is asked in one turn goes together, in nobody's trace, and each gets what is its own."""
    TRACE.set("mine")
    tasks = begun(asking, 1, 2, 3)
    await turns()
    server.reply(0)

    assert [10, 20, 30] == await asyncio.gather(*tasks)
    assert [[1, 2, 3]] == server.asked
    assert [""] == server.traces


async def test_two_under_way(asking: Gathering[int, int], server: Server) -> None:
    """While two questions are under way the others wait, gather, and go together in the order in which they came."""
    tasks = [*begun(asking, 1)]
    for number in (2, 3, 4, 5):
        await turns()
        tasks += begun(asking, number)
    await turns()

    assert [[1], [2]] == server.asked
    server.reply(1)
    await turns()
    assert [[1], [2], [3, 4, 5]] == server.asked
    server.reply(0, 2)
    assert [10, 20, 30, 40, 50] == await asyncio.gather(*tasks)


async def test_who_is_told_joins_at_once(asking: Gathering[int, int], server: Server) -> None:
    """Tasks that ask on as soon as they are told stay together."""

    async def ask_twice(number: int) -> int:
        return await asking.told(await asking.told(number))

    tasks = [asyncio.create_task(ask_twice(number)) for number in (1, 2, 3)]
    await turns()
    server.reply(0)
    await turns()
    server.reply(1)

    assert [100, 200, 300] == await asyncio.gather(*tasks)
    assert [[1, 2, 3], [10, 20, 30]] == server.asked


async def test_bounded(asking: Gathering[int, int], server: Server) -> None:
    """No question is larger than `LARGEST`, and all are asked."""
    count = 2 * LARGEST + 1
    tasks = begun(asking, *range(count))
    await turns()
    server.reply(0, 1)
    await turns()
    server.reply(2)

    assert [10 * number for number in range(count)] == await asyncio.gather(*tasks)
    assert [LARGEST, LARGEST, 1] == [len(each) for each in server.asked]


async def test_slow_ones_make_room(
    asking: Gathering[int, int], server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A question that takes long holds nobody up, until there are `AT_MOST` of them."""
    monkeypatch.setattr(gathering, "SLOW", 0)
    tasks = []
    for number in range(AT_MOST + 3):
        tasks += begun(asking, number)
        await asyncio.sleep(0.001)

    assert [[number] for number in range(AT_MOST)] == server.asked
    server.reply(3)
    await turns()
    assert [AT_MOST, AT_MOST + 1, AT_MOST + 2] == server.asked[-1]
    server.reply(*range(AT_MOST + 1))
    assert [10 * number for number in range(AT_MOST + 3)] == await asyncio.gather(*tasks)


async def test_who_goes_away_before(asking: Gathering[int, int], server: Server) -> None:
    """Who is cancelled while waiting is not asked for, and a question of nobody is not asked."""
    first = begun(asking, 1)
    await turns()
    second = begun(asking, 2)
    await turns()
    gone, stays = begun(asking, 3, 4)
    await turns()
    gone.cancel()
    server.reply(0, 1)
    await turns()
    server.reply(2)

    assert [10, 20, 40] == await asyncio.gather(*first, *second, stays)
    assert [[1], [2], [4]] == server.asked


async def test_who_goes_away_meanwhile(asking: Gathering[int, int], server: Server) -> None:
    """Who is cancelled while the question is under way takes nothing from the others."""
    gone, stays = begun(asking, 1, 2)
    await turns()
    gone.cancel()
    server.reply(0)

    assert 20 == await stays
    with pytest.raises(asyncio.CancelledError):
        await gone


async def test_an_error_of_ones_own(asking: Gathering[int, int], server: Server) -> None:
    """An error that is returned for one is raised for that one alone."""
    server.fails = {2: StoreUnavailable("twice")}.get
    tasks = begun(asking, 1, 2, 3)
    await turns()
    server.reply(0)
    one, two, three = await asyncio.gather(*tasks, return_exceptions=True)

    assert (10, 30) == (one, three)
    assert "StoreUnavailable('twice')" == repr(two)


async def test_a_failure_of_all() -> None:
    """If the question fails each raises an error like it, and no two the same."""

    async def fail(_together: Sequence[int]) -> Sequence[int]:
        raise StoreUnavailable("down")

    one, two = await asyncio.gather(*begun(Gathering(fail, timeout=NEVER), 1, 2), return_exceptions=True)

    assert ["StoreUnavailable('down')"] * 2 == [repr(one), repr(two)]
    assert one is not two
    assert isinstance(one, StoreUnavailable)
    assert "StoreUnavailable('down')" == repr(one.__cause__)


async def test_too_few_are_told() -> None:
    """A reply that leaves some out is an error, not somebody else's outcome."""

    async def leave_out(together: Sequence[int]) -> Sequence[int]:
        return together[1:]

    asking = Gathering(leave_out, timeout=NEVER)
    told = await asyncio.gather(*begun(asking, 1, 2), return_exceptions=True)

    assert [ValueError] * 2 == [type(each) for each in told]


async def test_time_is_over(server: Server) -> None:
    """Who waits too long gives up, for a place as for an outcome."""
    asking = Gathering(server.ask, timeout=timedelta(milliseconds=1))
    first = begun(asking, 1)
    await turns()
    second = begun(asking, 2)
    await turns()
    told = await asyncio.gather(*first, *second, *begun(asking, 3), return_exceptions=True)

    assert [TimeoutError] * 3 == [type(each) for each in told]
    server.reply(0, 1)
    await asking.idle()
    assert [[1], [2]] == server.asked


async def test_idle(asking: Gathering[int, int], server: Server) -> None:
    """It is idle when all that was asked has ended, also what still waited."""
    tasks = begun(asking, 1)
    for number in (2, 3):
        await turns()
        tasks += begun(asking, number)
    await turns()
    idle = asyncio.create_task(asking.idle())
    await turns()
    server.reply(0, 1)
    await turns()
    assert not idle.done()
    server.reply(2)
    await idle

    assert [10, 20, 30] == [task.result() for task in tasks]


async def test_idle_though_others_go_on_asking(asking: Gathering[int, int], server: Server) -> None:
    """It does not wait for what is asked later, but for what is under way for somebody who is gone."""
    tasks = begun(asking, 1)
    for number in (2, 3):
        await turns()
        tasks += begun(asking, number)
    await turns()
    idle = asyncio.create_task(asking.idle())
    await turns()
    server.reply(0)
    await turns()
    tasks[2].cancel()
    tasks += begun(asking, 4)
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
    asking = Gathering(server.ask, timeout=NEVER)

    async def ask(number: int) -> int:
        (task,) = begun(asking, number)
        await turns()
        server.reply(-1)
        return await task

    assert [10, 20, 30] == [asyncio.run(ask(number)) for number in (1, 2, 3)]
    gc.collect()
    assert 1 == len(asking._turns)


def test_loops_of_two_threads(server: Server) -> None:
    """While one thread forgets the loops that are closed, another may come with its own, which is not forgotten."""
    asking = Gathering(server.ask, timeout=NEVER)
    meanwhile: list[asyncio.Runner] = []

    async def ask(number: int) -> int:
        (task,) = begun(asking, number)
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

        assert {each.get_loop() for each in (first, other, third)} == asking._turns.keys()


def test_the_end_of_a_loop(server: Server) -> None:
    """A loop that ends cancels what is under way, and who waits for it."""
    asking = Gathering(server.ask, timeout=NEVER)
    tasks: list[asyncio.Task[int]] = []

    async def begin() -> None:
        tasks.extend(begun(asking, 1, 2))
        await turns()

    asyncio.run(begin())

    assert [True, True] == [task.cancelled() for task in tasks]
