"""No replay is missed: whoever presents a token that has been used is found out, and the session is dead for both (R2)."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Callable
from itertools import pairwise

import pytest

from fastapi_session.errors import SessionError, TokenTheftError, UnauthorisedError
from fastapi_session.sessions import Sessions
from fastapi_session.testing import HandClock
from tests.conftest import Place
from tests.engines import created, engine, refreshed, stem
from tests.moments import GRACE
from tests.reliability.history import THEFT, UNAUTHORISED

SEED = 5
BATCH = 50
OLDEST = 10
"""How many generations the oldest replayed token is behind."""


async def outcome(sessions: Sessions, token: str) -> str:
    try:
        return await refreshed(sessions, token)
    except SessionError as error:
        return error.code


async def lineage(sessions: Sessions, tokens: list[str], clock: HandClock, *, rotations: int) -> list[list[str]]:
    """All generations of as many sessions, oldest first, of which *tokens* are the first; the newest have been used."""
    generations = [tokens]
    for _ in range(rotations):
        clock.advance(GRACE)
        generations.append(await asyncio.gather(*(refreshed(sessions, token) for token in generations[-1])))
    again = await asyncio.gather(*(refreshed(sessions, token) for token in generations[-1]))
    assert [stem(token) for token in generations[-1]] == [stem(token) for token in again]
    return generations


async def in_any_order(sessions: Sessions, tokens: list[str], luck: random.Random) -> list[str]:
    """What comes of presenting all *tokens* at once."""
    asking = [(place, outcome(sessions, token)) for place, token in enumerate(tokens)]
    luck.shuffle(asking)
    answers = await asyncio.gather(*(each for _, each in asking))
    return [answer for _, answer in sorted(zip((place for place, _ in asking), answers, strict=True))]


async def restarted(sessions: Sessions, clock: HandClock) -> Sessions:
    """An engine that knows nothing but what the store has kept."""
    await sessions.close()
    afresh = engine(clock, store=sessions.store)
    await afresh.open()
    return afresh


@pytest.mark.parametrize("when", ["at once", "after a restart", "beside the victim"])
async def test_no_replay_is_missed(
    sessions: Sessions, when: str, clock: HandClock, amount: Callable[..., int], figures: Callable[..., None]
) -> None:
    """R2: tokens one to ten generations old, replayed after their window: every one is caught, and its session dead."""
    luck = random.Random(SEED)
    caught = 0
    replays, batch = amount(2 * OLDEST, full=3_500), amount(2, full=BATCH)
    ages = itertools.cycle(range(1, OLDEST + 1))
    while caught < replays:
        age = next(ages)
        tokens = [token for _, token in await asyncio.gather(*(created(sessions) for _ in range(batch)))]
        generations = await lineage(sessions, tokens, clock, rotations=age + luck.randrange(3))
        clock.advance(GRACE * luck.uniform(1, 100))
        if when == "after a restart":
            sessions = await restarted(sessions, clock)
        newest, replayed = generations[-1], generations[-1 - age]
        beside = newest * 3 if when == "beside the victim" else []
        answers = await in_any_order(sessions, [*replayed, *beside], luck)
        thieves, victims = answers[:batch], set(answers[batch:])

        assert [THEFT] * batch == thieves
        assert THEFT not in victims
        handed_out = victims - {UNAUTHORISED}
        assert {UNAUTHORISED} == {await outcome(sessions, token) for token in {*newest, *handed_out}}
        caught += batch
    await sessions.close()
    figures(caught=caught)


async def test_a_thief_and_a_victim_part(sessions: Sessions, clock: HandClock) -> None:
    """A thief who copies a token and refreshes in time is found out by the next refresh of whoever falls behind."""
    _, stolen = await created(sessions)
    clock.advance(GRACE)
    thief, victim = await refreshed(sessions, stolen), await refreshed(sessions, stolen)
    assert stem(thief) == stem(victim)
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


async def test_two_engines_agree(place: Place, clock: HandClock) -> None:
    """Two engines never give two successors for one token, in whatever order they are asked."""
    here, there = (engine(clock, store=place.store(clock)) for _ in range(2))
    _, token = await created(here)
    for _ in range(10):
        clock.advance(GRACE)
        answers = [await refreshed(each, token) for each in (here, there, there, here)]
        assert 1 == len({stem(answer) for answer in answers})
        token = answers[0]
    await here.close()
    await there.close()
