"""The store learns in the background that a client has used what a refresh gave it: once, and in the end surely."""

from __future__ import annotations

import asyncio

import pytest

from fastapi_session.core.access_token import AccessToken
from fastapi_session.engine.background import Background
from fastapi_session.engine.tokens import acknowledgements
from fastapi_session.engine.tokens.acknowledgements import Acknowledgements
from fastapi_session.sessions import Sessions
from fastapi_session.testing import HandClock
from tests.engines import NEW_SECRET, SECRET, TroubledStore, engine, refresh_token_of, secrets
from tests.moments import GRACE


class Process:
    """One process that takes note of access tokens."""

    def __init__(self, store: TroubledStore, *texts: str) -> None:
        self.background = Background()
        self.acknowledgements = Acknowledgements(
            store, secrets=secrets(*(texts or (SECRET,))), background=self.background
        )

    async def use(self, token: AccessToken, *, times: int = 1) -> None:
        for _ in range(times):
            self.acknowledgements.used(token)
        await self.background.finish()


@pytest.fixture
def sessions(troubled: TroubledStore, clock: HandClock) -> Sessions:
    return engine(clock, store=troubled)


async def rotated(sessions: Sessions, clock: HandClock) -> AccessToken:
    """Return the access token that came with the first rotation of a new session."""
    first = await sessions.create("alice")
    clock.advance(GRACE)
    return (await sessions.refresh(refresh_token_of(first))).access_token


async def acknowledged(store: TroubledStore, token: AccessToken) -> bool:
    record = (await store.get(token.session_handle)).record
    assert record is not None
    return record.lineage.acknowledged


async def test_a_generation_is_told_once(troubled: TroubledStore, sessions: Sessions, clock: HandClock) -> None:
    """However often a token is used, one process tells the store once, and the store then knows."""
    process, token = Process(troubled), await rotated(sessions, clock)
    await process.use(token, times=100)
    await process.use(token)

    assert 1 == troubled.asked["acknowledge"]
    assert await acknowledged(troubled, token)


async def test_each_process_and_each_generation_tells(
    troubled: TroubledStore, sessions: Sessions, clock: HandClock
) -> None:
    """Another process tells again, as it cannot know; and another session's token is told too."""
    one, other = await rotated(sessions, clock), await rotated(sessions, clock)
    for process in (Process(troubled), Process(troubled)):
        await process.use(one)
        await process.use(other)

    assert 4 == troubled.asked["acknowledge"]


async def test_the_first_token_has_nothing_to_acknowledge(troubled: TroubledStore, sessions: Sessions) -> None:
    """A token that came with the sign-in replaced none."""
    await Process(troubled).use((await sessions.create("alice")).access_token)

    assert 0 == troubled.asked["acknowledge"]


async def test_a_failure_is_counted_and_told_by_a_later_use(
    troubled: TroubledStore, sessions: Sessions, clock: HandClock
) -> None:
    """While the store is down nobody notices; the next use after it tells what was missed."""
    process, token = Process(troubled), await rotated(sessions, clock)
    troubled.down = True
    await process.use(token)
    await process.use(token)
    assert 2 == process.acknowledgements.failed
    troubled.down = False
    await process.use(token, times=3)

    assert await acknowledged(troubled, token)
    assert (2, 3) == (process.acknowledgements.failed, troubled.asked["acknowledge"])


@pytest.mark.parametrize("steps", [0, 1, 3])
async def test_a_cancelled_task_is_a_failure(
    steps: int, troubled: TroubledStore, sessions: Sessions, clock: HandClock
) -> None:
    """An event loop that ends takes its tasks with it, begun or not: a later use tells what they had to tell."""
    process, token = Process(troubled), await rotated(sessions, clock)
    troubled.ready.clear()
    process.acknowledgements.used(token)
    for _ in range(steps):
        await asyncio.sleep(0)
    for task in list(process.background._tasks):
        task.cancel()
    await process.background.finish()
    await asyncio.sleep(0)
    assert 1 == process.acknowledgements.failed
    troubled.ready.set()
    await process.use(token)

    assert await acknowledged(troubled, token)


async def test_memory_is_bounded(
    troubled: TroubledStore, sessions: Sessions, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only so many are remembered, the oldest is forgotten first, and one forgotten costs a write and nothing else."""
    monkeypatch.setattr(acknowledgements, "REMEMBERED", 2)
    process = Process(troubled)
    tokens = [await rotated(sessions, clock) for _ in range(3)]
    for token in tokens:
        await process.use(token)
    await process.use(tokens[2])
    assert 3 == troubled.asked["acknowledge"]
    await process.use(tokens[0])

    assert 4 == troubled.asked["acknowledge"]
    assert 2 == len(process.acknowledgements._done)


@pytest.mark.parametrize("maker", [SECRET, NEW_SECRET], ids=["old", "new"])
async def test_either_secret_may_have_made_the_hash(maker: str, troubled: TroubledStore, clock: HandClock) -> None:
    """While a secret is being replaced, a process that knows both acknowledges what either has hashed."""
    token = await rotated(
        engine(clock, store=troubled, secret=[NEW_SECRET, SECRET] if maker == NEW_SECRET else maker), clock
    )
    await Process(troubled, NEW_SECRET, SECRET).use(token)

    assert await acknowledged(troubled, token)


async def test_verifying_waits_for_nothing(troubled: TroubledStore, sessions: Sessions, clock: HandClock) -> None:
    """A verification is answered while the store keeps the acknowledgement waiting."""
    await sessions.open()
    first = await sessions.create("alice")
    clock.advance(GRACE)
    issued = await sessions.refresh(refresh_token_of(first))
    await sessions.verify(first.tokens.access_token)  # which has what others revoked read
    troubled.ready.clear()
    content = await asyncio.wait_for(sessions.verify(issued.tokens.access_token), 30)
    troubled.ready.set()
    await sessions.close()

    assert issued.access_token == content
    assert await acknowledged(troubled, content)
