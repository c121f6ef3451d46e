"""A process that was paused believes no session that was revoked meanwhile, however long the pause was (R6)."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable

import pytest

from fastapi_session.errors import UnauthorisedError
from tests.conftest import Place
from tests.reliability.conftest import is_full
from tests.reliability.deployment import Deployment, deployed
from tests.reliability.test_elsewhere import as_they_were_given
from tests.reliability.worker import Task

SEED = 8
SHORT = (0.1, 3.5)
LONG = (0.1, 0.5, 1.0, 2.0, 3.0, 6.0, 10.0, 30.0, 60.0)
"""Seconds that the processes stand still."""

PROMISE = 2.0
"""Seconds after which nobody believes a session that was revoked."""
FORGIVEN = 1.0
"""Seconds that a reading is waited for, and what is known is gone on with then: on a busy machine one may take that long."""


async def test_a_paused_process_believes_nothing_old(
    place: Place, request: pytest.FixtureRequest, amount: Callable[..., int], figures: Callable[..., None]
) -> None:
    """Stopped by a signal while another process revokes, it refuses its first requests after the pause."""
    luck, lateness = random.Random(SEED), dict[float, list[float]]()
    async with deployed(place, by_server=True) as deployment:
        for pause in LONG if is_full(request.config) else SHORT:
            for _ in range(amount(1, full=10)):
                lateness.setdefault(pause, []).extend(
                    await believed_for(deployment, sessions=amount(6, full=20), pause=pause, luck=luck)
                )
    figures(
        **{f"after_{pause:g}_s": f"{len(all_)} times {max(all_):.2f} s at most" for pause, all_ in lateness.items()}
    )

    assert {} == {pause: max(all_) for pause, all_ in lateness.items() if max(all_) >= PROMISE + FORGIVEN}


async def believed_for(deployment: Deployment, *, sessions: int, pause: float, luck: random.Random) -> list[float]:
    """Revoke some sessions while the other processes stand still. Answer how long after that each was last believed."""
    issued = [await deployment.sessions.create(f"user-{number}") for number in range(sessions)]
    deployment.begin([Task("outlast", {"token": each.tokens.access_token}) for each in issued])
    await asyncio.sleep(luck.uniform(0.1, 1.2))  # so that the pause may begin in the middle of a reading
    revoked = []
    with deployment.paused():
        began = time.monotonic()
        for each in issued:
            assert await deployment.sessions.revoke(each.access_token.session_handle)
            revoked.append(time.monotonic())
        await asyncio.sleep(max(began + pause - time.monotonic(), 0))
    seen = as_they_were_given(await asyncio.to_thread(deployment.results))

    assert {UnauthorisedError.code} == {code for code, _ in seen}
    return [believed - told for told, (_, believed) in zip(revoked, seen, strict=True)]
