"""Sixty-four clients in two processes refresh one token at the same moment, round after round (R1)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

import pytest

from tests.conftest import Place
from tests.engines import engine
from tests.milliseconds import GRACE, MINUTE
from tests.reliability.history import OK, THEFT, UNAUTHORISED, Answer, lost_clients, violations
from tests.reliability.side_by_side import Processes, side_by_side
from tests.reliability.worker import OffsetClock, Task, received, refresh, ring_of

CLIENTS = 64


async def race(processes: Processes, token: str) -> list[Answer]:
    """What all clients saw who refreshed *token* at once."""
    answers: list[Answer] = await processes.do([Task("refresh", {"token": token})] * CLIENTS)
    return answers


async def generation(processes: Processes, session_id: str) -> int | None:
    """Where the session stands in the store, `None` where it is gone."""
    record = (await processes.sessions.store.get(session_id)).record
    return None if record is None else record.lineage.generation


async def successor(processes: Processes, token: str, answers: list[Answer]) -> str:
    """The refresh token that the race handed out for *token*; with it went access tokens that are believed here."""
    for answer in answers:
        assert answer.asked == (await processes.sessions.verify(answer.access_token)).session_handle
    issued = await processes.sessions.refresh(token)
    assert issued.tokens.refresh_token is not None
    assert answers[0].digest == received(issued.tokens.refresh_token, ring_of(processes.sessions.config))["digest"]
    return issued.tokens.refresh_token


async def test_a_race_has_one_successor(place: Place, amount: Callable[..., int], figures: Callable[..., None]) -> None:
    """R1: race after race one rotation and one successor, no theft, nobody sent away; what one signed, all believe (I9)."""
    history: list[Answer] = []
    rounds = amount(5, full=500)
    async with side_by_side(place) as processes:
        issued = await processes.sessions.create("alice")
        token, session_id = issued.tokens.refresh_token or "", issued.access_token.session_handle
        for number in range(rounds):
            processes.clock.offset += MINUTE
            answers = await race(processes, token)
            history += answers
            assert {OK: CLIENTS} == Counter(answer.outcome for answer in answers)
            assert {(session_id, number, number + 1)} == {
                (answer.session, answer.presented, answer.generation) for answer in answers
            }
            assert number + 1 == await generation(processes, session_id)
            token = await successor(processes, token, answers)

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
    rounds = amount(5, full=500)
    async with side_by_side(
        place, by_server=True, refresh_token_rotation_grace_period=0, lost_response_recovery=False
    ) as processes:
        for _ in range(rounds):
            issued = await processes.sessions.create("alice")
            answers = await race(processes, issued.tokens.refresh_token or "")
            history += answers
            outcomes.update(answer.outcome for answer in answers)
            assert 1 >= sum(answer.outcome == OK for answer in answers)
            assert await generation(processes, issued.access_token.session_handle) is None

    assert {OK, THEFT, UNAUTHORISED} == outcomes.keys()
    assert [] == list(violations(history, grace=0))
    assert (CLIENTS - 1) * rounds == outcomes[THEFT] + outcomes[UNAUTHORISED]
    figures(rounds=rounds, **outcomes)


@pytest.mark.parametrize("grace", [0, 1], ids=["none", "1 ms"])
async def test_recovery_alone_serves_a_race(
    place: Place, grace: int, amount: Callable[..., int], figures: Callable[..., None]
) -> None:
    """Without grace, recovery of lost responses still gives every client of a race the one successor."""
    history: list[Answer] = []
    clock = OffsetClock()
    here, there = (
        engine(clock, store=place.store(clock), refresh_token_rotation_grace_period=grace / 1000) for _ in range(2)
    )
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
