"""A process that was paused believes no session that was revoked meanwhile, however long the pause was (R6)."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping, Sequence

import pytest

from fastapi_session.engine.tokens.issuing import IssuedSession
from fastapi_session.errors import UnauthorisedError
from tests.conftest import Place, is_full
from tests.reliability.side_by_side import WORKERS, Processes, side_by_side
from tests.reliability.test_elsewhere import as_they_were_given
from tests.reliability.worker import Task

SEED = 8
SHORT = (3.5,)
LONG = (0.1, 0.5, 1.0, 2.0, 3.0, 6.0, 10.0, 30.0, 60.0)
"""Seconds that the processes stand still."""

SETTLED = 0.5
"""Seconds after which every task has verified its session once."""

PROMISE = 2.0
"""Seconds after which nobody believes a session that was revoked."""
FORGIVEN = 1.0
"""Seconds that a reading is waited for, and what is known is gone on with then: on a busy machine one may take that long."""


async def test_a_paused_process_believes_nothing_old(
    place: Place, request: pytest.FixtureRequest, amount: Callable[..., int], figures: Callable[..., None]
) -> None:
    """Stopped by a signal while another process revokes, it refuses its first requests after the pause."""
    luck, lateness = random.Random(SEED), dict[float, list[float]]()
    async with side_by_side(place, by_server=True) as processes:
        for pause in LONG if is_full(request.config) else SHORT:
            for _ in range(amount(1, full=10)):
                lateness.setdefault(pause, []).extend(
                    await believed_for(processes, sessions=amount(6, full=20), pause=pause, luck=luck)
                )
    judge(lateness, figures)


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)  # what is known, and how old it is, is the process's own
async def test_a_process_whose_loop_was_blocked_believes_nothing_old(
    place: Place, request: pytest.FixtureRequest, amount: Callable[..., int], figures: Callable[..., None]
) -> None:
    """Held up by its own application while another process revokes, it refuses its first requests afterwards."""
    lateness = dict[float, list[float]]()
    async with side_by_side(place, by_server=True) as processes:
        for pause in LONG if is_full(request.config) else SHORT:
            for _ in range(amount(1, full=10)):
                lateness.setdefault(pause, []).extend(
                    await believed_while_blocked(processes, sessions=amount(6, full=20), pause=pause)
                )
    judge(lateness, figures)


def judge(lateness: Mapping[float, Sequence[float]], figures: Callable[..., None]) -> None:
    """Hold *lateness*, by the seconds of the pause, against the promise."""
    figures(
        **{f"after_{pause:g}_s": f"{len(all_)} times {max(all_):.2f} s at most" for pause, all_ in lateness.items()}
    )

    assert {} == {pause: max(all_) for pause, all_ in lateness.items() if max(all_) >= PROMISE + FORGIVEN}


async def believed_for(processes: Processes, *, sessions: int, pause: float, luck: random.Random) -> list[float]:
    """Revoke some sessions while the other processes stand still. Return how long after that each was last believed."""
    issued = [await processes.sessions.create(f"user-{number}") for number in range(sessions)]
    processes.begin([outlast(each) for each in issued])
    await asyncio.sleep(luck.uniform(0.1, 1.2))  # so that the pause may begin in the middle of a reading
    with processes.paused():
        began = time.monotonic()
        revoked = await revoke(processes, issued)
        await asyncio.sleep(max(began + pause - time.monotonic(), 0))
    return await last_believed(processes, revoked)


async def believed_while_blocked(processes: Processes, *, sessions: int, pause: float) -> list[float]:
    """Revoke some sessions while the loops of the other processes are held up. Return as `believed_for` does."""
    issued = [await processes.sessions.create(f"user-{number}") for number in range(sessions)]
    blocks = [Task("block", {"seconds": pause}, delay=SETTLED)] * WORKERS  # one for each worker
    processes.begin([*blocks, *(outlast(each) for each in issued)])
    await asyncio.sleep(SETTLED)
    return await last_believed(processes, await revoke(processes, issued), after=len(blocks))


def outlast(issued: IssuedSession) -> Task:
    return Task("outlast", {"token": issued.tokens.access_token})


async def revoke(processes: Processes, issued: Sequence[IssuedSession]) -> list[float]:
    """Revoke all that were *issued*. Return when each was (`time.monotonic`)."""
    revoked = []
    for each in issued:
        assert await processes.sessions.revoke(each.access_token.session_handle)
        revoked.append(time.monotonic())
    return revoked


async def last_believed(processes: Processes, revoked: Sequence[float], *, after: int = 0) -> list[float]:
    """Return how long after it was *revoked* each session was last believed, by the tasks *after* those that tell nothing."""
    seen = as_they_were_given(await asyncio.to_thread(processes.results))[after:]

    assert {UnauthorisedError.code} == {code for code, _ in seen}
    return [believed - told for told, (_, believed) in zip(revoked, seen, strict=True)]
