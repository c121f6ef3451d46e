"""Sixty-four clients in two processes bring one token of another system at the same moment; and a process is killed in between."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from fastapi_session.clock import system_clock
from fastapi_session.errors import SessionError, TokenTheftError
from fastapi_session.sessions import Sessions
from tests.conftest import Place
from tests.engines import engine, stem
from tests.milliseconds import HOUR
from tests.old_core import OldCore, OldTokens, handle_of
from tests.reliability.history import OK, UNAUTHORISED
from tests.reliability.processes import PROCESSES
from tests.reliability.side_by_side import Processes, side_by_side
from tests.reliability.worker import Task

CLIENTS = 64


async def race(processes: Processes, token: str, *others: Task) -> list[tuple[str, str]]:
    """What became of the clients who brought *token* at once, and of the *others* at the same moment."""
    tasks = [Task("go_on", {"token": token})] * CLIENTS
    answers: list[tuple[str, str]] = await processes.do([*tasks[: CLIENTS // 2], *others, *tasks[CLIENTS // 2 :]])
    return answers


async def replayed(processes: Processes, token: str) -> SessionError:
    """Return why *token* is refused that comes again long after its successor was used."""
    issued = await processes.sessions.refresh(token)
    await processes.sessions.verify(issued.tokens.access_token)
    await processes.sessions._parts.background.finish()
    processes.clock.offset += HOUR
    with pytest.raises(SessionError) as refused:
        await processes.sessions.refresh(token)
    return refused.value


async def test_many_adoptions_at_once(place: Place, amount: Callable[..., int], figures: Callable[..., None]) -> None:
    """Round after round one row and one successor, whoever came first; a replay is theft; a revocation wins for good."""
    rounds, outcomes = amount(1, full=100), Counter[str]()
    core = OldCore(system_clock)
    racing, revoked = [[core.begin(f"{what} {number}") for number in range(rounds)] for what in ("race", "revoke")]
    async with side_by_side(place, moving_from=core) as processes:
        for number, tokens in enumerate(racing):
            answers = await race(processes, tokens.refresh)
            assert ({OK}, 1) == ({outcome for outcome, _ in answers}, len({digest for _, digest in answers}))
            assert 1 == len(await processes.sessions.of_user(f"race {number}"))
            assert isinstance(await replayed(processes, tokens.refresh), TokenTheftError)
        for number, tokens in enumerate(revoked):
            handle = handle_of(core.sessions[session_of(core, tokens)])
            answers = await race(processes, tokens.refresh, Task("revoke", {"handle": handle}))
            outcomes += Counter(outcome for outcome, _ in answers)
            assert 1 >= len({digest for outcome, digest in answers if outcome == OK})
            assert [] == await processes.sessions.of_user(f"revoke {number}")
            with pytest.raises(SessionError):
                await processes.sessions.refresh(tokens.refresh)

    assert rounds == outcomes["revoked"]
    assert {"revoked", OK, UNAUTHORISED} >= {*outcomes}
    figures(rounds=rounds, clients=CLIENTS, **{"beside a revocation": dict(outcomes)})


def session_of(core: OldCore, tokens: OldTokens) -> str:
    opened = core.read_refresh_token(tokens.refresh)
    assert opened is not None
    return opened.session_id


def die(place: Place, core: OldCore, token: str, moment: str) -> None:
    """Refresh *token* in a process that is killed: once the session was taken in, or once it was exchanged."""
    sessions = engine(system_clock, store=place.store(), moving_from=core)
    rotate = sessions.store.rotate

    async def killed(*given: Any, **more: Any) -> None:
        if moment == "exchanged":
            await rotate(*given, **more)
        os.kill(os.getpid(), signal.SIGKILL)

    vars(sessions.store)["rotate"] = killed
    asyncio.run(opened_and_refreshed(sessions, token))


async def opened_and_refreshed(sessions: Sessions, token: str) -> None:
    await sessions.open()
    await sessions.refresh(token)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no kill on this system")
async def test_a_process_is_killed_in_between(place: Place) -> None:
    """Whenever it dies, the client comes again with the same token and goes on, and it is one session that was announced once."""
    core = OldCore(system_clock)
    sessions = engine(system_clock, store=place.store(), moving_from=core, audit=True)
    await sessions.open()
    for moment in ("taken in", "exchanged"):
        tokens = core.begin(moment)
        process = PROCESSES.Process(target=die, args=(place, core, tokens.refresh, moment))
        process.start()
        await asyncio.to_thread(process.join, 60)
        assert -signal.SIGKILL == process.exitcode
        record = (await sessions.store.get(session_of(core, tokens))).record
        assert record is not None
        assert (moment == "taken in") is record.waits

        issued = [await sessions.refresh(tokens.refresh) for _ in range(2)]
        assert 1 == len({stem(each.tokens.refresh_token or "") for each in issued})
        assert 1 == len(await sessions.of_user(moment))
    await sessions.close()
