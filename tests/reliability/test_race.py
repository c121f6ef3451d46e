"""Sixty-four clients in two processes refresh one token at the same moment, round after round."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from fastapi_session.config import SessionConfig
from fastapi_session.engine.minting import IssuedSession
from fastapi_session.sessions import Sessions
from tests.reliability.history import OK, THEFT, UNAUTHORISED, Answer, lost_clients, violations
from tests.reliability.racer import OffsetClock, received, ring_of

ROOT = Path(__file__).parents[2]

ROUNDS = 100
PROCESSES = 2
CLIENTS = 32
MINUTE = 60_000
GRACE = 30_000


class Deployment:
    """Two processes on one SQLite file, and this one, which watches."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self._options = {"store": f"sqlite:///{folder}/sessions.db", "secret": "s" * 32, **options}
        self.clock = OffsetClock()
        self.sessions = Sessions(SessionConfig(**self._options), clock=self.clock)

    @contextmanager
    def racers(self) -> Iterator[list[subprocess.Popen[str]]]:
        command = [sys.executable, "-m", "tests.reliability.racer"]
        racers = [
            subprocess.Popen(
                [*command, f"{number}", json.dumps(self._options)],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for number in range(PROCESSES)
        ]
        try:
            yield racers
            for racer in racers:
                racer.communicate(timeout=30)
            assert [0] * PROCESSES == [racer.returncode for racer in racers]
        finally:
            for racer in racers:
                racer.kill()
                racer.communicate()

    def race(self, racers: list[subprocess.Popen[str]], token: str) -> list[Answer]:
        """Answer what all clients saw who refreshed *token* at once."""
        order = json.dumps({"token": token, "offset": self.clock.offset, "clients": CLIENTS})
        tell(racers, order)
        hear(racers)
        tell(racers, "go")
        return [Answer(**seen) for line in hear(racers) for seen in json.loads(line)]

    async def generation(self, session_id: str) -> int | None:
        """Answer where the session stands in the file, `None` where it is gone."""
        record = (await self.sessions.store.get(session_id)).record
        return None if record is None else record.lineage.generation

    async def successor(self, token: str, expected: Answer) -> str:
        """Answer the refresh token that the race handed out for *token*."""
        answer: IssuedSession = await self.sessions.refresh(token)
        assert answer.tokens.refresh_token is not None
        assert expected.digest == received(answer.tokens.refresh_token, ring_of(self.sessions.config))["digest"]
        return answer.tokens.refresh_token


def tell(racers: list[subprocess.Popen[str]], line: str) -> None:
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write(f"{line}\n")
        racer.stdin.flush()


def hear(racers: list[subprocess.Popen[str]]) -> list[str]:
    return [racer.stdout.readline() for racer in racers if racer.stdout is not None]


@asynccontextmanager
async def deployed(folder: Path, **options: Any) -> AsyncIterator[tuple[Deployment, list[subprocess.Popen[str]]]]:
    deployment = Deployment(folder, **options)
    await deployment.sessions.open()
    with deployment.racers() as racers:
        yield deployment, racers
    await deployment.sessions.close()


async def test_a_race_has_one_successor(tmp_path: Path) -> None:
    """A hundred races of sixty-four refreshes: one rotation and one successor each, no theft, nobody sent away."""
    history: list[Answer] = []
    async with deployed(tmp_path) as (deployment, racers):
        issued = await deployment.sessions.create("alice")
        token, session_id = issued.tokens.refresh_token or "", issued.access_token.session_handle
        for number in range(ROUNDS):
            deployment.clock.offset += MINUTE
            answers = deployment.race(racers, token)
            history += answers
            assert {OK: PROCESSES * CLIENTS} == Counter(answer.outcome for answer in answers)
            assert {(session_id, number, number + 1)} == {
                (answer.session, answer.presented, answer.generation) for answer in answers
            }
            assert number + 1 == await deployment.generation(session_id)
            token = await deployment.successor(token, answers[0])

    assert [] == list(violations(history, grace=GRACE))
    assert [] == lost_clients(history)
    assert ROUNDS == len({answer.digest for answer in history})


async def test_a_strict_race_has_one_winner_at_most(tmp_path: Path) -> None:
    """Without grace and recovery one client at most is answered, and then the session is dead for everybody."""
    history: list[Answer] = []
    outcomes: Counter[str] = Counter()
    options = {"refresh_token_rotation_grace_period": 0, "lost_response_recovery": False}
    async with deployed(tmp_path, **options) as (deployment, racers):
        for _ in range(ROUNDS):
            issued = await deployment.sessions.create("alice")
            deployment.clock.offset += MINUTE
            answers = deployment.race(racers, issued.tokens.refresh_token or "")
            history += answers
            outcomes.update(answer.outcome for answer in answers)
            assert 1 >= sum(answer.outcome == OK for answer in answers)
            assert await deployment.generation(issued.access_token.session_handle) is None

    assert {OK, THEFT, UNAUTHORISED} == outcomes.keys()
    assert [] == list(violations(history, grace=0))
    assert (PROCESSES * CLIENTS - 1) * ROUNDS == outcomes[THEFT] + outcomes[UNAUTHORISED]


@pytest.mark.parametrize("grace", [timedelta(0), timedelta(milliseconds=1)], ids=["none", "1 ms"])
async def test_recovery_alone_serves_a_race(grace: timedelta, tmp_path: Path) -> None:
    """Without grace, recovery of lost answers still gives every client of a race the one successor."""
    history: list[Answer] = []
    options = {"refresh_token_rotation_grace_period": grace.total_seconds()}
    async with deployed(tmp_path, **options) as (deployment, racers):
        for _ in range(ROUNDS // 10):
            issued = await deployment.sessions.create("alice")
            deployment.clock.offset += MINUTE
            answers = deployment.race(racers, issued.tokens.refresh_token or "")
            history += answers
            assert 1 == len({answer.digest for answer in answers})

    assert {OK: len(history)} == Counter(answer.outcome for answer in history)
