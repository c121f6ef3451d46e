"""Who waits for the end of a session is told of it, on whatever event loop; and nobody is kept who waits no more."""

from __future__ import annotations

import asyncio
import threading

import pytest

from fastapi_session.engine.endings import Endings


@pytest.fixture
def endings() -> Endings:
    return Endings()


async def test_everybody_who_waits_for_a_session_is_told(endings: Endings) -> None:
    """All who wait for the session that ended are told, and nobody who waits for another."""
    with endings.expected("mine") as one, endings.expected("mine") as two, endings.expected("other") as other:
        endings.announce("mine")
        await asyncio.wait_for(asyncio.gather(one, two), 10)

        assert (True, True, False) == (one.done(), two.done(), other.done())


async def test_the_end_of_a_session_that_nobody_waits_for_leaves_nothing(endings: Endings) -> None:
    """An end that concerns nobody is not kept for those who come later."""
    endings.announce("mine")
    with endings.expected("mine") as ended:
        await asyncio.sleep(0.01)

        assert not ended.done()


@pytest.mark.parametrize("is_announced", [True, False])
async def test_nobody_is_kept_who_waits_no_more(is_announced: bool, endings: Endings) -> None:
    """When the context is left the session is forgotten, whether it has ended or not, and whoever still waits is not."""
    with endings.expected("mine") as still:
        with endings.expected("mine"):
            if is_announced:
                endings.announce("mine")
        endings.announce("mine")
        await asyncio.wait_for(still, 10)

    assert {} == endings._waiting


async def test_an_end_is_told_once(endings: Endings) -> None:
    """A session that ends twice, as when two devices sign it out at once, wakes its listeners once."""
    with endings.expected("mine") as ended:
        endings.announce("mine")
        endings.announce("mine")

        await asyncio.wait_for(ended, 10)
        await asyncio.sleep(0.01)

        assert ended.done()


async def test_a_listener_that_is_cancelled_is_no_error(endings: Endings) -> None:
    """Who stops to wait in the moment of the end is left alone."""
    with endings.expected("mine") as ended:
        endings.announce("mine")
        ended.cancel()
        await asyncio.sleep(0.01)

        assert ended.cancelled()


async def test_an_end_is_told_on_another_event_loop(endings: Endings) -> None:
    """A session that ends in one thread wakes those who wait for it in another."""
    waits, told = threading.Event(), threading.Event()

    async def wait() -> None:
        with endings.expected("mine") as ended:
            waits.set()
            await asyncio.wait_for(ended, 10)
            told.set()

    thread = threading.Thread(target=asyncio.run, args=(wait(),))
    thread.start()
    await asyncio.to_thread(waits.wait, 10)
    endings.announce("mine")
    await asyncio.to_thread(thread.join)

    assert told.is_set()


def test_a_listener_whose_event_loop_has_gone_is_passed_over(endings: Endings) -> None:
    """A loop that was closed under a listener is no error for whoever ends the session."""

    async def wait() -> None:
        endings.expected("mine").__enter__()

    asyncio.run(wait())
    endings.announce("mine")

    assert {} == endings._waiting
