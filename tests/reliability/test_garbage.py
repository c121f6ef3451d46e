"""Garbage cannot harm: of all that is no refresh token of ours, nothing is accepted and the store is never asked (R3)."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from statistics import quantiles
from typing import Any

import pytest

from fastapi_session.core import base64url
from fastapi_session.errors import UnauthorisedError
from fastapi_session.sessions import Sessions
from fastapi_session.stores.memory import MemoryStore
from fastapi_session.testing import HandClock
from tests.engines import NEW_SECRET, SECRET, WRONG_SECRET, created, engine, refreshed
from tests.moments import GRACE

SEED = 3
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
KID = slice(1, 2)
SESSION_ID = slice(2, 18)
GENERATION = slice(18, 22)
MAC = slice(86, 102)


class AskedStore(MemoryStore):
    """Counts every question."""

    def __init__(self, clock: HandClock) -> None:
        super().__init__(clock=clock)
        self.asked: Counter[str] = Counter()

    def __getattribute__(self, name: str) -> Any:
        if name in STORE_METHODS:
            self.asked[name] += 1
        return super().__getattribute__(name)


STORE_METHODS = frozenset(name for name in vars(MemoryStore) if not name.startswith("_"))


def flipped(token: str, _other: str, luck: random.Random) -> str:
    """One to three bits are others."""
    data = bytearray(bytes_of(token))
    for bit in luck.sample(range(8 * len(data)), luck.randrange(1, 4)):
        data[bit // 8] ^= 1 << bit % 8
    return base64url.encode(bytes(data))


def retyped(token: str, _other: str, luck: random.Random) -> str:
    """One character is another."""
    place = luck.randrange(len(token))
    return token[:place] + luck.choice(ALPHABET.replace(token[place], "")) + token[place + 1 :]


def truncated(token: str, _other: str, luck: random.Random) -> str:
    return token[: luck.randrange(len(token))]


def prolonged(token: str, other: str, luck: random.Random) -> str:
    return token + other[: luck.randrange(1, len(other))]


def of_another_session(token: str, other: str, _luck: random.Random) -> str:
    """The session, and with it the tenant, is another one that is there."""
    return with_bytes(token, SESSION_ID, bytes_of(other)[SESSION_ID])


def of_no_session(token: str, _other: str, luck: random.Random) -> str:
    return with_bytes(token, SESSION_ID, luck.randbytes(16))


def of_another_secret(token: str, other: str, luck: random.Random) -> str:
    """It says that another secret made it: the other one of the deployment, or any."""
    kids = [bytes_of(other)[1], luck.randrange(256)]
    return with_bytes(token, KID, bytes([luck.choice(kids)]))


def of_another_generation(token: str, _other: str, luck: random.Random) -> str:
    return with_bytes(token, GENERATION, luck.randrange(1, 2**32).to_bytes(4, "big"))


def with_the_mac_of_another(token: str, other: str, _luck: random.Random) -> str:
    return with_bytes(token, MAC, bytes_of(other)[MAC])


def random_text(_token: str, _other: str, luck: random.Random) -> str:
    return "".join(luck.choices(ALPHABET, k=148))


def strange_text(_token: str, _other: str, luck: random.Random) -> str:
    return "".join(luck.choices("\0 .=%ü€😀\udc80", k=luck.randrange(200)))


MUTATIONS: Sequence[Callable[[str, str, random.Random], str]] = (
    flipped,
    retyped,
    truncated,
    prolonged,
    of_another_session,
    of_no_session,
    of_another_secret,
    of_another_generation,
    with_the_mac_of_another,
    random_text,
    strange_text,
)


def bytes_of(token: str) -> bytes:
    data = base64url.decode(token)
    assert data is not None
    return data


def with_bytes(token: str, place: slice, replacement: bytes) -> str:
    data = bytearray(bytes_of(token))
    data[place] = replacement
    return base64url.encode(bytes(data))


def mutants(genuine: Sequence[str], foreign: Sequence[str], count: int) -> Iterator[str]:
    """So many texts that are like the *genuine* tokens, but none of them; now and then one of another deployment."""
    luck, known = random.Random(SEED), set(genuine)
    while count:
        token, other = luck.sample(genuine, 2)
        text = luck.choice(MUTATIONS)(token, other, luck) if luck.randrange(20) else luck.choice(foreign)
        if text not in known:
            count -= 1
            yield text


async def tokens_of(sessions: Sessions, clock: HandClock) -> list[str]:
    """The newest refresh tokens of sessions of two tenants, which have come some generations far."""
    tokens = [(await created(sessions, tenant_id=f"tenant-{number % 2}"))[1] for number in range(20)]
    for number in range(10):
        clock.advance(2 * GRACE)
        tokens[number:] = [await refreshed(sessions, token) for token in tokens[number:]]
    return tokens


async def test_garbage_is_refused(clock: HandClock, amount: Callable[..., int], figures: Callable[..., None]) -> None:
    """R3: whatever was done to a token, it is refused without a question to the store, and its session is none the worse."""
    store = AskedStore(clock)
    before, now = engine(clock, store=store), engine(clock, store=store, secret=[NEW_SECRET, SECRET])
    elsewhere = engine(clock, store=MemoryStore(clock=clock), secret=WRONG_SECRET)
    genuine = [*await tokens_of(before, clock), *await tokens_of(now, clock)]
    foreign = await tokens_of(elsewhere, clock)
    await now.close()
    assert len(genuine) == store.asked["insert"]
    store.asked.clear()
    durations = []
    for text in mutants(genuine, foreign, count := amount(15_000, full=1_000_000)):
        began = time.perf_counter_ns()
        with pytest.raises(UnauthorisedError, match="BAD_TOKEN"):
            await now.refresh(text)
        durations.append(time.perf_counter_ns() - began)

    assert Counter() == store.asked
    clock.advance(2 * GRACE)
    assert len(genuine) == len({await refreshed(now, token) for token in genuine})
    for each in (before, now, elsewhere):
        await each.close()
    p50, p99 = (quantiles(durations, n=100)[at] / 1000 for at in (49, 98))
    figures(refused=count, accepted=0, questions_to_the_store=0, p50=f"{p50:.0f} µs", p99=f"{p99:.0f} µs")
