"""Two processes that share a store, and a third, the test, which gives them their tasks and looks at the results."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from multiprocessing.connection import Connection
from typing import Any

from fastapi_session.clock import system_clock
from tests.conftest import Place
from tests.engines import engine
from tests.reliability.processes import PROCESSES
from tests.reliability.worker import OffsetClock, Order, Task, serve

WORKERS = 2


class Processes:
    """Engines of one configuration over the store at *place*: `sessions` here, and one in each worker.

    Their clock is the machine's, set forward by `clock.offset` milliseconds; *by_server* leaves time to the store's own.
    """

    def __init__(self, place: Place, *, by_server: bool, **options: Any) -> None:
        self.clock = OffsetClock()
        clock = system_clock if by_server else self.clock
        self.sessions = engine(clock, store=place.store(clock), **options)
        self._given = (place, by_server, options)
        self._workers: list[Connection] = []
        self._pids: list[int] = []

    @contextmanager
    def worker(self, name: str) -> Iterator[Connection]:
        """Start a worker, and let it end in good order."""
        here, there = PROCESSES.Pipe()
        process = PROCESSES.Process(target=serve, args=(name, there, *self._given), daemon=True)
        process.start()
        there.close()
        assert process.pid is not None
        self._pids.append(process.pid)
        try:
            yield here
        finally:
            here.close()
            process.join(30)
            process.kill()
            process.join()
        assert 0 == process.exitcode
        process.close()

    def begin(self, tasks: Sequence[Task]) -> None:
        """Divide *tasks* among the workers, and fire the starting shot when all are ready."""
        for number, worker in enumerate(self._workers):
            worker.send(Order(tasks[number::WORKERS], self.clock.offset))
        assert ["ready"] * WORKERS == [worker.recv() for worker in self._workers]
        for worker in self._workers:
            worker.send("go")

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop the workers, wherever they are, and let them go on in the end."""
        for pid in self._pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in self._pids:
                os.kill(pid, signal.SIGCONT)

    def results(self) -> list[Any]:
        """Return what came of the tasks, when all are done."""
        return [result for worker in self._workers for result in worker.recv()]

    async def do(self, tasks: Sequence[Task]) -> list[Any]:
        """Return what came of *tasks*. Meanwhile this process goes on: what it has begun may hold a lock on the session."""
        await asyncio.to_thread(self.begin, tasks)
        return await asyncio.to_thread(self.results)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Open the store, and let the workers work for it."""
        await self.sessions.open()
        try:
            with ExitStack() as stack:
                self._workers = [stack.enter_context(self.worker(f"{number}")) for number in range(WORKERS)]
                yield
        finally:
            await self.sessions.close()


@asynccontextmanager
async def side_by_side(place: Place, *, by_server: bool = False, **options: Any) -> AsyncIterator[Processes]:
    processes = Processes(place, by_server=by_server, **options)
    async with processes.running():
        yield processes
