"""Changes of one session from several processes at once: none is lost (R22)."""

from __future__ import annotations

from collections.abc import Callable

from tests.conftest import Place
from tests.engines import created
from tests.reliability.side_by_side import side_by_side
from tests.reliability.worker import Task

CLIENTS = 20


async def test_no_claim_is_lost(place: Place, figures: Callable[..., None]) -> None:
    """R22: two hundred clients each lay a claim of their own over one payload, and all are there in the end."""
    async with side_by_side(place) as processes:
        handle, _ = await created(processes.sessions)
        merges = await processes.do([Task("merge", {"handle": handle})] * 200)
        session = await processes.sessions.information(handle)

    assert [True] * 200 == [merge["done"] for merge in merges]
    assert session is not None
    assert {f"{worker}-{client}": 1 for worker in range(2) for client in range(100)} == session.access_token_payload
    figures(merges=200, lost=200 - len(session.access_token_payload))


async def test_no_count_is_lost(place: Place, amount: Callable[..., int], figures: Callable[..., None]) -> None:
    """I8, R22: a counter that clients of two processes add to by compare-and-set has counted every one of their additions."""
    each = amount(5, full=500)
    async with side_by_side(place) as processes:
        handle, _ = await created(processes.sessions, session_data={"counter": 0})
        counts = await processes.do([Task("count", {"handle": handle, "times": each})] * CLIENTS)
        session = await processes.sessions.information(handle)

    assert [each] * CLIENTS == counts
    assert session is not None
    assert {"counter": CLIENTS * each} == session.session_data
    figures(additions=CLIENTS * each, lost=CLIENTS * each - session.session_data["counter"])
