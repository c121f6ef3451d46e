"""Applications compared over uvicorn: all are served at once and loaded in turn, so that one run tells them apart."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

from benchmarks.load import Clients, request
from benchmarks.measuring import Figures, Pace, interleaved, print_costs, print_rates, rounds
from benchmarks.serving import Make, Served, served

REQUESTS = 400
"""A round is short, so that on a busy machine some rounds are undisturbed."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An application, whether each of its requests carries a token of its own, and what it verifies of a request."""

    make: Make
    cold: bool = False
    verifies: str = ""


def warm(server: Served, clients: Clients) -> Callable[[], Awaitable[Pace]]:
    """Measure the same request again and again."""
    requests = [request(server.login())] * REQUESTS

    async def measure() -> Pace:
        return clients.pace(requests)

    return measure


def cold(server: Served, clients: Clients) -> Callable[[], Awaitable[Pace]]:
    """Measure requests whose tokens are new to the server."""

    async def measure() -> Pace:
        return clients.pace([request(server.login()) for _ in range(REQUESTS)])

    return measure


async def compare(candidates: Mapping[str, Candidate], *, base: str, http: str = "auto") -> Figures:
    """Serve *candidates* by uvicorn's parser *http*, and print what a request costs and how many there are a second.

    Returns the CPU microseconds of each.
    """
    with ExitStack() as stack:
        measures = {}
        for name, candidate in candidates.items():
            server = stack.enter_context(served(candidate.make, http=http))
            clients = stack.enter_context(Clients(server))
            measures[name] = (cold if candidate.cold else warm)(server, clients)
        costs = await interleaved(measures, rounds=rounds(50))
    of_cpu = {name: [each.cpu_microseconds for each in values] for name, values in costs.items()}
    print_costs(f"CPU microseconds a request, http={http}", of_cpu, base=base)
    rates = {name: [each.a_second for each in values] for name, values in costs.items()}
    print_rates(f"requests a second, http={http}", rates, base=base)
    return of_cpu
