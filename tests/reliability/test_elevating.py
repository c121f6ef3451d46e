"""An elevation while calls and refreshes of the session are in flight: by the client for programs, in header mode, in one process."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import Annotated

import httpx
from fastapi import Depends, FastAPI

from fastapi_session import (
    Authentication,
    Factor,
    Session,
    SessionElevated,
    SessionEvent,
    Sessions,
    install,
    session_router,
    verify_session,
)
from fastapi_session.client.held import SessionTokens
from fastapi_session.client.httpx import SessionAuth
from tests.conftest import Amount, Figures, Place
from tests.engines import ORIGIN, config, refresh_token_of
from tests.wire import AUTH_MODE, REFRESH_PATH

CALLS, REFRESHES = 10, 3


def application(sessions: Sessions) -> FastAPI:
    app = FastAPI()
    install(app, sessions)
    app.include_router(session_router())

    @app.get("/me")
    async def me(session: Annotated[Session, Depends(verify_session(check_database=True))]) -> str:
        return session.user_id

    @app.post("/sudo")
    async def sudo(session: Annotated[Session, Depends(verify_session())]) -> None:
        await session.elevate("otp")

    @app.get("/vault")
    async def vault(_: Annotated[Session, Depends(verify_session(Factor("otp")))]) -> None: ...

    return app


async def soon() -> None:
    """Let others go first, or not."""
    for _ in range(random.randrange(20)):
        await asyncio.sleep(0)


async def call(client: httpx.AsyncClient, method: str, path: str, told: Counter[int]) -> httpx.Response:
    """Call *path*, and again if that is said, as a client does that reads `Retry-After`."""
    await soon()
    while (response := await client.request(method, path)).status_code == 503:
        told[503] += 1
        await asyncio.sleep(0.01)
    return response


async def refresh(plain: httpx.AsyncClient, token: str) -> int:
    """Refresh behind the client's back, as a second program does that has the same tokens."""
    await soon()
    headers = {AUTH_MODE: "header", "authorization": f"Bearer {token}"}
    return (await plain.post(REFRESH_PATH, headers=headers)).status_code


async def test_nothing_in_flight_is_lost(place: Place, amount: Amount, figures: Figures) -> None:
    """Each call succeeds in the end, the client has the elevated session, and nobody is taken for a thief."""
    rounds, told, heard = amount(5, full=200), Counter[int](), Counter[type[SessionEvent]]()

    async def listen(event: SessionEvent) -> None:
        heard[type(event)] += 1

    sessions = Sessions(config(store=place.store()), subscribers=[listen])
    await sessions.open()
    transport = httpx.ASGITransport(application(sessions))
    for _ in range(rounds):
        begun = await sessions.create("ada", authentication=Authentication("pwd"))
        tokens = SessionTokens(begun.tokens.access_token, refresh_token_of(begun))
        plain = httpx.AsyncClient(transport=transport, base_url=ORIGIN)
        client = httpx.AsyncClient(transport=transport, base_url=ORIGIN, auth=SessionAuth(ORIGIN, tokens=tokens))
        async with plain, client:
            responses, refreshes, elevation = await asyncio.gather(
                asyncio.gather(*(call(client, "GET", "/me", told) for _ in range(CALLS))),
                asyncio.gather(*(refresh(plain, tokens.refresh_token) for _ in range(REFRESHES))),
                call(client, "POST", "/sudo", told),
            )
            assert 200 == (await client.get("/vault")).status_code
        assert [200] * (CALLS + 1) == [each.status_code for each in (*responses, elevation)]
        assert {200, 503} >= {*refreshes}
        told.update(refreshes)
    await sessions.close()
    assert {"SessionCreated", "SessionElevated", "SessionRefreshed"} >= {kind.__name__ for kind in heard}
    assert rounds == heard[SessionElevated]
    figures(rounds=rounds, calls=CALLS * rounds, lost=0, refreshed=told[200], told_to_come_again=told[503], alarms=0)
