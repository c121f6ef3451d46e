"""A server is killed again and again while its clients refresh, over real HTTP, and nobody notices but by waiting (R5)."""

from __future__ import annotations

import asyncio
import random
import signal
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess

import httpx
import pytest

from fastapi_session.config import SessionConfig
from fastapi_session.model import Lineage
from fastapi_session.stores.base import Store
from tests.conftest import Place
from tests.milliseconds import GRACE
from tests.reliability.history import OK, Answer, lost_clients, violations
from tests.reliability.processes import PROCESSES
from tests.reliability.server import AFTER_COMMIT, SECRET, Life, serve
from tests.reliability.worker import received, ring_of
from tests.wire import ACCESS_HEADER, AUTH_MODE, REFRESH_HEADER, REFRESH_PATH

pytestmark = [
    pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no kill on this system"),
    pytest.mark.timeout(300),
]

CLIENTS = 8
SEED = 8
BEFORE, BETWEEN = "cut off, as before", "cut off, moved on"
"""What becomes of a client whose server is killed before the commit, and between commit and answer."""
LONG = 60
"""Seconds of hesitation in which a kill is sure to come."""
LOOK_EVERY = 0.002
"""Seconds between two looks at the store, which the server writes meanwhile."""
LOOKS = 30_000
"""How often it is looked at before one gives up: for more than a minute."""
RING = ring_of(SessionConfig(secret=SECRET))


@dataclass
class Client:
    """One signed-in user's device: it keeps the last tokens it received, and writes down what it sees."""

    http: httpx.AsyncClient
    history: list[Answer]
    name: str
    token: str = field(default="", repr=False)
    access_token: str = field(default="", repr=False)
    cut_off: bool = False

    @property
    def session_id(self) -> str:
        return str(received(self.token, RING)["session"])

    @property
    def generation(self) -> int:
        return int(received(self.token, RING)["generation"])

    async def sign_in(self) -> None:
        self._take(await self.http.post("/login", params={"user_id": self.name}, headers={AUTH_MODE: "header"}))

    async def refresh(self, life: Life) -> None:
        """Present the last token, and keep what comes back; where the connection breaks, keep what there was."""
        began = life.clock()
        headers = {"authorization": f"Bearer {self.token}", "rid": "session", AUTH_MODE: "header"}
        self.cut_off = False
        try:
            response = await self.http.post(REFRESH_PATH, headers=headers)
        except httpx.TransportError:
            self.cut_off = True
            return
        presented, asked = self.generation, self.session_id
        outcome = OK if response.status_code == 200 else f"{response.status_code} {response.text}"
        seen = received(response.headers[REFRESH_HEADER], RING) if outcome == OK else {}
        self.history.append(Answer(self.name, asked, presented, began, life.clock(), outcome, **seen))
        if outcome == OK:
            self._take(response)

    async def use(self) -> str:
        """Ask a protected route who one is."""
        try:
            response = await self.http.get("/me", headers={"authorization": f"Bearer {self.access_token}"})
        except httpx.TransportError:
            return self.name
        assert 200 == response.status_code
        return str(response.json()["user_id"])

    def _take(self, response: httpx.Response) -> None:
        assert 200 == response.status_code
        self.token = response.headers[REFRESH_HEADER]
        self.access_token = response.headers[ACCESS_HEADER]


@dataclass
class World:
    """The store that all lives of the server share, and the way to the server that lives now."""

    place: Place
    store: Store
    http: httpx.AsyncClient
    history: list[Answer] = field(default_factory=list)

    @contextmanager
    def server(self, life: Life) -> Iterator[BaseProcess]:
        """Begin a life of the server; it ends by SIGKILL whatever it is doing."""
        with socket.create_server(("127.0.0.1", 0), backlog=4 * CLIENTS) as listener:
            self.http.base_url = httpx.URL(f"http://127.0.0.1:{listener.getsockname()[1]}")
            process = PROCESSES.Process(target=serve, args=(listener, life), daemon=True)
            process.start()
        try:
            yield process
        finally:
            process.kill()
            process.join()
            assert -signal.SIGKILL == process.exitcode
            process.close()

    async def lineages(self) -> dict[str, Lineage]:
        """Return how far each session has come in the store.

        A refresh that recovers a lost response changes the lineage and not its generation: after a kill all may do so.
        """
        records = [record for number in range(CLIENTS) for record in await self.store.sessions_of(f"user-{number}")]
        return {record.session_id: record.lineage for record in records}

    async def moves(self, since: dict[str, Lineage]) -> None:
        """Return as soon as a session has moved on."""
        for _ in range(LOOKS):
            if since != await self.lineages():
                return
            await asyncio.sleep(LOOK_EVERY)
        raise AssertionError("no session has moved on")


@dataclass(frozen=True)
class Kill:
    """When a server is killed: so long after so many of its clients have been answered.

    Where the lineages *moved_from* are given, it is killed as soon as a session has moved on: between commit and answer.
    """

    after_answers: int = 0
    after_seconds: float = 0
    moved_from: dict[str, Lineage] | None = None


@asynccontextmanager
async def world(place: Place) -> AsyncIterator[World]:
    limits = httpx.Limits(max_keepalive_connections=0)
    store = place.store()
    async with httpx.AsyncClient(limits=limits, timeout=30, trust_env=False) as http:
        yield World(place, store, http)
    await store.close()


async def refresh_and_use(client: Client, life: Life, answered: asyncio.Semaphore) -> None:
    await client.refresh(life)
    answered.release()
    if not client.cut_off:
        assert client.name == await client.use()


async def live(world: World, clients: list[Client], life: Life, kill: Kill | None = None) -> None:
    """Let every client refresh at once, and kill the server in the middle, or when all are content."""
    with world.server(life) as process:
        await world.http.get("/up")
        answered = asyncio.Semaphore(0)
        refreshing = [asyncio.create_task(refresh_and_use(client, life, answered)) for client in clients]
        if kill is not None:
            for _ in range(kill.after_answers):
                await answered.acquire()
            if kill.moved_from is not None:
                await world.moves(kill.moved_from)
            await asyncio.sleep(kill.after_seconds)
            process.kill()
        await asyncio.gather(*refreshing)


async def test_a_kill_loses_no_session(place: Place, amount: Callable[..., int], figures: Callable[..., None]) -> None:
    """R5: killed again and again, before and after a commit or at any time: no theft, every client goes on.

    A third of the kills is each sure to come between commit and answer, sure to come before the commit, and left to chance.
    """
    luck = random.Random(SEED)
    kills = amount(9, full=1000)
    seen: Counter[str] = Counter()
    offset = 0
    async with world(place) as here:
        clients = [Client(here.http, here.history, f"user-{number}") for number in range(CLIENTS)]
        with here.server(Life(here.place, offset, seed=0)):
            for client in clients:
                await client.sign_in()
        after = await here.lineages()
        for number in range(kills):
            before = after
            match number % 3:
                case 0:
                    offset += 40_000
                    life = Life(here.place, offset, number, after_commit=LONG)
                    kill = Kill(moved_from=before)
                case 1:
                    offset += 40_000
                    life = Life(here.place, offset, number, before_commit=LONG)
                    kill = Kill(after_seconds=AFTER_COMMIT)
                case _:
                    offset += luck.choice([1_000, 40_000, 40_000, 120_000, 120_000])
                    life = Life(here.place, offset, number)
                    kill = Kill(luck.randrange(CLIENTS // 2), luck.uniform(0, AFTER_COMMIT / 2))
            await live(here, clients, life, kill)
            after = await here.lineages()
            assert before.keys() == after.keys()
            seen.update({fate(client, before, after) for client in clients})
        offset += 40_000
        await live(here, clients, Life(here.place, offset, seed=0))
        generations = {session_id: lineage.generation for session_id, lineage in (await here.lineages()).items()}

    assert {OK: len(here.history)} == Counter(answer.outcome for answer in here.history)
    assert [] == list(violations(here.history, grace=GRACE))
    assert [] == lost_clients(here.history)
    assert {client.session_id: client.generation for client in clients} == generations
    assert kills // 3 <= min(seen[BEFORE], seen[BETWEEN])
    figures(kills=kills, kills_between_commit_and_answer=seen[BETWEEN], answers=len(here.history), sessions_lost=0)


def fate(client: Client, before: dict[str, Lineage], after: dict[str, Lineage]) -> str:
    """What a kill did to *client*."""
    moved = after[client.session_id] != before[client.session_id]
    return f"{'cut off' if client.cut_off else 'answered'}, {'moved on' if moved else 'as before'}"
