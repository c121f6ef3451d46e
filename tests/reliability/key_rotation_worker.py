"""A process that signs in users by the dozen, and verifies the tokens of another such process until they expire.

Its clock runs many times faster than the machine's, in step with that of the others. Every fifth time it reads the signing
keys, the store fails it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastapi_session.clock import Clock
from fastapi_session.config import SessionConfig
from fastapi_session.core.access_token import AccessToken, ParsedAccessToken
from fastapi_session.errors import SessionError, StoreUnavailable
from fastapi_session.model import SigningKeyRecord
from fastapi_session.sessions import Sessions
from fastapi_session.stores.base import Store
from fastapi_session.stores.by_url import store_by_url

SIGN_EVERY = 0.02
VERIFY_EVERY = 0.01
AT_A_TIME = 20
"""Tokens that are verified in a row."""
FAILURES = 0.2
"""Which part of the readings of the signing keys fails."""


@dataclass(frozen=True)
class FastClock:
    """A clock that runs *times* faster than the machine's since *origin* (milliseconds), the same in every process."""

    origin: int
    times: int

    def __call__(self) -> int:
        return self.origin + (time.time_ns() // 1000 - self.origin * 1000) * self.times // 1000


class ForgetfulStore:
    """A store that fails at some of the readings of signing keys."""

    def __init__(self, store: Store, *, seed: int) -> None:
        self._store = store
        self._luck = random.Random(seed)
        self.failed = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def signing_keys(self) -> Sequence[SigningKeyRecord]:
        if self._luck.random() < FAILURES:
            self.failed += 1
            raise StoreUnavailable("the keys cannot be read just now")
        return await self._store.signing_keys()


class Worker:
    """Signs and verifies until it is told to end; what it saw it counts in *seen*, what must not be in *amiss*."""

    def __init__(self, sessions: Sessions, clock: Clock) -> None:
        self._sessions = sessions
        self._clock = clock
        self._others: list[ParsedAccessToken] = []
        self._ends = asyncio.Event()
        self.seen: Counter[str] = Counter()
        self.amiss: list[str] = []

    async def run(self) -> None:
        """Work until the end of the standard input."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._sign())
            tasks.create_task(self._verify())
            tasks.create_task(self._listen())

    async def _sign(self) -> None:
        while not self._ends.is_set():
            issued = await self._sessions.create("alice")
            say(issued.tokens.access_token)
            self.seen["signed"] += 1
            await asyncio.sleep(SIGN_EVERY)

    async def _listen(self) -> None:
        while line := await asyncio.to_thread(sys.stdin.readline):
            token = self._sessions.parse(line.strip())
            assert token is not None
            published = {key["kid"] for key in (await self._sessions.jwks())["keys"]}
            if token.kid not in published:
                self.amiss.append(f"{token.kid} signs and is not published")
            self._others.append(token)
        self._ends.set()

    async def _verify(self) -> None:
        while not self._ends.is_set():
            for _ in range(min(AT_A_TIME, len(self._others))):
                token = self._others.pop(0)
                if await self._is_alive(token):
                    self._others.append(token)
            await asyncio.sleep(VERIFY_EVERY)

    async def _is_alive(self, token: ParsedAccessToken) -> bool:
        """Verify *token*, and say whether it is worth another time."""
        self.seen["verified"] += 1
        try:
            await self._sessions.verify(token)
        except SessionError as error:
            if self._clock() < end_of(token.content):
                self.amiss.append(f"{token.kid} is refused: {error}")
            self.seen["expired"] += 1
            return False
        return True


def end_of(content: AccessToken) -> int:
    """When the token expires, in milliseconds."""
    return content.expires_at * 1000


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def opened(sessions: Sessions) -> None:
    """Open *sessions*, as often as it takes."""
    while True:
        try:
            return await sessions.open()
        except StoreUnavailable:
            await asyncio.sleep(0.01)


async def work(url: str, options: dict[str, Any], clock: Clock, *, seed: int) -> None:
    store: Any = ForgetfulStore(store_by_url(url, clock=clock), seed=seed)
    sessions = Sessions(SessionConfig(store=store, **options), clock=clock)
    await opened(sessions)
    worker = Worker(sessions, clock)
    await worker.run()
    await sessions.close()
    say(json.dumps({"amiss": worker.amiss, **worker.seen, "failed_readings": store.failed}))


def main(url: str, options: str, origin: str, times: str, seed: str) -> None:
    logging.getLogger("fastapi_session").setLevel(logging.CRITICAL)  # each failed reading has something to say
    asyncio.run(work(url, json.loads(options), FastClock(int(origin), int(times)), seed=int(seed)))


if __name__ == "__main__":
    main(*sys.argv[1:])
