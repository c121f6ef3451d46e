"""What is measured of a build, one workload after the other. Only what both builds have is used: public names, a store's verbs, test records."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from benchmarks import comparison, in_process
from benchmarks.applications import (
    application,
    bearer_login,
    by_cookie,
    by_header,
    checked,
    engine,
    sessions_application,
    verified,
)
from benchmarks.create_and_refresh import creating, refreshing
from benchmarks.databases import MEMORY, SQLITE, create_tables, opened
from benchmarks.load import Clients
from benchmarks.measuring import Pace
from benchmarks.memory import allocated, apart, token_of_a_request
from benchmarks.serving import Make, served
from benchmarks.stores.contestants import Sessions, create, get, paced, refresh

TASKS = (1, 32)

Figure = Mapping[str, float]
"""By unit."""

Measures = Mapping[str, Callable[[], Awaitable[Figure]]]
"""What measures each row."""


@dataclass(frozen=True, slots=True)
class Workload:
    """Rows that are measured in one process, with the new database at the URL that *open* is given."""

    open: Callable[[str], AbstractAsyncContextManager[Measures]]
    steady: bool = False
    """Whether the figures come out the same in each round."""


async def pace(measure: Callable[[], Awaitable[Pace]]) -> Figure:
    """Measure a rate."""
    measured = await measure()
    return {"a second": measured.a_second, "CPU us": measured.cpu_microseconds}


async def cpu(measure: Callable[[], Awaitable[float]], *, times: float = 1) -> Figure:
    """Measure CPU time, in microseconds after it has been taken so many *times*."""
    return {"CPU us": await measure() * times}


@asynccontextmanager
async def store(url: str) -> AsyncIterator[Measures]:
    """Measure the store alone."""
    kept, sessions = await opened(url), Sessions()
    yield {
        f"{verb.__name__}, {tasks} at once": partial(pace, paced(verb, kept, sessions, tasks=tasks))
        for verb in (create, refresh, get)
        for tasks in TASKS
    }
    await kept.close()


@asynccontextmanager
async def issuing(url: str) -> AsyncIterator[Measures]:
    """Measure the engine, which makes the tokens too."""
    sessions = engine(url)
    yield {
        f"{called}, {tasks} at once": partial(cpu, measured(sessions, tasks), times=1e3)
        for called, measured in (("Sessions.create()", creating), ("Sessions.refresh()", refreshing))
        for tasks in TASKS
    }
    await sessions.close()


@asynccontextmanager
async def verifying(url: str) -> AsyncIterator[Measures]:
    """Measure requests without a server."""
    sessions = engine(url)
    app, token = application(verified, sessions=sessions), (await sessions.create("alice")).tokens.access_token
    yield {
        f"verify, {heat}, {carrier}, in process": partial(cpu, measure)
        for carrier, bring in (("header", by_header), ("cookie", by_cookie))
        for heat, measure in (
            ("warm", in_process.warm(app, bring(token))),
            ("cold", in_process.cold(app, sessions, bring)),
        )
    }
    await sessions.close()


@asynccontextmanager
async def over_uvicorn(row: str, url: str, *, endpoint: Callable[..., object]) -> AsyncIterator[Measures]:
    """Measure one route behind a server, whose CPU time it is."""
    await create_tables(url)
    make: Make = partial(sessions_application, endpoint, bearer_login, url)
    with served(make) as server, Clients(server) as clients:
        yield {row: partial(pace, comparison.warm(server, clients))}


@asynccontextmanager
async def memory(_url: str) -> AsyncIterator[Measures]:
    """Measure what the caches keep."""

    async def size() -> Figure:
        return {"bytes": await apart(token_of_a_request, allocated)}

    yield {"memory of a token that came with a request": size}


WORKLOADS: Mapping[str, Workload] = {
    "store": Workload(store),
    "checking": Workload(partial(over_uvicorn, "check_database, over uvicorn", endpoint=checked)),
    "issuing": Workload(issuing),
    "verifying": Workload(verifying),
    "serving": Workload(partial(over_uvicorn, "verify, warm, header, over uvicorn", endpoint=verified)),
    "memory": Workload(memory, steady=True),
}


def workloads_of(name: str) -> Sequence[str]:
    """Return which workloads are measured with the store called *name*: those without a store's work in them once, in memory."""
    if name == MEMORY:
        return list(WORKLOADS)
    return ["store", "checking", "issuing"] if name == SQLITE else ["store", "checking"]
