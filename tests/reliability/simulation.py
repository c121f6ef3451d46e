"""Browsers, networks and workers as they are, in a time of their own: nobody is a thief, and much goes wrong.

A browser has several tabs and one cookie jar. Whenever its access token has expired, every tab refreshes, without asking the
others. Messages take 10 to 400 ms each way, and some are lost; who gets no answer tries again, with what is in the jar by
then: soon, or hours later where the lid was closed. Two workers serve, and are restarted every few minutes; a restart takes
the answers with it that were about to be sent.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import random
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from fastapi_session.core.binding.bound_keys import Possession
from fastapi_session.errors import SessionError
from fastapi_session.model import Tokens
from fastapi_session.sessions import Sessions
from fastapi_session.testing import HandClock
from tests.milliseconds import HOUR, MILLISECOND, MINUTE, SECOND

LATENCY = (10 * MILLISECOND, 400 * MILLISECOND)
TABS_START_WITHIN = 1_500 * MILLISECOND
PATIENCE = 5 * SECOND
"""How long a tab waits for an answer before it tries again."""
LID_CLOSED = (1 * HOUR, 12 * HOUR)
BETWEEN_RESTARTS = (1 * MINUTE, 20 * MINUTE)
SENDING = 50 * MILLISECOND
"""How long an answer that was decided is still lost with its worker, at most."""


@dataclass(frozen=True)
class Habits:
    """How users live: in how many *tabs*, how many messages are lost (0 to 1), and how many retries come hours *late*."""

    tabs: int
    loss: float
    late: float


class Timeline:
    """Lets the clock go on, from one moment at which somebody wanted to be woken to the next; one is awake at a time."""

    def __init__(self, clock: HandClock) -> None:
        self.now = clock
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = itertools.count()
        self._awake = 0

    async def sleep(self, milliseconds: float) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (self.now() + int(milliseconds), next(self._order), future))
        self._awake -= 1
        await future

    async def run(self, lives: Sequence[Coroutine[Any, Any, None]], *, beside: Coroutine[Any, Any, None]) -> None:
        """Let all *lives* come to their end, and break off what goes on *beside* them."""
        self._awake = len(lives) + 1
        ending = asyncio.gather(*(self._live(life) for life in lives))
        other = asyncio.create_task(beside)
        while await self._settled() and not ending.done():
            moment, _, future = heapq.heappop(self._waiting)
            self.now.advance(timedelta(milliseconds=moment - self.now()))
            self._awake += 1
            future.set_result(None)
        other.cancel()
        await ending

    async def _settled(self) -> bool:
        """Wait until everybody is asleep."""
        while self._awake:  # noqa: ASYNC110 - whoever is awake never waits for anything but a turn of the event loop
            await asyncio.sleep(0)
        return True

    async def _live(self, life: Coroutine[Any, Any, None]) -> None:
        try:
            await life
        finally:
            self._awake -= 1


class Workers:
    """Two workers of one deployment, of which one or the other begins anew now and then."""

    def __init__(self, begin: Callable[[], Sessions], *, timeline: Timeline, luck: random.Random) -> None:
        self._begin = begin
        self._timeline = timeline
        self._luck = luck
        self._living = [begin(), begin()]
        self.restarts = 0

    def any(self) -> Sessions:
        return self._luck.choice(self._living)

    def lives(self, worker: Sessions) -> bool:
        return worker in self._living

    async def restart_now_and_then(self) -> None:
        while True:
            await self._timeline.sleep(self._luck.uniform(*BETWEEN_RESTARTS))
            self._living[self._luck.randrange(2)] = self._begin()
            self.restarts += 1


@dataclass
class World:
    """What all browsers share. *seen* counts what they were told."""

    timeline: Timeline
    workers: Workers
    luck: random.Random
    habits: Habits
    seen: Counter[str] = field(default_factory=Counter)

    async def arrives(self) -> bool:
        """Wait until a message is there, or would be, and say whether it is."""
        await self.timeline.sleep(self.luck.uniform(*LATENCY))
        return self.luck.random() >= self.habits.loss / 2


class Browser:
    """One user's: its jar holds the tokens that came last."""

    def __init__(self, world: World, tokens: Tokens, possession: Possession | None) -> None:
        self._world = world
        self._jar = tokens
        self._possession = possession

    async def tab(self, wakings: Sequence[float]) -> None:
        """Refresh at each of *wakings* (milliseconds of the clock) that is not slept through, and use what came."""
        timeline, luck, habits = self._world.timeline, self._world.luck, self._world.habits
        for waking in wakings:
            if waking < timeline.now():
                continue
            await timeline.sleep(waking - timeline.now() + luck.uniform(0, TABS_START_WITHIN))
            while not await self._refreshed():
                self._world.seen["unanswered"] += 1
                await timeline.sleep(luck.uniform(*LID_CLOSED) if luck.random() < habits.late else PATIENCE)
            await self._use()

    async def _refreshed(self) -> bool:
        """Present what is in the jar, and say whether an answer came, which is in the jar then."""
        world, token = self._world, self._jar.refresh_token
        assert token is not None
        if not await world.arrives():
            return False
        worker = world.workers.any()
        try:
            answer = (await worker.refresh(token, possession=self._possession)).tokens
        except SessionError as error:
            world.seen[error.code] += 1
            return True
        await world.timeline.sleep(world.luck.uniform(0, SENDING))
        if not world.workers.lives(worker) or not await world.arrives():
            return False
        world.seen["answered"] += 1
        self._jar = answer
        return True

    async def _use(self) -> None:
        """Ask for something with the access token in the jar."""
        token = self._jar.access_token
        if await self._world.arrives():
            try:
                await self._world.workers.any().verify(token, possession=self._possession)
            except SessionError as error:
                self._world.seen[error.code] += 1


async def simulate(
    begin: Callable[[], Sessions],
    habits: Habits,
    *,
    clock: HandClock,
    users: int,
    cycles: int,
    seed: int,
    possession: Possession | None = None,
) -> Counter[str]:
    """Return what was told to so many *users* in so many *cycles* of refreshing; *begin* makes a worker.

    With *possession* all sessions are bound to its key, and each refresh proves it.
    """
    bound_key = None if possession is None else possession.bound_key
    luck, timeline = random.Random(seed), Timeline(clock)
    workers = Workers(begin, timeline=timeline, luck=luck)
    world = World(timeline, workers, luck, habits)
    lives = []
    for number in range(users):
        browser = Browser(world, (await workers.any().create(f"user-{number}", bound_key=bound_key)).tokens, possession)
        wakings = list(itertools.accumulate((luck.uniform(HOUR, 2 * HOUR) for _ in range(cycles)), initial=clock()))
        lives += [browser.tab(wakings[1:]) for _ in range(habits.tabs)]
    await timeline.run(lives, beside=workers.restart_now_and_then())
    world.seen["restarts"] = workers.restarts
    return world.seen
