"""The clock of a store against that of the machine that looks."""

from __future__ import annotations

import pytest

from fastapi_session.clock import system_clock
from tests.conftest import Place, place_of
from tests.doctor.store.deployments import found, ids, started
from tests.engines import config


@pytest.fixture(params=["postgresql", "mariadb", "valkey"])
def served(request: pytest.FixtureRequest) -> Place:
    """A store of each kind that has a clock of its own."""
    return place_of(request.param, request)


async def test_clocks_that_differ(served: Place) -> None:
    """FS101 for seconds and FS102 for minutes, whichever clock is ahead; a second or two is nothing."""
    deployment = config(store=served.store())
    await started(deployment)

    async def seen(seconds: int) -> list[tuple[str, str]]:
        return await found(deployment, clock=lambda: system_clock() + 1_000 * seconds)

    assert [] == await seen(2)
    assert [] == await seen(-2)
    assert ["FS101"] == ids(await seen(30))
    assert ["FS101"] == ids(await seen(-30))
    assert ["FS102"] == ids(await seen(120))
    [(id_, told)] = await seen(-120)
    assert ("FS102", True, True) == (id_, " minute" in told, told.endswith(" ahead"))


async def test_a_store_on_this_machine_has_its_clock(sqlite_store_url: str) -> None:
    """A file goes by the clock of whoever opens it: there is nothing that could differ."""
    deployment = config(store=sqlite_store_url)
    await started(deployment)

    assert [] == await found(deployment, clock=lambda: system_clock() + 120_000)
