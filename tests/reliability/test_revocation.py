"""Revocation is final, and no replay is missed, whatever else happens at the same time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from fastapi_session.errors import SessionError, TokenTheftError, UnauthorisedError
from fastapi_session.sessions import Sessions
from fastapi_session.stores.base import Store
from fastapi_session.stores.by_url import store_by_url
from fastapi_session.testing import HandClock
from tests.engine.engines import GRACE, created, engine, refreshed

ROUNDS = 20
SEED = 5


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, clock: HandClock, tmp_path: Path) -> AsyncIterator[Store]:
    urls = {"memory": "memory:", "sqlite": f"sqlite:///{tmp_path}/sessions.db"}
    store = store_by_url(urls[request.param], clock=clock)
    yield store
    await store.close()


async def outcome(sessions: Sessions, token: str) -> str:
    try:
        return await refreshed(sessions, token)
    except SessionError as error:
        return error.code


async def test_revocation_is_final(store: Store, clock: HandClock) -> None:
    """Against a hundred refreshes and a hundred changes at once: after revoking returned nothing succeeds, no row comes back."""
    luck = random.Random(SEED)
    sessions = engine(store, clock)
    for _ in range(ROUNDS):
        handle, token = await created(sessions)
        clock.advance(luck.choice([GRACE / 2, GRACE, 2 * GRACE]))

        async def revoke(handle: str = handle) -> bool:
            for _ in range(luck.randrange(10)):
                await asyncio.sleep(0)
            return await sessions.revoke(handle)

        refreshing = [outcome(sessions, token) for _ in range(100)]
        changing: list[Any] = [
            sessions.merge_into_access_token_payload(handle, {f"c{number}": 1}) for number in range(50)
        ] + [sessions.update_session_data(handle, {"last": number}) for number in range(50)]
        work = [*refreshing, *changing]
        luck.shuffle(work)
        running = [asyncio.ensure_future(each) for each in work]
        assert await revoke()
        late = [await outcome(sessions, token), await sessions.update_session_data(handle, {})]
        answers = await asyncio.gather(*running)
        later = [outcome(sessions, answer) for answer in {answer for answer in answers if isinstance(answer, str)}]

        assert ["UNAUTHORISED", False] == late
        assert {"UNAUTHORISED"} >= set(await asyncio.gather(*later))
        assert (await store.get(handle)).record is None


async def test_a_revocation_in_another_process_is_final(clock: HandClock, tmp_path: Path) -> None:
    """The same between two engines on one file: as soon as one says that a session is over, it is over for the other."""
    here, there = (engine(store_by_url(f"sqlite:///{tmp_path}/x.db", clock=clock), clock) for _ in range(2))
    for _ in range(ROUNDS):
        handle, token = await created(here)
        clock.advance(GRACE)
        running = [asyncio.ensure_future(outcome(there, token)) for _ in range(20)]
        await asyncio.sleep(0)
        assert await here.revoke(handle)
        assert "UNAUTHORISED" == await outcome(there, token)
        await asyncio.gather(*running)
        assert await there.information(handle) is None
    await here.close()
    await there.close()


async def test_no_replay_is_missed(store: Store, clock: HandClock) -> None:
    """A thousand tokens one to five generations old, replayed at any time after their window: all caught, all sessions dead.

    Half of them are replayed after a restart; and neither thief nor victim goes on with the newest token.
    """
    luck = random.Random(SEED)
    caught = 0
    for number in range(1_000):
        sessions = engine(store, clock)
        handle, token = await created(sessions)
        tokens = [token]
        for _ in range(5):
            clock.advance(GRACE)
            tokens.append(await refreshed(sessions, tokens[-1]))
        issued = await sessions.refresh(tokens[-1])
        await sessions.verify(issued.tokens.access_token)
        await sessions._parts.background.finish()
        clock.advance(GRACE * luck.uniform(1, 100))
        if number % 2:
            sessions = engine(store, clock)
        age = luck.randrange(1, 6)
        with pytest.raises(TokenTheftError) as theft:
            await sessions.refresh(tokens[-1 - age])
        caught += theft.value.handle == handle
        with pytest.raises(UnauthorisedError):
            await sessions.refresh(tokens[-1])

    assert 1_000 == caught


async def test_a_replay_that_races_its_victim(store: Store, clock: HandClock) -> None:
    """Where the thief's replay and the victim's refresh arrive together the session is dead for both when they are answered."""
    sessions = engine(store, clock)
    for _ in range(ROUNDS):
        handle, first = await created(sessions)
        clock.advance(GRACE)
        second = await refreshed(sessions, first)
        clock.advance(GRACE)
        third = await refreshed(sessions, second)
        clock.advance(GRACE)
        answers = await asyncio.gather(*(outcome(sessions, token) for token in [third] * 5 + [first] + [third] * 5))

        assert "TOKEN_THEFT_DETECTED" == answers[5]
        assert await sessions.information(handle) is None
        handed_out = {third, *answers} - {"UNAUTHORISED", "TOKEN_THEFT_DETECTED"}
        assert {"UNAUTHORISED"} == {await outcome(sessions, token) for token in handed_out}


async def test_a_thief_and_a_victim_part(store: Store, clock: HandClock) -> None:
    """A thief who copies a token and refreshes in time is found out by the next refresh of whoever falls behind."""
    sessions = engine(store, clock)
    _, stolen = await created(sessions)
    clock.advance(GRACE)
    thief, victim = await refreshed(sessions, stolen), await refreshed(sessions, stolen)
    assert thief == victim
    clock.advance(GRACE)
    ahead = [thief]
    for _ in range(2):
        ahead.append(await refreshed(sessions, ahead[-1]))
        clock.advance(GRACE)
    assert all(one != next_one for one, next_one in pairwise(ahead))

    with pytest.raises(TokenTheftError):
        await sessions.refresh(victim)
    with pytest.raises(UnauthorisedError):
        await sessions.refresh(ahead[-1])


async def test_a_restart_between_rotation_and_replay(clock: HandClock, tmp_path: Path) -> None:
    """The database alone remembers: a token used before a restart is caught after it, by an engine that knows nothing else."""
    before = engine(store_by_url(f"sqlite:///{tmp_path}/x.db", clock=clock), clock)
    _, first = await created(before)
    clock.advance(GRACE)
    second = await refreshed(before, first)
    clock.advance(GRACE)
    third = await refreshed(before, second)
    await before.close()
    clock.advance(GRACE)
    after = engine(store_by_url(f"sqlite:///{tmp_path}/x.db", clock=clock), clock)

    assert "TOKEN_THEFT_DETECTED" == await outcome(after, first)
    assert "UNAUTHORISED" == await outcome(after, third)
    await after.close()


async def test_a_second_look_by_a_second_engine(store: Store, clock: HandClock) -> None:
    """Two engines never give two successors for one token, in whatever order they are asked."""
    here, there = engine(store, clock), engine(store, clock)
    _, token = await created(here)
    for _ in range(10):
        clock.advance(GRACE)
        answers = {await refreshed(each, token) for each in (here, there, there, here)}
        assert 1 == len(answers)
        (token,) = answers
