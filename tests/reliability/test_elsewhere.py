"""What one process did to a session is known in the others within two seconds, on every store (R6)."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence

from fastapi_session.errors import TryRefreshTokenError, UnauthorisedError
from fastapi_session.external_session import ExternalSession
from fastapi_session.sessions import Sessions
from tests.conftest import Place
from tests.reliability.side_by_side import WORKERS, side_by_side
from tests.reliability.worker import Task

SEED = 6
SPREAD = 0.100
"""Seconds from one deed to the next at most, so that they fall anywhere between two readings of the feed."""

PATIENCE = 5.0
"""Seconds: the promise is two, and a machine that does other things besides is forgiven the rest."""


def external(number: int) -> ExternalSession:
    """The session of an identity provider that began the one of this *number*."""
    return ExternalSession("https://id.example.com", sid=f"session-{number}", subject="everybody")


async def undo(sessions: Sessions, handle: str, number: int) -> float:
    """Revoke the session, by its handle or by its provider's, or change its claims, and answer when that was done."""
    deeds: dict[int, Callable[[str], Awaitable[object]]] = {
        0: sessions.revoke,
        1: lambda _: sessions.revoke_external(external(number)),
        2: lambda handle: sessions.merge_into_access_token_payload(handle, {"role": "guest"}),
    }
    assert await deeds[number % 3](handle)
    return time.monotonic()


def as_they_were_given(results: Sequence[tuple[str, float]]) -> list[tuple[str, float]]:
    """Return *results*, which come worker by worker, in the order of the tasks."""
    first = (len(results) + 1) // WORKERS
    return [results[number // WORKERS + first * (number % WORKERS)] for number in range(len(results))]


async def test_other_processes_hear_of_it(
    place: Place, amount: Callable[..., int], figures: Callable[..., None]
) -> None:
    """A token of a revoked session is unauthorised in other processes too, one with changed claims is told to refresh."""
    luck = random.Random(SEED)
    async with side_by_side(place, by_server=True) as processes:
        issued = [await processes.sessions.create(f"user-{n}", external=external(n)) for n in range(amount(9, full=99))]
        processes.begin([Task("outlive", {"token": each.tokens.access_token}) for each in issued])
        done = []
        for number, each in enumerate(issued):
            await asyncio.sleep(luck.uniform(0, SPREAD))
            done.append(await undo(processes.sessions, each.access_token.session_handle, number))
        seen = as_they_were_given(await asyncio.to_thread(processes.results))
    codes = [UnauthorisedError.code if number % 3 < 2 else TryRefreshTokenError.code for number in range(len(issued))]
    delays = sorted(heard - told for told, (_, heard) in zip(done, seen, strict=True))
    at = {f"p{part}": f"{1000 * delays[len(delays) * part // 100]:.0f} ms" for part in (50, 99)}
    figures(sessions=len(issued), **at, max=f"{1000 * delays[-1]:.0f} ms")

    assert codes == [code for code, _ in seen]
    assert delays[-1] < PATIENCE
