"""A theft is told once, whatever the store fails to answer: who comes again finds the session gone, and learns nothing."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

import pytest

from fastapi_session.audit import Audit
from fastapi_session.config import SessionConfig
from fastapi_session.engine.tokens import alarms
from fastapi_session.errors import StoreUnavailable, TokenTheftError, UnauthorisedError
from fastapi_session.events import SessionEvent, TokenTheftDetected
from fastapi_session.model import Circumstances, Lineage, Reading
from fastapi_session.sessions import Sessions
from fastapi_session.stores.memory import MemoryStore
from fastapi_session.testing import HandClock
from tests.engines import SECRET, refresh_token_of, refreshed
from tests.moments import GRACE

THIEF = Circumstances("203.0.113.7", "a thief's browser")
Loss = Literal["nothing", "the question", "the answer"]


class LossyStore(MemoryStore):
    """Loses *what* it is asked to delete, or the answer to that; for *silent* questions afterwards it is not there."""

    def __init__(self, clock: HandClock) -> None:
        super().__init__(clock=clock)
        self.what: Loss = "nothing"
        self.silent = 0

    async def delete(self, session_id: str, *, expected: Lineage | None = None, audit: Audit | None = None) -> bool:
        what, self.what = self.what, "nothing"
        if what == "the question":
            raise StoreUnavailable("lost")
        done = await super().delete(session_id, expected=expected, audit=audit)
        if what == "the answer":
            raise StoreUnavailable("lost")
        return done

    async def get(self, session_id: str) -> Reading:
        if self.silent and self.what == "nothing":
            self.silent -= 1
            raise StoreUnavailable("away")
        return await super().get(session_id)


class Deployment:
    """An engine over a store that loses things, and what its subscriber heard."""

    def __init__(self, clock: HandClock) -> None:
        self.store = LossyStore(clock)
        self.clock = clock
        self.heard: list[SessionEvent] = []
        config = SessionConfig(store=self.store, secret=SECRET)
        self.sessions = Sessions(config, clock=clock, subscribers=[self._hear])

    async def _hear(self, event: SessionEvent) -> None:
        self.heard.append(event)

    async def stolen(self) -> str:
        """Return a refresh token that is two generations old."""
        token = refresh_token_of(await self.sessions.create("alice"))
        newest = token
        for _ in range(2):
            self.clock.advance(2 * GRACE)
            newest = await refreshed(self.sessions, newest)
        return token

    async def thefts(self) -> list[TokenTheftDetected]:
        """Return what was told of thefts, once all that goes on in the background is done."""
        await self.sessions._parts.background.finish()
        return [event for event in self.heard if isinstance(event, TokenTheftDetected)]


@pytest.fixture
def deployment(clock: HandClock, monkeypatch: pytest.MonkeyPatch) -> Deployment:
    monkeypatch.setattr(alarms, "FIRST_PAUSES", (0.01,) * 10)
    return Deployment(clock)


@pytest.mark.parametrize("silent", [0, 3])
@pytest.mark.parametrize("what", ["the question", "the answer"])
async def test_an_alarm_is_told_whatever_is_lost(
    what: Loss, silent: int, deployment: Deployment, caplog: pytest.LogCaptureFixture
) -> None:
    """The client is told 503; the process asks again until it knows, and tells who came with what, once."""
    token = await deployment.stolen()
    deployment.store.what, deployment.store.silent = what, silent
    with pytest.raises(StoreUnavailable):
        await deployment.sessions.refresh(token, circumstances=THIEF)
    (theft,) = await deployment.thefts()

    assert ("alice", "STALE_LINEAGE", THIEF) == (theft.user_id, theft.reason, theft.presented_by)
    line = f"refresh of session {theft.handle}: STALE_LINEAGE"
    logged = [record.message for record in caplog.records if record.name == "fastapi_session"]
    assert [f"{line}; is it revoked? asking again", line] == logged
    with pytest.raises(UnauthorisedError, match="GONE"):
        await deployment.sessions.refresh(token)
    assert 1 == len(await deployment.thefts())


async def test_who_comes_again_first_is_told_of_once(deployment: Deployment) -> None:
    """If the thief comes again before this process has asked, that is the alarm, and no second one follows."""
    token = await deployment.stolen()
    deployment.store.what = "the question"
    with pytest.raises(StoreUnavailable):
        await deployment.sessions.refresh(token)
    with pytest.raises(TokenTheftError):
        await deployment.sessions.refresh(token)

    assert 1 == len(await deployment.thefts())


async def test_an_answer_on_its_way_is_waited_for(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the thief comes again and the store has ended the session but not yet said so, this process tells of it once."""
    token, ended, arrives = await deployment.stolen(), asyncio.Event(), asyncio.Event()
    delete, get = deployment.store.delete, deployment.store.get
    deployment.store.what = "the question"
    with pytest.raises(StoreUnavailable):
        await deployment.sessions.refresh(token)

    async def late(session_id: str, **options: Any) -> bool:
        done = await delete(session_id, **options)
        ended.set()
        await arrives.wait()
        return done

    async def asked(session_id: str) -> Reading:
        reading = await get(session_id)
        if ended.is_set():
            asyncio.get_running_loop().call_later(0.01, arrives.set)
        return reading

    monkeypatch.setattr(deployment.store, "delete", late)
    monkeypatch.setattr(deployment.store, "get", asked)
    with pytest.raises(TokenTheftError):
        await deployment.sessions.refresh(token)

    assert 1 == len(await deployment.thefts())


async def test_many_at_once_are_told_of_once(deployment: Deployment) -> None:
    """Of ten that come at once, and of whom one loses its answer, one alarm is told."""
    token = await deployment.stolen()
    deployment.store.what = "the answer"
    outcomes = await asyncio.gather(*(deployment.sessions.refresh(token) for _ in range(10)), return_exceptions=True)

    assert {StoreUnavailable, UnauthorisedError} == {type(outcome) for outcome in outcomes}
    assert 1 == len(await deployment.thefts())


async def test_a_request_that_is_cancelled_is_told_of(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that hangs up while the store is asked takes its answer with it, not the alarm."""
    token, asked, delete = await deployment.stolen(), asyncio.Event(), deployment.store.delete

    async def slow(session_id: str, **options: Any) -> bool:
        done = await delete(session_id, **options)
        asked.set()
        await asyncio.sleep(60)
        return done

    monkeypatch.setattr(deployment.store, "delete", slow)
    request = asyncio.create_task(deployment.sessions.refresh(token))
    await asked.wait()
    request.cancel()
    await asyncio.wait([request])

    assert request.cancelled()
    assert 1 == len(await deployment.thefts())


async def test_what_is_no_theft_any_more_is_not_told(deployment: Deployment) -> None:
    """If the question was lost, and the store meanwhile was put back to where the token belongs, nobody is accused."""
    token = refresh_token_of(await deployment.sessions.create("alice"))
    (first,) = await deployment.store.sessions_of("alice")
    newest = token
    for _ in range(2):
        deployment.clock.advance(2 * GRACE)
        newest = await refreshed(deployment.sessions, newest)
    (now,) = await deployment.store.sessions_of("alice")
    deployment.store.what = "the question"
    with pytest.raises(StoreUnavailable):
        await deployment.sessions.refresh(token)
    assert await deployment.store.replace(first.session_id, expected=now.lineage, lineage=first.lineage)

    assert [] == await deployment.thefts()
    assert await refreshed(deployment.sessions, token)
