"""Revocation is final, whatever else happens to the session at the same time (R6)."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

from fastapi_session.errors import SessionError
from fastapi_session.sessions import Sessions
from fastapi_session.testing import HandClock
from tests.conftest import Place
from tests.engines import created, refreshed
from tests.moments import GRACE, MILLISECOND, MINUTE
from tests.reliability.history import OK, UNAUTHORISED, Answer, violations
from tests.reliability.side_by_side import WORKERS, side_by_side
from tests.reliability.worker import Task

SEED = 5
SPREAD = 0.060
"""Seconds within which all begin who race a revocation."""


async def outcome(sessions: Sessions, token: str) -> str:
    try:
        return await refreshed(sessions, token)
    except SessionError as error:
        return error.code


async def test_revocation_is_final(
    sessions: Sessions, clock: HandClock, amount: Callable[..., int], figures: Callable[..., None]
) -> None:
    """Against a hundred refreshes and a hundred changes at once: after revoking returned nothing succeeds, no row comes back."""
    luck = random.Random(SEED)
    seen: Counter[str] = Counter()
    for _ in range(amount(5, full=100)):
        handle, token = await created(sessions)
        clock.advance(luck.choice([GRACE / 2, GRACE, 2 * GRACE]))
        refreshing = [outcome(sessions, token) for _ in range(100)]
        changing: list[Any] = [
            sessions.merge_into_access_token_payload(handle, {f"c{number}": 1}) for number in range(50)
        ] + [sessions.update_session_data(handle, {"last": number}) for number in range(50)]
        running = [asyncio.ensure_future(each) for each in [*refreshing, *changing]]
        for _ in range(luck.randrange(10)):
            await asyncio.sleep(0)
        assert await sessions.revoke(handle)
        late = [await outcome(sessions, token), await sessions.update_session_data(handle, {})]
        answers = await asyncio.gather(*running)
        handed_out = {answer for answer in answers if isinstance(answer, str)} - {UNAUTHORISED}

        assert [UNAUTHORISED, False] == late
        assert {UNAUTHORISED} >= {await outcome(sessions, answer) for answer in handed_out}
        assert (await sessions.store.get(handle)).record is None
        seen.update("refused" if answer in (UNAUTHORISED, False) else "in_time" for answer in answers)
    figures(**seen, after_revocation=0, resurrected=0)


async def has_changed(sessions: Sessions, handle: str) -> None:
    """Return once the session was both refreshed and changed, by whomever."""
    while True:
        record = (await sessions.store.get(handle)).record
        assert record is not None
        if record.lineage.generation and record.version:
            return


async def test_a_revocation_is_final_in_every_process(
    place: Place, amount: Callable[..., int], figures: Callable[..., None]
) -> None:
    """R6: revoked while two other processes refresh and change: who begins after it returned gets nothing, no row comes back.

    In each second round it is revoked after they have begun to succeed; in the others, whenever it happens to be.
    """
    luck = random.Random(SEED)
    history: list[Answer] = []
    revoked: dict[str, int] = {}
    changes: list[bool] = []
    rounds = amount(5, full=500)
    async with side_by_side(place) as processes:
        sessions = processes.sessions
        for number in range(rounds):
            handle, token = await created(sessions)
            processes.clock.offset += MINUTE // MILLISECOND
            tasks = [Task("refresh", {"token": token}, luck.uniform(0, SPREAD)) for _ in range(100)]
            tasks += [Task("merge", {"handle": handle}, luck.uniform(0, SPREAD)) for _ in range(100)]
            luck.shuffle(tasks)
            processes.begin(tasks)
            if number % 2 == 0:
                await has_changed(sessions, handle)
            await asyncio.sleep(luck.uniform(0, SPREAD))
            assert await sessions.revoke(handle)
            revoked[handle] = sessions.now()
            results = await asyncio.to_thread(processes.results)
            results += await processes.do(
                [Task("refresh", {"token": token}), Task("merge", {"handle": handle})] * WORKERS
            )
            history += (result for result in results if isinstance(result, Answer))
            merges = [result for result in results if not isinstance(result, Answer)]
            changes += (merge["done"] for merge in merges)
            assert not [merge for merge in merges if merge["done"] and merge["began"] > revoked[handle]]
            assert await sessions.information(handle) is None
            assert UNAUTHORISED == await outcome(sessions, token)
        rows = {record.session_id for record in await sessions.store.sessions_of("alice")}

    assert [] == list(violations(history, grace=GRACE // MILLISECOND, revoked=revoked))
    assert set() == rows
    outcomes = Counter(answer.outcome for answer in history)
    assert {OK, UNAUTHORISED} == outcomes.keys()
    assert {True, False} == set(changes)
    figures(
        rounds=len(revoked),
        refreshes_in_time=outcomes[OK],
        refreshes_refused=outcomes[UNAUTHORISED],
        changes_in_time=sum(changes),
        changes_refused=len(changes) - sum(changes),
        successes_after_revocation=0,
        resurrected=0,
    )
