"""Who listens to a session is woken if there is something to hear, on whatever event loop; nobody is kept who listens no more."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter

import pytest

from fastapi_session.engine.revocation.session_listeners import SessionListeners


@pytest.fixture
def listeners() -> SessionListeners:
    return SessionListeners()


@pytest.fixture
def told() -> Counter[str]:
    """How often each listener was woken, by its name."""
    return Counter()


async def test_everybody_who_listens_to_a_session_is_woken(listeners: SessionListeners, told: Counter[str]) -> None:
    """All who listen to the session are woken each time, and nobody who listens to another."""
    with (
        listeners.listening("mine", lambda: told.update(["one"])),
        listeners.listening("mine", lambda: told.update(["two"])),
        listeners.listening("other", lambda: told.update(["other"])),
    ):
        for times in (1, 2):
            listeners.wake("mine")
            await asyncio.sleep(0.01)

            assert {"one": times, "two": times} == told


async def test_what_nobody_listens_to_leaves_nothing(listeners: SessionListeners, told: Counter[str]) -> None:
    """What there was to hear before somebody listens is not told later."""
    listeners.wake("mine")
    with listeners.listening("mine", lambda: told.update(["late"])):
        await asyncio.sleep(0.01)

    assert {} == told


async def test_nobody_is_kept_who_listens_no_more(listeners: SessionListeners, told: Counter[str]) -> None:
    """When the context is left the listener is forgotten, and whoever still listens is not."""
    with listeners.listening("mine", lambda: told.update(["still"])):
        with listeners.listening("mine", lambda: told.update(["no more"])):
            pass
        listeners.wake("mine")
        await asyncio.sleep(0.01)

        assert (1, {"still": 1}) == (len(listeners), told)
    assert 0 == len(listeners)


async def test_a_listener_on_another_event_loop_is_woken(listeners: SessionListeners) -> None:
    """What happens in one thread wakes those who listen in another, on their own thread."""
    waits, woken = threading.Event(), []

    async def wait() -> None:
        heard = asyncio.Event()

        def wake() -> None:
            woken.append(threading.current_thread())
            heard.set()

        with listeners.listening("mine", wake):
            waits.set()
            await asyncio.wait_for(heard.wait(), 10)

    thread = threading.Thread(target=asyncio.run, args=(wait(),))
    thread.start()
    await asyncio.to_thread(waits.wait, 10)
    listeners.wake("mine")
    await asyncio.to_thread(thread.join)

    assert [thread] == woken


def test_a_listener_whose_event_loop_has_gone_is_passed_over(listeners: SessionListeners) -> None:
    """A loop that was closed under a listener is no error for whoever wakes it."""

    async def listen() -> None:
        listeners.listening("mine", lambda: None).__enter__()

    asyncio.run(listen())
    listeners.wake("mine")

    assert 0 == len(listeners)
