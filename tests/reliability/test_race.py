"""Sixty-four clients in two processes refresh one token at the same moment, round after round (R1)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

import pytest

from tests.conftest import Place
from tests.reliability.deployment import Deployment, deployed
from tests.reliability.history import OK, THEFT, UNAUTHORISED, Answer, lost_clients, violations
from tests.reliability.worker import OffsetClock, Task, engine, received, refresh, ring_of

CLIENTS = 64
MINUTE = 60_000
GRACE = 30_000


async def race(deployment: Deployment, token: str) -> list[Answer]:
    """What all clients saw who refreshed *token* at once."""
    answers: list[Answer] = await deployment.do([Task("refresh", {"token": token})] * CLIENTS)
    return answers


async def generation(deployment: Deployment, session_id: str) -> int | None:
    """Where the session stands in the store, `None` where it is gone."""
    record = (await deployment.sessions.store.get(session_id)).record
    return None if record is None else record.lineage.generation


async def successor(deployment: Deployment, token: str, answers: list[Answer]) -> str:
    """The refresh token that the race handed out for *token*; with it went access tokens that are believed here."""
    for answer in answers:
        assert answer.asked == (await deployment.sessions.verify(answer.access_token)).session_handle
    issued = await deployment.sessions.refresh(token)
    assert issued.tokens.refresh_token is not None
    assert answers[0].digest == received(issued.tokens.refresh_token, ring_of(deployment.sessions.config))["digest"]
    return issued.tokens.refresh_token


async def test_a_race_has_one_successor(place: Place, amount: Callable[..., int], figures: Callable[..., None]) -> None:
    """R1: race after race one rotation and one successor, no theft, nobody sent away; what one signed, all believe (I9)."""
    history: list[Answer] = []
    rounds = amount(15, full=500)
    async with deployed(place) as deployment:
        issued = await deployment.sessions.create("alice")
        token, session_id = issued.tokens.refresh_token or "", issued.access_token.session_handle
        for number in range(rounds):
            deployment.clock.offset += MINUTE
            answers = await race(deployment, token)
            history += answers
            assert {OK: CLIENTS} == Counter(answer.outcome for answer in answers)
            assert {(session_id, number, number + 1)} == {
                (answer.session, answer.presented, answer.generation) for answer in answers
            }
            assert number + 1 == await generation(deployment, session_id)
            token = await successor(deployment, token, answers)

    assert [] == list(violations(history, grace=GRACE))
    assert [] == lost_clients(history)
    assert rounds == len({answer.digest for answer in history})
    figures(rounds=rounds, rotations=number + 1, **Counter(answer.outcome for answer in history))


async def test_a_strict_race_has_one_winner_at_most(
    place: Place, amount: Callable[..., int], figures: Callable[..., None]
) -> None:
    """R1: by the store's own clock, without grace and recovery, one client at most is answered; then the session is dead."""
    history: list[Answer] = []
    outcomes: Counter[str] = Counter()
    rounds = amount(15, full=500)
    async with deployed(
        place, by_server=True, refresh_token_rotation_grace_period=0, lost_response_recovery=False
    ) as deployment:
        for _ in range(rounds):
            issued = await deployment.sessions.create("alice")
            answers = await race(deployment, issued.tokens.refresh_token or "")
            history += answers
            outcomes.update(answer.outcome for answer in answers)
            assert 1 >= sum(answer.outcome == OK for answer in answers)
            assert await generation(deployment, issued.access_token.session_handle) is None

    assert {OK, THEFT, UNAUTHORISED} == outcomes.keys()
    assert [] == list(violations(history, grace=0))
    assert (CLIENTS - 1) * rounds == outcomes[THEFT] + outcomes[UNAUTHORISED]
    figures(rounds=rounds, **outcomes)


@pytest.mark.parametrize("grace", [0, 1], ids=["none", "1 ms"])
async def test_recovery_alone_serves_a_race(
    place: Place, grace: int, amount: Callable[..., int], figures: Callable[..., None]
) -> None:
    """Without grace, recovery of lost answers still gives every client of a race the one successor."""
    history: list[Answer] = []
    clock = OffsetClock()
    here, there = (engine(place, clock, refresh_token_rotation_grace_period=grace / 1000) for _ in range(2))
    await there.open()
    await here.open()
    for _ in range(amount(3, full=50)):
        token = (await here.create("alice")).tokens.refresh_token or ""
        clock.offset += grace
        answers = await asyncio.gather(*(refresh(each, "", token=token) for each in [here, there] * (CLIENTS // 2)))
        history += answers
        assert 1 == len({answer.digest for answer in answers})
    await here.close()
    await there.close()

    assert {OK: len(history)} == Counter(answer.outcome for answer in history)
    figures(**Counter(answer.outcome for answer in history))
