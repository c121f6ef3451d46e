"""How soon a socket closes after its session is revoked: from the request to a real server until the client reads the close.

    python -m benchmarks.revoke_to_close [sockets]

First all sockets of one user at once, by `revoke_all`; then one socket each of as many users, one sign-out after the other.
Server and clients are two processes of this machine, and the sessions are in SQLite.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Annotated

import httpx2
from fastapi import Depends, FastAPI, WebSocket
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError

from benchmarks.applications import SECRET
from benchmarks.serving import HOST, Served, folder, served
from fastapi_session import (
    CreateSession,
    Session,
    SessionConfig,
    Sessions,
    create_session,
    get_sessions,
    install,
    session_router,
    verify_session,
)

SOCKETS = 200
REVOKED = 3000

Verified = Annotated[Session, Depends(verify_session())]
Headers = dict[str, str]


def application(path: Path) -> FastAPI:
    """Build an application whose socket only waits."""
    app = FastAPI()
    store = f"sqlite:///{path / 'sessions.db'}"
    install(app, SessionConfig(store=store, secret=SECRET, api_domain="http://localhost"))
    app.include_router(session_router())

    @app.post("/login/{user_id}")
    async def login(user_id: str, create: Annotated[CreateSession, Depends(create_session())]) -> None:
        await create(user_id)

    @app.post("/sign-out-everywhere")
    async def everywhere(session: Verified, sessions: Annotated[Sessions, Depends(get_sessions())]) -> None:
        await sessions.revoke_all(session.user_id)

    @app.websocket("/socket")
    async def wait(websocket: WebSocket, _session: Verified) -> None:
        await websocket.accept()
        async for _ in websocket.iter_text():
            pass

    return app


async def opened(client: httpx2.AsyncClient, user_id: str) -> tuple[Headers, ClientConnection]:
    """Sign in and open a socket."""
    answer = await client.post(f"/login/{user_id}", headers={"st-auth-mode": "header"})
    headers = {"authorization": f"Bearer {answer.raise_for_status().headers['st-access-token']}"}
    url = f"ws://{client.base_url.host}:{client.base_url.port}/socket"
    return headers, await connect(url, additional_headers=headers, proxy=None)


async def closed(connection: ClientConnection) -> float:
    """Return when the close was read."""
    with suppress(ConnectionClosedError):
        await connection.recv()
    moment = time.perf_counter()
    assert connection.close_code == REVOKED
    return moment


async def all_at_once(client: httpx2.AsyncClient, sockets: int) -> list[float]:
    """Return how many seconds each socket of one user stayed open after the request that revokes all their sessions."""
    pairs = [await opened(client, "alice") for _ in range(sockets)]
    closes = [asyncio.ensure_future(closed(connection)) for _, connection in pairs]
    await asyncio.sleep(0)
    start = time.perf_counter()
    await client.post("/sign-out-everywhere", headers=pairs[0][0])
    return [moment - start for moment in await asyncio.gather(*closes)]


async def one_by_one(client: httpx2.AsyncClient, sockets: int) -> list[float]:
    """Return how many seconds each user's socket stayed open after the sign-out, with the others' still open."""
    pairs = [await opened(client, f"user-{number}") for number in range(sockets)]
    taken = []
    for headers, connection in pairs:
        close = asyncio.ensure_future(closed(connection))
        await asyncio.sleep(0)
        start = time.perf_counter()
        await client.post("/auth/signout", headers=headers)
        taken.append(await close - start)
    return taken


def row(name: str, seconds: list[float]) -> str:
    """Return a row of the table."""
    ordered = sorted(1000 * taken for taken in seconds)
    p50, p99 = statistics.median(ordered), statistics.quantiles(ordered, n=100, method="inclusive")[98]
    return f"{name:<24}{len(ordered):>8}{p50:>10.1f}{p99:>10.1f}{ordered[-1]:>10.1f}"


async def main(sockets: int, server: Served) -> None:
    """Measure both, and print the table."""
    async with httpx2.AsyncClient(base_url=f"http://{HOST}:{server.port}", trust_env=False, timeout=60) as client:
        rows = [
            row("revoke_all, one user", await all_at_once(client, sockets)),
            row("sign-out, one by one", await one_by_one(client, sockets)),
        ]
    print(f"{'milliseconds':<24}{'sockets':>8}{'p50':>10}{'p99':>10}{'max':>10}", *rows, sep="\n")


if __name__ == "__main__":
    with folder() as path, served(partial(application, path)) as server:
        asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else SOCKETS, server))
