"""Behind a connection pooler nobody is answered for another, and nothing is lost that nobody named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from sqlalchemy import make_url

from tests.conftest import Place
from tests.milliseconds import MINUTE
from tests.reliability.history import OK, Answer, lost_clients, violations
from tests.reliability.side_by_side import side_by_side
from tests.reliability.worker import Task
from tests.stores.sql.servers import pgbouncer, pgbouncer_program, started

SESSIONS = 40
TIMES = 3
"""How often each client counts in a round."""


@pytest.fixture(params=["transaction", "session"])
def mode(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(params=["asyncpg", "psycopg"])
def pooled(request: pytest.FixtureRequest, mode: str, postgresql_store_url: str) -> Iterator[Place]:
    """A store behind PgBouncer, by each driver."""
    if pgbouncer_program() is None:
        pytest.skip("PgBouncer is not installed")
    with started(partial(pgbouncer, before=postgresql_store_url, mode=mode)) as server:
        url = make_url(server.url).set(drivername=f"postgresql+{request.param}")
        yield Place("postgresql", url.render_as_string(hide_password=False))


async def test_many_clients_of_few_connections(
    pooled: Place, amount: Callable[..., int], figures: Callable[..., None]
) -> None:
    """R25: in three processes, each session is refreshed, counted in and read: every answer is its own, and none is missing."""
    rounds, history, counted = amount(2, full=100), list[Answer](), 0
    async with side_by_side(pooled) as processes:
        sessions = processes.sessions
        issued = [await sessions.create(f"user-{n}") for n in range(SESSIONS)]
        tokens = {each.access_token.session_handle: each.tokens.refresh_token or "" for each in issued}
        for _ in range(rounds):
            processes.clock.offset += MINUTE
            refreshing = [Task("refresh", {"token": token}) for token in tokens.values()]
            counting = [Task("count", {"handle": handle, "times": TIMES}) for handle in tokens]
            seen = await processes.do([*refreshing, *counting])
            history += [each for each in seen if isinstance(each, Answer)]
            counted += sum(each for each in seen if not isinstance(each, Answer))
            for n, (handle, token) in enumerate(tokens.items()):
                assert [handle] == [found.handle for found in await sessions.of_user(f"user-{n}")]
                successor = await sessions.refresh(token)  # within the grace period: the same again
                assert handle == successor.access_token.session_handle
                tokens[handle] = successor.tokens.refresh_token or ""
        kept = [await sessions.information(handle) for handle in tokens]
    figures(refreshes=len(history), counted=counted, sessions=len([each for each in kept if each is not None]))

    assert {OK: rounds * SESSIONS} == Counter(answer.outcome for answer in history)
    assert [] == list(violations(history, grace=30_000))
    assert [] == lost_clients(history)
    assert [f"user-{n}" for n in range(SESSIONS)] == [each.user_id for each in kept if each is not None]
    assert (
        rounds * SESSIONS * TIMES == counted == sum(each.session_data["counter"] for each in kept if each is not None)
    )
