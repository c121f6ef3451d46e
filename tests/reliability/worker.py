"""A process of a deployment that does many things at once, when it is told to.

It is sent two things for every round: the tasks, which it prepares and confirms, and the starting shot.
It answers with what came of each task.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from fastapi_session.clock import system_clock
from fastapi_session.config import SessionConfig
from fastapi_session.core import refresh_token
from fastapi_session.core.binding.bound_keys import Possession
from fastapi_session.core.secret import Secret, Secrets
from fastapi_session.errors import SessionError, StoreUnavailable
from fastapi_session.insertion import Limit
from fastapi_session.sessions import Sessions
from fastapi_session.testing.records import new_session
from tests.conftest import Place
from tests.engines import engine
from tests.reliability.history import OK, Answer


class OffsetClock:
    """The machine's clock, set forward by *offset* milliseconds: the same in every process that is told the same."""

    def __init__(self) -> None:
        self.offset = 0

    def __call__(self) -> int:
        return system_clock() + self.offset


async def refresh(sessions: Sessions, client: str, *, token: str, possession: Possession | None = None) -> Answer:
    """Refresh *token*, with *possession* proved, and tell what came of it."""
    secrets = ring_of(sessions.config)
    presented = refresh_token.read(token, secrets)
    assert presented is not None
    began = sessions.now()
    seen: dict[str, Any] = {}
    try:
        issued = await sessions.refresh(token, possession=possession)
    except SessionError as error:
        outcome = error.code
    except StoreUnavailable as error:
        outcome = f"{error.code}: {error}"
    else:
        outcome = OK
        seen = {**received(issued.tokens.refresh_token or "", secrets), "access_token": issued.tokens.access_token}
    return Answer(
        client, presented.session_id, presented.generation, began=began, ended=sessions.now(), outcome=outcome, **seen
    )


async def go_on(sessions: Sessions, _client: str, *, token: str) -> tuple[str, str]:
    """Refresh *token*, which another system handed out, and tell what came of it, and of what the successor consists."""
    try:
        issued = await sessions.refresh(token)
    except (SessionError, StoreUnavailable) as error:
        return error.code, ""
    return OK, str(received(issued.tokens.refresh_token or "", ring_of(sessions.config))["digest"])


async def bind(sessions: Sessions, _client: str, *, session_id: str, bound_key: str) -> int:
    """Bind the session, and tell when that had returned."""
    assert await sessions.store.bind(session_id, bound_key)
    return sessions.now()


async def revoke(sessions: Sessions, _client: str, *, handle: str) -> tuple[str, str]:
    """End the session, and tell whether it was alive."""
    return "revoked" if await sessions.revoke(handle) else "not there", ""


def ring_of(config: SessionConfig) -> Secrets:
    return Secrets([Secret.from_material(material) for material in config.secrets])


def received(token: str, secrets: Secrets) -> dict[str, Any]:
    """What a history says of the refresh token *token*."""
    content = refresh_token.read(token, secrets)
    assert content is not None
    return {"session": content.session_id, "generation": content.generation, "digest": content.fingerprint.hex()}


async def merge(sessions: Sessions, client: str, *, handle: str) -> Mapping[str, Any]:
    """Lay a claim of this client's own over the session's."""
    began = sessions.now()
    done = await sessions.merge_into_access_token_payload(handle, {client: 1})
    return {"began": began, "done": done}


async def count(sessions: Sessions, _client: str, *, handle: str, times: int) -> int:
    """Add one to the session's counter, again and again, and answer how often that was done."""
    return sum([await sessions.change_session_data(handle, one_more) for _ in range(times)])


def one_more(data: Mapping[str, Any]) -> dict[str, Any]:
    return {"counter": data.get("counter", 0) + 1}


async def outlive(sessions: Sessions, _client: str, *, token: str) -> tuple[str, float]:
    """Verify the access token *token* until it is refused, and answer how and when that was (`time.monotonic`)."""
    while True:
        try:
            await sessions.verify(token)
        except SessionError as error:
            return error.code, time.monotonic()
        await asyncio.sleep(0.010)


async def outlast(sessions: Sessions, _client: str, *, token: str) -> tuple[str, float]:
    """Verify the access token *token* until it is refused. Tell how, and when the last verification that passed began."""
    passed = -math.inf
    while True:
        began = time.monotonic()
        try:
            await sessions.verify(token)
        except SessionError as error:
            return error.code, passed
        passed = began
        await asyncio.sleep(0.010)


@dataclass(frozen=True, slots=True)
class SignIn:
    """What became of a session that was to begin under a limit; moments are of `time.monotonic`, the same for all processes."""

    session_id: str
    group: tuple[str, str]
    outcome: str
    evicted: tuple[str, ...]
    began: float
    ended: float


async def sign_in(sessions: Sessions, client: str, *, user_id: str, group: tuple[str, str], limit: Limit) -> SignIn:
    """Let a session of the user begin, in the tenant and of the kind that *group* says."""
    tenant_id, kind = group
    record = new_session(f"{user_id} {client}", now=sessions.now(), user_id=user_id, tenant_id=tenant_id, kind=kind)
    began = time.monotonic()
    inserted = await sessions.store.insert(record, limit=limit)
    evicted = tuple(each.session_id for each in inserted.evicted)
    return SignIn(record.session_id, group, inserted.outcome, evicted, began, time.monotonic())


async def block(_sessions: Sessions, _client: str, *, seconds: float) -> None:
    """Hold up the loop, as an application does that waits in it: nothing else runs in this process meanwhile."""
    time.sleep(seconds)  # noqa: ASYNC251


VERBS: Mapping[str, Callable[..., Awaitable[Any]]] = {
    "refresh": refresh,
    "go_on": go_on,
    "bind": bind,
    "revoke": revoke,
    "merge": merge,
    "count": count,
    "sign_in": sign_in,
    "outlive": outlive,
    "outlast": outlast,
    "block": block,
}


@dataclass(frozen=True, slots=True)
class Task:
    """What one client does: the *verb*, *delay* seconds after the starting shot."""

    verb: str
    given: Mapping[str, Any]
    delay: float = 0


@dataclass(frozen=True, slots=True)
class Order:
    """What a worker does at once, and how far its clock is set forward (milliseconds)."""

    tasks: Sequence[Task]
    offset: int


async def work(sessions: Sessions, clock: OffsetClock, *, name: str, orders: Connection) -> None:
    await sessions.open()
    while (order := await asyncio.to_thread(received_order, orders)) is not None:
        clock.offset = order.offset
        shot = asyncio.Event()
        running = [
            asyncio.create_task(run(sessions, task, client=f"{name}-{number}", shot=shot))
            for number, task in enumerate(order.tasks)
        ]
        orders.send("ready")
        assert "go" == await asyncio.to_thread(orders.recv)
        shot.set()
        orders.send(await asyncio.gather(*running))
    await sessions.close()


async def run(sessions: Sessions, task: Task, *, client: str, shot: asyncio.Event) -> Any:
    await shot.wait()
    await asyncio.sleep(task.delay)
    return await VERBS[task.verb](sessions, client, **task.given)


def received_order(orders: Connection) -> Order | None:
    try:
        order: Order = orders.recv()
    except EOFError:
        return None
    return order


def serve(name: str, orders: Connection, place: Place, by_server: bool, options: Mapping[str, Any]) -> None:
    """Do as *orders* say until there are no more."""
    offset_clock = OffsetClock()
    clock = system_clock if by_server else offset_clock
    sessions = engine(clock, store=place.store(clock), **options)
    asyncio.run(work(sessions, offset_clock, name=name, orders=orders))
