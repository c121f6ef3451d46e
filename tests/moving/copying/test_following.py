"""Pass after pass: what happens meanwhile goes over, a store that fails is waited for, and the last pass comes when it is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

from fastapi_session import StoreUnavailable
from fastapi_session.moving.copying.following import follow
from fastapi_session.moving.copying.places import Places
from fastapi_session.moving.copying.store_copy import Pass, StoreCopy
from tests.engines import created
from tests.moving.copying.conftest import Move
from tests.moving.copying.test_store_copy import Choosy

NO_TIME = timedelta(milliseconds=1)
LONG = timedelta(hours=1)


class Run:
    """A run in the background, and what it tells."""

    def __init__(self, copy: StoreCopy, *, interval: timedelta) -> None:
        self.told: list[Pass | StoreUnavailable] = []
        self.stop = asyncio.Event()
        self._news = asyncio.Event()
        self._run = asyncio.create_task(follow(copy, interval=interval, stop=self.stop, tell=self._tell))

    def _tell(self, what: Pass | StoreUnavailable) -> None:
        self.told.append(what)
        self._news.set()

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait until *is_so*, which is asked each time that something was told."""
        while not is_so():
            self._news.clear()
            await self._news.wait()

    async def stopped(self) -> Pass:
        """Ask for the last pass, and return it."""
        self.stop.set()
        return await self._run


async def test_pass_after_pass(move: Move) -> None:
    """What begins meanwhile goes over with a later pass, and the last one has what nobody waited for."""
    await created(move.old)
    run = Run(move.copy, interval=NO_TIME)
    await run.until(lambda: len(run.told) > 1)
    before = len(run.told)
    await created(move.old)
    await run.until(lambda: len(run.told) > before + 1)
    await created(move.old)
    last = await run.stopped()

    assert 3 == last.sessions.total()
    passes = [*run.told, last]
    assert 3 == sum(each.sessions["kept"] for each in passes if isinstance(each, Pass))


async def test_the_pause_ends_with_the_wish(move: Move) -> None:
    """However long the pause between two passes is, the last one begins at once when it is asked for."""
    await created(move.old)
    run = Run(move.copy, interval=LONG)
    await run.until(lambda: len(run.told) == 1)

    assert {"there": 1} == dict((await run.stopped()).sessions)


async def test_stopped_at_once(move: Move) -> None:
    """If it is to stop before the first pass is done, the last one does all that the first would have done."""
    await created(move.old)
    last = await Run(move.copy, interval=LONG).stopped()

    assert {"kept": 1} == dict(last.sessions)
    assert 2 == last.keys


async def test_a_store_that_fails(move: Move) -> None:
    """A pass that fails is told of, and the next one goes on."""
    await created(move.old)
    choosy = Choosy(clock=move.clock)
    choosy.is_down = True
    copy = StoreCopy(Places(move.stores[0], choosy), tell=move.not_copied.append)
    run = Run(copy, interval=NO_TIME)
    await run.until(lambda: any(isinstance(each, StoreUnavailable) for each in run.told))
    choosy.is_down = False
    await run.until(lambda: isinstance(run.told[-1], Pass))
    last = await run.stopped()

    assert {"there": 1} == dict(last.sessions)
    assert [] == move.not_copied


async def test_stopped_at_once_after_a_run_that_was_killed(move: Move) -> None:
    """What an earlier run had taken in before it was killed is known to have gone over: it ends when it ends on the old store."""
    handle, _ = await created(move.old)
    [page] = [page async for page in move.stores[0].every_session(batch=9)]
    await move.stores[1].take_in(page)
    await Run(move.copy, interval=LONG).stopped()
    await move.old.revoke(handle)
    await move.stores[0].delete_notices(until=move.clock(), limit=9)
    move.copy = move.another_run()
    await move.begin()

    assert (await move.stores[1].get(handle)).record is None
