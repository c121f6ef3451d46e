"""What is kept of a bound session while its owner refreshes it, and a thief presents copies of all but the key: nothing by him (R28)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from fastapi_session.core.binding.bound_keys import Possession, device_key, dpop_key
from fastapi_session.errors import SessionError
from fastapi_session.events import DeviceMismatch, SessionEvent, TokenTheftDetected
from fastapi_session.sessions import Sessions
from fastapi_session.stores.base import Store
from fastapi_session.testing import HandClock
from tests.conftest import Place
from tests.engines import engine, refresh_token_of, stem
from tests.milliseconds import GRACE, MINUTE
from tests.reliability.history import OK, Answer, lost_clients, violations
from tests.reliability.side_by_side import side_by_side
from tests.reliability.worker import Task

SEED = 28
OWNERS = 10
LIVES = 6
UNPROVED = "KEY_NOT_PROVED"
CLIENTS = 64
OWN, OTHER = "o" * 43, "t" * 43
"""Thumbprints: of the owner's key, and of one that the thief has made."""

Standard = Callable[[str], str]
"""Writes the thumbprint of a key as it is kept."""

STANDARDS: tuple[Standard, ...] = (device_key, dpop_key)
by_each_standard = pytest.mark.parametrize("standard", STANDARDS, ids=["DBSC", "DPoP"])


@dataclass
class Owner:
    """Whose session it is: he has the key, and the thief every refresh token that he ever had."""

    session_id: str
    possession: Possession
    tokens: list[str] = field(default_factory=list)


async def begun(sessions: Sessions, standard: Standard, user: str) -> Owner:
    """Return the owner of a new session: a browser binds it after it has begun, any other client as it begins."""
    key = standard(OWN)
    is_browser = standard is device_key
    issued = await sessions.create(user, bound_key=None if is_browser else key)
    session_id = issued.access_token.session_id
    if is_browser:
        assert await sessions.store.bind(session_id, key)
    return Owner(session_id, Possession(key, session_id if is_browser else None), [refresh_token_of(issued)])


def without_the_key(owner: Owner, others: Sequence[Owner], standard: Standard) -> list[Possession | None]:
    """Return what a thief may prove: nothing, a key of his own, the right key by the other standard, and another session's credential."""
    [other_standard] = [each for each in STANDARDS if each is not standard]
    credentials = [replace(owner.possession, session_id=other.session_id) for other in others if other is not owner]
    return [None, Possession(standard(OTHER), owner.session_id), Possession(other_standard(OWN)), credentials[0]]


async def outcome(sessions: Sessions, token: str, possession: Possession | None) -> str:
    """Return what comes of presenting *token*: the next one, or the code of the error."""
    try:
        return refresh_token_of(await sessions.refresh(token, possession=possession))
    except SessionError as error:
        return error.code


async def goes_on(sessions: Sessions, owner: Owner) -> None:
    """Let *owner* refresh, who has never a reason to be refused."""
    owner.tokens.append(await outcome(sessions, owner.tokens[-1], owner.possession))
    assert UNPROVED != owner.tokens[-1]


class Heard:
    """Counts the events that an application hears of."""

    def __init__(self) -> None:
        self.kinds: Counter[type[SessionEvent]] = Counter()

    async def __call__(self, event: SessionEvent) -> None:
        self.kinds[type(event)] += 1


@by_each_standard
async def test_a_thief_changes_nothing(
    standard: Standard, store: Store, clock: HandClock, amount: Callable[..., int], figures: Callable[..., None]
) -> None:
    """R28: whatever token he presents, alone or beside the owner, no row has changed, and the application hears of each time."""
    luck, heard, tried = Random(SEED), Heard(), Counter[str]()
    sessions = Sessions(engine(clock, store=store).config, clock=clock, subscribers=[heard])
    moments = (0, 1, GRACE - 1, GRACE, GRACE + 1, 2 * GRACE, 60 * MINUTE, 24 * 60 * MINUTE)
    while sum(tried.values()) < amount(2_000, full=20_000):
        owners = [await begun(sessions, standard, f"user-{n}") for n in range(OWNERS)]
        for life in range(LIVES):
            clock.advance(timedelta(milliseconds=luck.choice(moments)))
            attempts = [
                (sessions, luck.choice(owner.tokens), proved)
                for owner in owners
                for proved in without_the_key(owner, owners, standard)
            ]
            luck.shuffle(attempts)
            before = [await store.get(owner.session_id) for owner in owners]
            tried.update(await asyncio.gather(*(outcome(*each) for each in attempts)))
            assert before == [await store.get(owner.session_id) for owner in owners]
            beside: list[Any] = [*(outcome(*each) for each in attempts), *(goes_on(sessions, each) for each in owners)]
            luck.shuffle(beside)
            tried.update(each for each in await asyncio.gather(*beside) if each is not None)
            assert [UNPROVED] == [*tried], life
        clock.advance(timedelta(milliseconds=GRACE))
        for owner in owners:
            await goes_on(sessions, owner)
    await sessions._parts.background.finish()

    assert {DeviceMismatch: tried[UNPROVED]} == {
        kind: times for kind, times in heard.kinds.items() if kind in {DeviceMismatch, TokenTheftDetected}
    }
    figures(refused=tried[UNPROVED], told=heard.kinds[DeviceMismatch], thefts=0)


@by_each_standard
async def test_a_race_against_the_owner(
    standard: Standard, place: Place, amount: Callable[..., int], figures: Callable[..., None]
) -> None:
    """R28: of 64 who present one token at once in two processes, half without the key, those who have it get the one successor."""
    history, seen, luck = list[Answer](), Counter[str](), Random(SEED)
    rounds = amount(3, full=200)
    async with side_by_side(place) as processes:
        owner = await begun(processes.sessions, standard, "alice")
        for number in range(rounds):
            processes.clock.offset += MINUTE
            token = owner.tokens[-1]
            keys = [owner.possession, owner.possession, None, Possession(standard(OTHER), owner.session_id)]
            given = [{"token": token, "possession": keys[n % len(keys)]} for n in range(CLIENTS)]
            luck.shuffle(given)  # so that some thief is the first, too
            answers: list[Answer] = await processes.do([Task("refresh", each) for each in given])
            history += answers
            seen.update(answer.outcome for answer in answers)
            assert {OK: CLIENTS // 2, UNPROVED: CLIENTS // 2} == Counter(answer.outcome for answer in answers)
            assert {(number, number + 1), (number, -1)} == {(each.presented, each.generation) for each in answers}
            await goes_on(processes.sessions, owner)

    served = [answer for answer in history if answer.outcome == OK]
    assert [] == list(violations(history, grace=GRACE))
    assert [] == lost_clients(served)
    assert rounds == len({answer.digest for answer in served})
    figures(rounds=rounds, **seen)


async def test_a_binding_locks_the_thief_out(
    place: Place, amount: Callable[..., int], figures: Callable[..., None]
) -> None:
    """R28: while a browser binds its session, a thief refreshes it 63 times: nothing that begins after the binding succeeds, and the owner goes on."""
    history, bound, seen = list[Answer](), dict[str, int](), Counter[str]()
    rounds, luck = amount(5, full=300), Random(SEED)
    async with side_by_side(place) as processes:
        for number in range(rounds):
            issued = await processes.sessions.create(f"user-{number}")
            token, session_id = refresh_token_of(issued), issued.access_token.session_id
            processes.clock.offset += MINUTE
            delay = luck.uniform(0, 0.05)
            binding = Task("bind", {"session_id": session_id, "bound_key": device_key(OWN)}, delay=delay / 2)
            thief = [Task("refresh", {"token": token}, delay=luck.uniform(0, delay)) for _ in range(CLIENTS - 1)]
            results: list[Any] = await processes.do([binding, *thief])
            answers = [each for each in results if isinstance(each, Answer)]
            [bound[session_id]] = [each for each in results if not isinstance(each, Answer)]
            history += answers
            seen.update(answer.outcome for answer in answers)
            owner = Owner(session_id, Possession(device_key(OWN), session_id), [token])
            await goes_on(processes.sessions, owner)
            processes.clock.offset += MINUTE
            assert UNPROVED == await outcome(processes.sessions, owner.tokens[-1], None)
            await goes_on(processes.sessions, owner)
            got = {answer.digest for answer in answers if answer.outcome == OK}
            assert len(got) <= 1

    assert [] == list(violations(history, grace=GRACE, revoked=bound))
    assert {OK, UNPROVED} >= seen.keys()
    assert seen[UNPROVED] > 0
    figures(rounds=rounds, **seen)


@by_each_standard
async def test_a_restart_forgets_no_key(standard: Standard, any_place: Place, clock: HandClock) -> None:
    """R28: what the store has kept is enough: an engine that has just begun refuses the thief, and serves the owner."""
    sessions = engine(clock, store=any_place.store(clock))
    owner = await begun(sessions, standard, "alice")
    for _ in range(3):
        clock.advance(timedelta(milliseconds=GRACE))
        if any_place.kind != "memory":
            await sessions.close()
            sessions = engine(clock, store=any_place.store(clock))
        assert [UNPROVED] * 4 == [
            await outcome(sessions, owner.tokens[-1], each)
            for each in without_the_key(owner, [replace(owner, session_id="0" * 32)], standard)
        ]
        await goes_on(sessions, owner)
    assert 4 == len({stem(token) for token in owner.tokens})
    await sessions.close()
