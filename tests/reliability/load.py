"""Clients by the hundred: each verifies and refreshes at its own pace over HTTP, and writes down what it sees."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from fastapi_session.clock import system_clock
from fastapi_session.core.secret import Secret, Secrets
from tests.reliability.history import OK, Answer
from tests.reliability.load_server import SECRET
from tests.reliability.load_wire import Reply, Wire
from tests.reliability.store_faults import Outage
from tests.reliability.worker import received
from tests.wire import ACCESS_COOKIE, AUTH_MODE, REFRESH_COOKIE, REFRESH_PATH

RING = Secrets([Secret.from_material(SECRET.encode())])

UNAVAILABLE = "503"
"""The outcome of a refresh while the store was down."""


@dataclass
class Browser:
    """One user's browser: a connection for calls, one for refreshes, and the cookies that it was given."""

    name: str
    port: int
    cookies: dict[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.lead_to(self.port)

    def lead_to(self, port: int) -> None:
        """Go on by *port*."""
        self.calls = Wire(port)
        self.refreshes = Wire(port)

    @property
    def session_id(self) -> str:
        """The session that the refresh token is of."""
        return str(received(self.cookies[REFRESH_COOKIE], RING)["session"])

    @property
    def generation(self) -> int:
        """How often the refresh token has been handed on."""
        return int(received(self.cookies[REFRESH_COOKIE], RING)["generation"])

    async def sign_in(self) -> None:
        """Begin a session."""
        headers = {AUTH_MODE: "cookie"}
        reply = self.take(await self.calls.ask("POST", f"/login?user_id={self.name}", headers))
        assert 200 == reply.status, reply.body

    async def call(self, path: str) -> Reply:
        """Ask for what lies at *path*."""
        return self.take(
            await self.calls.ask("GET", path, {"cookie": f"{ACCESS_COOKIE}={self.cookies[ACCESS_COOKIE]}"})
        )

    async def refresh(self) -> Reply:
        """Exchange the tokens for new ones."""
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return self.take(await self.refreshes.ask("POST", REFRESH_PATH, {"cookie": cookie}))

    def take(self, reply: Reply) -> Reply:
        """Return *reply* after its cookies are set and cleared."""
        for text in reply.values("set-cookie"):
            name, _, value = text.partition(";")[0].partition("=")
            if value:
                self.cookies[name] = value
            else:
                self.cookies.pop(name, None)
        return reply

    def close(self) -> None:
        """Hang up."""
        self.calls.close()
        self.refreshes.close()


@dataclass(frozen=True)
class Pace:
    """How often each client refreshes and calls a route that needs no store, in seconds."""

    refresh: float
    call: float


@dataclass
class Load:
    """What all clients do together, and what came of it: the answers to refreshes, the statuses of calls, what is amiss."""

    pace: Pace
    browsers: Sequence[Browser]
    seed: int = 0
    history: list[Answer] = field(default_factory=list)
    calls: Counter[int] = field(default_factory=Counter)
    amiss: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._luck = random.Random(self.seed)
        self._ends = asyncio.Event()

    async def sign_in(self) -> None:
        """Begin a session for each, twenty at a time."""
        for first in range(0, len(self.browsers), 20):
            await asyncio.gather(*(browser.sign_in() for browser in self.browsers[first : first + 20]))

    async def run(self) -> None:
        """Go on until told to end."""
        async with asyncio.TaskGroup() as tasks:
            for browser in self.browsers:
                tasks.create_task(self._call(browser))
                tasks.create_task(self._refresh(browser))

    def end(self) -> None:
        """Let each client stop after what it is at."""
        self._ends.set()

    async def _call(self, browser: Browser) -> None:
        await self._pause(self.pace.call * self._luck.random())
        while not self._ends.is_set():
            reply = await browser.call("/me")
            self.calls[reply.status] += 1
            if reply.status != 200 or json.loads(reply.body)["user_id"] != browser.name:
                self.amiss.append(f"{browser.name} called: {reply}")
            await self._pause(self.pace.call)

    async def _refresh(self, browser: Browser) -> None:
        await self._pause(self.pace.refresh * self._luck.random())
        while not self._ends.is_set():
            wait = await self.refresh(browser)
            await self._pause(self.pace.refresh * self._luck.uniform(0.9, 1.1) if wait is None else wait)

    async def refresh(self, browser: Browser) -> float | None:
        """Refresh once and note it; where the store is down, answer how many seconds the client was told to wait."""
        asked, presented, began = browser.session_id, browser.generation, system_clock()
        before = dict(browser.cookies)
        reply = await browser.refresh()
        outcome = outcome_of(reply)
        seen = received(browser.cookies[REFRESH_COOKIE], RING) if outcome == OK else {}
        self.history.append(Answer(browser.name, asked, presented, began, system_clock(), outcome, **seen))
        if outcome == OK:
            return None
        [wait] = reply.values("retry-after") or ["nothing"]
        if outcome != UNAVAILABLE or not reply.leaves_tokens or before != browser.cookies or not wait.isdecimal():
            self.amiss.append(f"{browser.name} refreshed: {reply}")
            raise AssertionError(self.amiss[-1])
        return float(wait)

    async def _pause(self, seconds: float) -> None:
        """Wait, but not beyond the end."""
        try:
            await asyncio.wait_for(self._ends.wait(), seconds)
        except TimeoutError:
            return


def outcome_of(reply: Reply) -> str:
    """What a history says of a refresh that was answered so."""
    if reply.status == 200:
        return OK
    return UNAVAILABLE if reply.status == 503 else f"{reply.status} {reply.body.decode()}"


def recoveries(history: Iterable[Answer], outages: Sequence[Outage]) -> Iterator[int]:
    """Yield, for each client that an outage held up, how many milliseconds after its end the client was served."""
    waiting: set[str] = set()
    for answer in sorted(history, key=lambda answer: answer.ended):
        if answer.outcome == UNAVAILABLE:
            waiting.add(answer.client)
        elif answer.client in waiting:
            waiting.remove(answer.client)
            last = max((outage.ended for outage in outages if outage.began <= answer.ended), default=answer.ended)
            yield max(0, answer.ended - last)
