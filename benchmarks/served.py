"""What verifying costs over uvicorn: CPU time of the server a request, and requests a second.

    python -m benchmarks.served [rounds]

Each candidate is served by one worker in a process of its own, with uvloop and httptools where they are installed, as
`fastapi[standard]` brings them, and then by h11 on the same loop. The load comes from another process, over 16 connections
that are kept alive. Warm is a token that the server has verified before, cold one that it sees for the first time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from benchmarks.applications import (
    application,
    bare,
    bearer_login,
    checked,
    claimed,
    cookie_login,
    sessions_application,
    trivial,
    verified,
)
from benchmarks.load import Cost, cost, request
from benchmarks.measuring import interleaved, print_costs, print_rates, rounds
from benchmarks.serving import Make, Served, folder, served

REQUESTS = 2000
BARE = "bare FastAPI"


@dataclass(frozen=True, slots=True)
class Candidate:
    """An application, and whether each of its requests brings a token of its own."""

    make: Make
    cold: bool = False


def warm(server: Served) -> Callable[[], Awaitable[Cost]]:
    """Measure the same request again and again."""
    requests = [request(server.login())] * REQUESTS

    async def measure() -> Cost:
        return cost(server, requests)

    return measure


def cold(server: Served) -> Callable[[], Awaitable[Cost]]:
    """Measure requests whose tokens are new to the server."""

    async def measure() -> Cost:
        return cost(server, [request(server.login()) for _ in range(REQUESTS)])

    return measure


async def compare(candidates: dict[str, Candidate], *, base: str, http: str = "auto") -> None:
    """Serve every candidate at once, load them in turn, and print both tables."""
    with ExitStack() as stack:
        measures = {}
        for name, candidate in candidates.items():
            server = stack.enter_context(served(candidate.make, http=http))
            measures[name] = cold(server) if candidate.cold else warm(server)
        costs = await interleaved(measures, rounds=rounds(15))
    of_cpu = {name: [each.cpu_microseconds for each in values] for name, values in costs.items()}
    print_costs(f"CPU microseconds a request, http={http}", of_cpu, base=base)
    rates = {name: [each.requests_a_second for each in values] for name, values in costs.items()}
    print_rates(f"requests a second, http={http}", rates, base=base)


async def main() -> None:
    """Compare by either parser."""
    for http in ("auto", "h11"):
        with folder() as path:
            make = partial(partial, sessions_application)
            await compare(
                {
                    BARE: Candidate(partial(application, bare)),
                    "trivial dependency": Candidate(partial(application, trivial)),
                    "installed, no session asked": Candidate(make(bare, bearer_login, None)),
                    "verify_session(), warm, header": Candidate(make(verified, bearer_login, None)),
                    "verify_session(), warm, cookie": Candidate(make(verified, cookie_login, None)),
                    "verify_session(), cold, header": Candidate(make(verified, bearer_login, None), cold=True),
                    "with a claim validator, warm": Candidate(make(claimed, bearer_login, None)),
                    "with database check, SQLite": Candidate(make(checked, bearer_login, path)),
                },
                base=BARE,
                http=http,
            )


if __name__ == "__main__":
    asyncio.run(main())
