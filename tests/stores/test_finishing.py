"""What goes on to its end, whatever becomes of who asked for it."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Coroutine
from typing import Any

import pytest

from fastapi_session.stores.finishing import Finishing


@pytest.fixture
def gate() -> asyncio.Event:
    return asyncio.Event()


async def work(gate: asyncio.Event, done: list[str], *, fails: bool) -> str:
    await gate.wait()
    done.append("done")
    if fails:
        raise ValueError("a parameter")
    return "told"


async def caller_gone(finishing: Finishing[str], work: Coroutine[object, None, str]) -> None:
    """Begin *work*, and leave."""
    caller = asyncio.create_task(finishing.run(work))
    await turns()
    caller.cancel()
    await asyncio.wait([caller])
    assert caller.cancelled()


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.parametrize("fails", [False, True])
async def test_a_caller_that_is_gone(gate: asyncio.Event, *, fails: bool) -> None:
    """The work is done all the same, and is waited for."""
    finishing: Finishing[str] = Finishing()
    done: list[str] = []
    await caller_gone(finishing, work(gate, done, fails=fails))
    idle = asyncio.create_task(finishing.idle())
    await turns()
    assert not idle.done()
    gate.set()
    await idle

    assert ["done"] == done
    assert set() == finishing._tasks


async def test_a_failure_that_concerns_nobody(gate: asyncio.Event) -> None:
    """How it ends is not logged, since an error of a driver may quote what it was given."""
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, complaint: complaints.append(complaint))
    finishing: Finishing[str] = Finishing()
    done: list[str] = []
    await caller_gone(finishing, work(gate, done, fails=True))
    gate.set()
    await turns()
    gc.collect()

    assert ["done"] == done
    assert [] == complaints


async def test_a_caller_that_waits(gate: asyncio.Event) -> None:
    """It gets the result, or the error."""
    finishing: Finishing[str] = Finishing()
    gate.set()

    assert "told" == await finishing.run(work(gate, [], fails=False))
    with pytest.raises(ValueError, match="a parameter"):
        await finishing.run(work(gate, [], fails=True))
