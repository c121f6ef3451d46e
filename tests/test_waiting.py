"""A task that is waited for goes on without who waits for it."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from fastapi_session.waiting import outcome_of


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


class Work:
    """Something that is held up until it may go on."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.go = asyncio.Event()
        self._failure = failure

    async def __call__(self) -> str:
        await self.go.wait()
        if self._failure is not None:
            raise self._failure
        return "done"


@pytest.mark.parametrize("failure", [None, ValueError("a parameter")])
async def test_all_who_wait_learn_how_it_ends(failure: Exception | None) -> None:
    """Each is given the result, or the error."""
    work = Work(failure)
    task = asyncio.create_task(work())
    waiting = asyncio.gather(outcome_of(task), outcome_of(task), return_exceptions=True)
    work.go.set()

    assert [failure or "done"] * 2 == [*await waiting]


async def test_who_leaves_takes_nobody_along() -> None:
    """If one who waits is cancelled, the task goes on for the others."""
    work = Work()
    task = asyncio.create_task(work())
    first, second = (asyncio.create_task(outcome_of(task)) for _ in range(2))
    await turns()
    first.cancel()
    await asyncio.wait([first])
    work.go.set()

    assert first.cancelled()
    assert "done" == await second


async def test_a_task_that_is_cancelled() -> None:
    """Who waits for a task that something else cancels is told so."""
    task = asyncio.create_task(Work()())
    waiting = asyncio.create_task(outcome_of(task))
    await turns()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_failure_that_nobody_waits_for_is_not_logged() -> None:
    """It may quote what a driver was given."""
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, complaint: complaints.append(complaint))
    work = Work(ValueError("a parameter"))
    waiting = asyncio.create_task(outcome_of(asyncio.create_task(work())))
    await turns()
    waiting.cancel()
    await asyncio.wait([waiting])
    work.go.set()
    await turns()
    gc.collect()

    assert [] == complaints
