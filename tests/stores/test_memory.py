"""The dictionaries of `MemoryStore` keep the contract."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from fastapi_session.stores.base import Store
from fastapi_session.stores.memory import MemoryStore
from fastapi_session.testing import (
    EventContract,
    HandClock,
    LimitContract,
    MovableContract,
    PagingContract,
    StoreContract,
)
from fastapi_session.testing.records import digest, new_session, next_rotation


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def store(clock: HandClock) -> AsyncIterator[Store]:
    store = MemoryStore(clock=clock)
    await store.open()
    yield store
    await store.close()


class TestMemoryStore(StoreContract, LimitContract, EventContract, MovableContract, PagingContract):
    """The whole contract, on dictionaries."""


async def test_a_payload_makes_the_way_through_json(store: Store, clock: HandClock) -> None:
    """What comes back is what any store answers: a tuple has become a list."""
    record = new_session("a", now=clock(), access_token_payload={"roles": ("a", "b")})
    await store.insert(record)

    kept = (await store.get(record.session_id)).record
    assert kept is not None
    assert {"roles": ["a", "b"]} == kept.access_token_payload


async def test_a_payload_that_is_not_json_is_refused(store: Store, clock: HandClock) -> None:
    """Not a number is not JSON: nothing is kept."""
    record = new_session("a", now=clock(), access_token_payload={"n": math.nan})
    with pytest.raises(ValueError, match="not JSON compliant"):
        await store.insert(record)

    assert (await store.get(record.session_id)).record is None


def test_threads_write_one_successor() -> None:
    """Of many threads, each with an event loop of its own, exactly one hands a session on."""

    def slow_clock() -> int:
        time.sleep(0.002)  # long enough for every other thread to come in between
        return 1

    store = MemoryStore(clock=slow_clock)
    record = new_session("a", now=1)
    asyncio.run(store.insert(record))
    rotations = [next_rotation(record, successor=digest(f"{n}"), debounce=0) for n in range(16)]
    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(lambda rotation: asyncio.run(store.rotate(rotation)), rotations))

    assert 1 == sum(answer is not None for answer in answers)
