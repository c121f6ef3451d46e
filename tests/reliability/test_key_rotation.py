"""Signing keys change while two processes sign and verify for each other."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from fastapi_session.clock import system_clock
from fastapi_session.engine.from_config import PUBLISH_LEAD, milliseconds
from fastapi_session.model import SigningKeyRecord
from fastapi_session.stores.by_url import store_by_url
from tests.conftest import SHARED, Place, is_full, place_of
from tests.reliability.key_rotation_worker import FastClock

ROOT = Path(__file__).parents[2]
TIMES = 720
"""How much faster the clock runs: an hour passes in five seconds."""
PERIOD = 3_600_000
"""Milliseconds that each key signs, by that clock."""
SLACK = PERIOD // 2
"""By how much later a key may begin that nobody asked for earlier: a busy machine stands still for moments."""
LEAD = milliseconds(PUBLISH_LEAD) // 2
"""How long before it signs each key is there at least: making it takes a moment, which is long by that clock."""
LIFE = PERIOD // 6
"""How long a token lives: shorter than what is watched after the last change, so that all live to their end."""
OPTIONS = {
    "secret": "the secret that all workers that change keys share",
    "access_token_validity": LIFE / 1000,
    "access_token_dynamic_signing_key_update_interval": PERIOD / 1000,
}

Keys = dict[int, SigningKeyRecord]


@asynccontextmanager
async def workers(place: Place, clock: FastClock) -> AsyncIterator[list[Process]]:
    """Two processes, each of which is told what the other says."""
    command = ["-m", "tests.reliability.key_rotation_worker", place.url, json.dumps(OPTIONS)]
    told = [str(clock.origin), str(clock.times)]
    running = [
        await asyncio.create_subprocess_exec(
            sys.executable, *command, *told, str(seed), stdin=PIPE, stdout=PIPE, cwd=ROOT
        )
        for seed in range(2)
    ]
    try:
        yield running
    finally:
        for process in running:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def relay(source: Process, target: Process) -> dict[str, Any]:
    """Pass on each token that *source* signs, and answer its report."""
    assert source.stdout is not None
    assert target.stdin is not None
    async for line in source.stdout:
        if line.startswith(b"{"):
            report: dict[str, Any] = json.loads(line)
            return report
        target.stdin.write(line)
    raise AssertionError("a worker ended without a report")


async def watch(place: Place, clock: FastClock, *, changes: int) -> Keys:
    """Return every rotating key that there was, by its place in the order, some time after so many *changes*."""
    store = store_by_url(place.url, clock=clock)
    keys: Keys = {}
    while changes not in keys or clock() < keys[changes].activates_at + 2 * LIFE:
        for key in await store.signing_keys():
            if key.family == "d":  # the static one is there from the start, and stays
                assert keys.setdefault(key.sequence, key).kid == key.kid
        await asyncio.sleep(0.2)
    await store.close()
    return keys


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    metafunc.parametrize("kind", SHARED if is_full(metafunc.config) else SHARED[:1])


@pytest.fixture
def place(kind: str, request: pytest.FixtureRequest) -> Place:
    """Where the keys are: in a full run in each kind of store, otherwise in a file."""
    return place_of(kind, request)


async def test_keys_change_unnoticed(place: Place, amount: Callable[..., int], figures: Callable[..., None]) -> None:
    """R12: no token is refused before it expires, no key signs that is not published, and each period has one new key."""
    changes = amount(1, full=20)
    clock = FastClock(system_clock(), TIMES)
    async with workers(place, clock) as (one, other):
        reports = [asyncio.create_task(relay(*pair)) for pair in ((one, other), (other, one))]
        keys = await watch(place, clock, changes=changes)
        for process in (one, other):
            assert process.stdin is not None
            process.stdin.close()
        seen = await asyncio.gather(*reports)
    begins = [keys[place].activates_at for place in sorted(keys)]
    periods = [later - earlier for earlier, later in pairwise(begins)]
    figures(keys=len(keys), periods_s=[period // 1000 for period in periods], reports=seen)

    assert [[], []] == [report["amiss"] for report in seen]
    assert list(range(len(keys))) == sorted(keys)
    assert changes <= len(periods)
    assert all(PERIOD <= period <= PERIOD + SLACK for period in periods)
    assert all(key.activates_at - key.created_at >= LEAD for key in keys.values() if key.sequence)
    assert all(report["expired"] and report["failed_readings"] for report in seen)
