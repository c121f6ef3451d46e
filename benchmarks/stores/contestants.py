"""What is measured: a store of ours, or another way to create, refresh and read sessions."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import count
from typing import Protocol

from benchmarks.measuring import Pace
from fastapi_session.clock import system_clock
from fastapi_session.model import Rotation, SessionRecord
from fastapi_session.testing.records import digest, new_session, next_rotation

SECONDS = 0.3
"""How long each measurement of a round takes."""


Operation = Callable[[], Awaitable[object]]
Verb = Callable[["Contestant", "Sessions"], Awaitable[Operation]]
"""Prepares what a task does again and again, with a session of its own."""


class Contestant(Protocol):
    """Creates, refreshes and reads sessions. Every store does."""

    async def insert(self, record: SessionRecord, /) -> object:
        """Keep a new *record*."""

    async def rotate(self, rotation: Rotation, /) -> object:
        """Hand a session on to its next refresh token, or return `None` if there is no such session."""

    async def get(self, session_id: str, /) -> object:
        """Return what is kept of a session, or something false."""


class Sessions:
    """Makes new sessions, no two alike in one run."""

    def __init__(self) -> None:
        self._numbers = count()

    def new(self) -> SessionRecord:
        """Return the next one."""
        return new_session(f"{next(self._numbers)}", now=system_clock())


async def create(contestant: Contestant, sessions: Sessions) -> Operation:
    """Create sessions."""

    async def once() -> None:
        await contestant.insert(sessions.new())

    return once


async def refresh(contestant: Contestant, sessions: Sessions) -> Operation:
    """Refresh one session."""
    record, generations = sessions.new(), count()
    await contestant.insert(record)

    async def once() -> None:
        generation = next(generations)
        lineage = replace(record.lineage, generation=generation, current=digest(f"S{generation}"))
        rotation = next_rotation(replace(record, lineage=lineage), debounce=0)
        assert await contestant.rotate(rotation) is not None

    return once


async def get(contestant: Contestant, sessions: Sessions) -> Operation:
    """Read one session by its key."""
    record = sessions.new()
    await contestant.insert(record)

    async def once() -> None:
        assert await contestant.get(record.session_id)

    return once


async def repeated(operation: Operation, *, until: float) -> int:
    """Do it again and again *until* that moment (seconds, of `time.perf_counter`), at least once, and return how often."""
    done = 0
    while not done or time.perf_counter() < until:
        await operation()
        done += 1
    return done


def paced(verb: Verb, contestant: Contestant, sessions: Sessions, *, tasks: int) -> Callable[[], Awaitable[Pace]]:
    """Measure how often a second *tasks* of them do it together."""

    async def measure() -> Pace:
        operations = [await verb(contestant, sessions) for _ in range(tasks)]
        gc.collect()  # so that the garbage of others is not counted here
        began, spent = time.perf_counter(), time.process_time()
        done = sum(await asyncio.gather(*(repeated(each, until=began + SECONDS) for each in operations)))
        taken, spent = time.perf_counter() - began, time.process_time() - spent
        return Pace(done / taken, spent / done * 1e6)

    return measure
