"""No request keeps the others waiting: the event loop is never held up for long, whatever a session needs.

A busy machine holds everybody up, so it is the calmest of many tries that counts; what held up the loop by itself would
hold it up in each of them.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import TypeVar

import pytest
from fastapi import FastAPI

from fastapi_session import Sessions
from fastapi_session.testing import HandClock
from tests.engines import engine
from tests.moments import PAST_GRACE
from tests.rsa import makes_keys_aside
from tests.web.asgi import ask
from tests.web.deployment import finish_background
from tests.web.wire import Held
from tests.wire import REFRESH_PATH, SIGN_OUT_PATH

LIMIT = 0.001
"""Seconds that a request may hold up the event loop, FastAPI's own work included."""
TRIES = 30
ROUNDS = 8
"""Of so many tries: a machine may be slow for seconds at a time."""

KEYS = 10
"""RSA keys at most: the luck of the primes decides how long one takes. A loop held up by each serves one request a key."""

T = TypeVar("T")


@pytest.fixture(params=["ES256"])
async def sessions(request: pytest.FixtureRequest, clock: HandClock, tmp_path: Path) -> AsyncIterator[Sessions]:
    """An engine in a SQLite file that is open and has its first key."""
    sessions = engine(
        clock, store=f"sqlite:///{tmp_path / 'sessions.db'}", access_token_signing_algorithm=request.param
    )
    await sessions.open()
    yield sessions
    await sessions.close()


class Lag:
    """How long (seconds) the event loop took for a turn: by request, at most, in each of many tries."""

    def __init__(self) -> None:
        self._turns: dict[str, list[float]] = defaultdict(list)

    async def of(self, name: str, work: Awaitable[T]) -> T:
        """Return what *work* does, and note the longest turn until it was done."""
        working = asyncio.ensure_future(work)
        longest, turned = 0.0, time.perf_counter()
        while not working.done():
            await asyncio.sleep(0)
            now = time.perf_counter()
            longest, turned = max(longest, now - turned), now
        self._turns[name].append(longest)
        return await working

    async def calmest(self) -> dict[str, float]:
        """Return the calmest try of each, beyond that of a loop that has nothing to do."""
        for _ in range(TRIES):
            await self.of("idle", asyncio.sleep(LIMIT))
        least = {name: min(locks) for name, locks in self._turns.items()}
        idle = least.pop("idle")
        return {name: turn - idle for name, turn in least.items()}


async def signed_in(app: FastAPI) -> Held:
    return Held.of(await ask(app, "POST", "/login?user_id=ada"), "header")


async def live(app: FastAPI, clock: HandClock, lag: Lag) -> None:
    """Begin a session, use it in every way, and end it."""
    held = await lag.of("create", signed_in(app))
    await lag.of("verify, cold", ask(app, "GET", "/me", held.to_call()))
    await lag.of("verify, warm", ask(app, "GET", "/me", held.to_call()))
    clock.advance(PAST_GRACE)
    fresh = Held.of(await lag.of("refresh", ask(app, "POST", REFRESH_PATH, held.to_refresh())), "header")
    await lag.of("verify with database check", ask(app, "GET", "/checked", fresh.to_call()))
    await lag.of("revoke", ask(app, "POST", SIGN_OUT_PATH, fresh.to_call()))


async def test_creating_verifying_and_refreshing(app: FastAPI, clock: HandClock) -> None:
    """A session is created, verified and refreshed without holding up the event loop for a millisecond."""
    lag = Lag()
    late = {"nothing tried": LIMIT}
    for _ in range(ROUNDS):
        if late:
            for _ in range(TRIES):
                await live(app, clock, lag)
            late = {name: turn for name, turn in (await lag.calmest()).items() if turn >= LIMIT}

    assert {} == late


@makes_keys_aside
@pytest.mark.parametrize("sessions", ["RS256"], indirect=True)
async def test_making_the_next_key(app: FastAPI, sessions: Sessions, clock: HandClock) -> None:
    """Requests are served as ever while the next RSA keys are made and loaded, which takes a processor far longer."""
    clock.advance(sessions.config.access_token_dynamic_signing_key_update_interval - PAST_GRACE)
    lag, served = Lag(), 0
    for _ in range(KEYS):
        if served <= TRIES:
            served += await served_while_a_key_is_made(app, sessions, lag)
            clock.advance(sessions.config.access_token_dynamic_signing_key_update_interval)

    assert served > TRIES
    assert (await lag.calmest())["verify"] < LIMIT


async def served_while_a_key_is_made(app: FastAPI, sessions: Sessions, lag: Lag) -> int:
    """Return how many requests were served before the key that is due was there."""
    before = {key.kid for key in await sessions.store.signing_keys()}
    held = await signed_in(app)
    making = asyncio.ensure_future(finish_background(sessions))
    served = 0
    while not making.done():
        await lag.of("verify", ask(app, "GET", "/me", held.to_call()))
        await asyncio.sleep(LIMIT)  # a loop that is never idle would leave the thread that makes the key no interpreter
        served += 1

    assert ["d-"] == [key.kid[:2] for key in await sessions.store.signing_keys() if key.kid not in before]
    return served


async def test_a_loop_that_is_held_up_is_noticed(app: FastAPI) -> None:
    """What this file relies on: a request that blocks for five milliseconds is seen to."""

    @app.get("/blocking")
    async def blocking() -> None:
        time.sleep(0.005)  # noqa: ASYNC251  that is what must not happen

    lag = Lag()
    for _ in range(TRIES):
        await lag.of("blocking", ask(app, "GET", "/blocking"))

    assert (await lag.calmest())["blocking"] > LIMIT
