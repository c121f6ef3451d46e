"""A process that refreshes one token many times at once, when it is told to.

It reads two lines for every round: what to do, which it prepares and reports with an empty line, and the starting shot.
It answers with what each of its clients saw.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
from dataclasses import asdict
from typing import Any

from fastapi_session.clock import system_clock
from fastapi_session.config import SessionConfig
from fastapi_session.core import refresh_token
from fastapi_session.core.secret import Secret, SecretRing
from fastapi_session.errors import SessionError, StoreUnavailable
from fastapi_session.sessions import Sessions
from tests.reliability.history import OK, Answer


class OffsetClock:
    """The machine's clock, set forward by *offset* milliseconds: the same in every process that is told the same."""

    def __init__(self) -> None:
        self.offset = 0

    def __call__(self) -> int:
        return system_clock() + self.offset


async def answer(sessions: Sessions, client: str, token: str, ring: SecretRing) -> Answer:
    """Refresh *token*, and tell what came of it."""
    presented = refresh_token.read(token, ring)
    assert presented is not None
    began = sessions.now()
    seen: dict[str, Any] = {}
    try:
        issued = await sessions.refresh(token)
    except (SessionError, StoreUnavailable) as error:
        outcome = error.code
    else:
        outcome = OK
        seen = received(issued.tokens.refresh_token or "", ring)
    return Answer(
        client, presented.session_id, presented.generation, began=began, ended=sessions.now(), outcome=outcome, **seen
    )


def ring_of(config: SessionConfig) -> SecretRing:
    return SecretRing([Secret.from_material(material) for material in config.secrets])


def received(token: str, ring: SecretRing) -> dict[str, Any]:
    """What a history says of the refresh token *token*."""
    content = refresh_token.read(token, ring)
    assert content is not None
    digest = hashlib.sha256(token.encode()).hexdigest()
    return {"session": content.session_id, "generation": content.generation, "digest": digest}


async def race(sessions: Sessions, clock: OffsetClock, name: str) -> None:
    ring = ring_of(sessions.config)
    while line := await asyncio.to_thread(sys.stdin.readline):
        order = json.loads(line)
        clock.offset = order["offset"]
        shot = asyncio.Event()

        async def run(client: int, token: str, shot: asyncio.Event = shot) -> Answer:
            await shot.wait()
            return await answer(sessions, f"{name}-{client}", token, ring)

        running = [asyncio.create_task(run(client, order["token"])) for client in range(order["clients"])]
        say("")
        await asyncio.to_thread(sys.stdin.readline)
        shot.set()
        say(json.dumps([asdict(each) for each in await asyncio.gather(*running)]))
    await sessions.close()


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(name: str, options: str) -> None:
    clock = OffsetClock()
    sessions = Sessions(SessionConfig(**json.loads(options)), clock=clock)
    asyncio.run(race(sessions, clock, name))


if __name__ == "__main__":
    main(*sys.argv[1:])
