"""Pass after pass until somebody says stop, and then a last one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

from fastapi_session.errors import StoreUnavailable
from fastapi_session.moving.copying.store_copy import Pass, StoreCopy, Which

CARRY_EVERY = 1
"""Seconds between two readings of the old feed: as often as each process of the application reads its own."""


async def follow(
    copy: StoreCopy, *, interval: timedelta, stop: asyncio.Event, tell: Callable[[Pass | StoreUnavailable], None]
) -> Pass:
    """Run passes, *interval* apart, until *stop* is set; then run the last one and return it.

    *tell* is called after each of the others. A pass that fails because a store cannot be asked is told of, and the next one goes on;
    but the last one raises `StoreUnavailable`. One that is under way when it is to stop is not finished: the last one does all that it
    would have done.
    """
    is_first = True
    async with _carrying(copy):
        while not stop.is_set():
            try:
                done = await _unless_stopped(stop, copy, "first" if is_first else "middle")
            except StoreUnavailable as error:
                tell(error)
            else:
                if done is not None:
                    is_first = False
                    tell(done)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), interval.total_seconds())
    return await copy.run("only" if is_first else "last")


async def _unless_stopped(stop: asyncio.Event, copy: StoreCopy, which: Which) -> Pass | None:
    """Return what the pass did, `None` if it was not finished."""
    running, stopped = asyncio.create_task(copy.run(which)), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({running, stopped}, return_when=asyncio.FIRST_COMPLETED)
        return running.result() if running.done() else None
    finally:
        running.cancel()
        stopped.cancel()
        await asyncio.wait({running, stopped})


@asynccontextmanager
async def _carrying(copy: StoreCopy) -> AsyncIterator[None]:
    """Carry notices meanwhile: a session that is revoked need not wait for the end of a pass."""
    task = asyncio.create_task(_carry_again_and_again(copy))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _carry_again_and_again(copy: StoreCopy) -> None:
    while True:
        await asyncio.sleep(CARRY_EVERY)
        # A pass says that the store is down, and the next time reads what was missed.
        with contextlib.suppress(StoreUnavailable):
            await copy.carry()
