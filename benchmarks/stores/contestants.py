"""What is measured: a store of ours, or another way to create and refresh sessions."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from itertools import count
from typing import Protocol

from fastapi_session.clock import system_clock
from fastapi_session.model import Rotation, SessionRecord
from fastapi_session.testing.records import digest, new_session, next_rotation

SECONDS = 0.3
"""How long each measurement of a round takes."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How often a second it was done, and the CPU time that this process took each time; the server's is not in it."""

    a_second: float
    cpu_microseconds: float


Measure = Callable[[], Awaitable[Pace]]


class Contestant(Protocol):
    """Creates and refreshes sessions. Every store does."""

    async def insert(self, record: SessionRecord, /) -> object:
        """Keep a new *record*."""

    async def rotate(self, rotation: Rotation, /) -> object:
        """Hand a session on to its next refresh token, or return `None` if there is no such session."""


class Sessions:
    """Makes new sessions, no two alike in one run."""

    def __init__(self) -> None:
        self._numbers = count()

    def new(self) -> SessionRecord:
        """Return the next one."""
        return new_session(f"{next(self._numbers)}", now=system_clock())


async def paced(task: Callable[[float], Awaitable[int]], tasks: int) -> Pace:
    """Return how fast *tasks* of them are together; each is given the time to end at, and returns how often it did it."""
    gc.collect()  # so that the garbage of others is not counted here
    began, spent = time.perf_counter(), time.process_time()
    done = sum(await asyncio.gather(*(task(began + SECONDS) for _ in range(tasks))))
    taken, spent = time.perf_counter() - began, time.process_time() - spent
    return Pace(done / taken, spent / done * 1e6)


def creating(contestant: Contestant, sessions: Sessions, *, tasks: int) -> Measure:
    """Measure how many sessions are created a second."""

    async def task(end: float) -> int:
        done = 0
        while time.perf_counter() < end:
            await contestant.insert(sessions.new())
            done += 1
        return done

    return lambda: paced(task, tasks)


def refreshing(contestant: Contestant, sessions: Sessions, *, tasks: int) -> Measure:
    """Measure how many refreshes there are a second, each task with a session of its own."""

    async def measure() -> Pace:
        records = [sessions.new() for _ in range(tasks)]
        for record in records:
            await contestant.insert(record)

        async def task(end: float) -> int:
            record, done = records.pop(), 0
            while time.perf_counter() < end:
                lineage = replace(record.lineage, generation=done, current=digest(f"S{done}"))
                rotation = next_rotation(replace(record, lineage=lineage), debounce=0)
                assert await contestant.rotate(rotation) is not None
                done += 1
            return done

        return await paced(task, tasks)

    return measure
