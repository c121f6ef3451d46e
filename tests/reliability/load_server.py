"""Servers under load: real ones, in processes of their own that share a listening socket and a store."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Annotated, Any

import uvicorn
from fastapi import Depends, FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from fastapi_session import (
    CreateSession,
    Session,
    SessionConfig,
    Sessions,
    create_session,
    install,
    session_router,
    verify_session,
)
from fastapi_session.stores.redis import RedisStore
from fastapi_session.stores.sql import SqlStore
from tests.reliability.processes import PROCESSES

SECRET = "the secret that all servers under load share"
PROMPTLY = 20
"""Seconds within which a server that was told to end has ended."""
IDLE = 600
"""Seconds after which a server hangs up on a client that says nothing: none does so before the test is over."""

HERE = Path("/proc/self/fd")


@dataclass(frozen=True)
class Service:
    """What servers are told: where the store is, how sessions differ from the default, what happens to deserted requests."""

    store: str
    options: Mapping[str, Any] = field(default_factory=dict)
    cancels_deserted: bool = False


class DesertedRequests:
    """Cancels what serves a request as soon as its client has gone, wherever it is just then."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        serving = asyncio.ensure_future(self._app(scope, receive, send))
        gone = asyncio.ensure_future(_is_gone(receive))
        await asyncio.wait({serving, gone}, return_when=asyncio.FIRST_COMPLETED)
        gone.cancel()
        if not serving.done():
            scope["app"].state.deserted += 1
            serving.cancel()
        with suppress(asyncio.CancelledError):
            await serving


async def _is_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def application(service: Service) -> FastAPI:
    """An application with a route that needs no store, one that does, and one that tells how the process is."""
    app = FastAPI()
    app.state.deserted = 0
    sessions = install(app, SessionConfig(store=service.store, secret=SECRET, **service.options))
    if service.cancels_deserted:
        app.add_middleware(DesertedRequests)
    app.include_router(session_router())

    @app.post("/login")
    async def login(user_id: str, create: Annotated[CreateSession, Depends(create_session())]) -> None:
        await create(user_id)

    @app.get("/me")
    async def me(session: Annotated[Session, Depends(verify_session())]) -> dict[str, str]:
        return {"user_id": session.user_id, "handle": session.handle}

    @app.get("/checked")
    async def checked(session: Annotated[Session, Depends(verify_session(check_database=True))]) -> dict[str, str]:
        return {"user_id": session.user_id, "handle": session.handle}

    @app.get("/condition")
    async def condition() -> dict[str, int]:
        in_use = connections_in_use(sessions)
        return {"deserted": app.state.deserted, "sockets": open_sockets(), "in_use": in_use}

    return app


def open_sockets() -> int:
    """How many sockets this process has open."""
    return sum(str(each.readlink()).startswith("socket:") for each in HERE.iterdir() if each.is_symlink())


def connections_in_use(sessions: Sessions) -> int:
    """How many connections to the store are out of their pool at this moment."""
    match sessions.store:
        case SqlStore() as store:
            pool: Any = store._engine.ways().together.pool
            return int(pool.checkedout())
        case RedisStore() as store:
            client: Any = store._calls._client()
            return len(client.connection_pool._in_use_connections)
    return 0


def serve(listener: socket.socket, service: Service) -> None:
    """Serve until the process is told to end."""
    logging.getLogger("fastapi_session").setLevel(logging.CRITICAL)  # of an outage, each request has something to say
    options: dict[str, Any] = {"log_config": None, "access_log": False, "ws": "none", "http": "h11"}
    config = uvicorn.Config(application(service), timeout_keep_alive=IDLE, **options)
    uvicorn.Server(config).run(sockets=[listener])


@dataclass(frozen=True)
class Served:
    """The port at which servers answer, and the numbers of their processes."""

    port: int
    pids: list[int]


@asynccontextmanager
async def serving(service: Service, *, processes: int) -> AsyncIterator[Served]:
    """Servers for as long as the context lasts; in the end each has to close what it holds promptly."""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        started = [PROCESSES.Process(target=serve, args=(listener, service), daemon=True) for _ in range(processes)]
        for process in started:
            process.start()
        port = listener.getsockname()[1]
    try:
        yield Served(port, [process.pid for process in started if process.pid is not None])
        await asyncio.to_thread(end, started)
    finally:
        for process in started:
            process.kill()
            process.join()
            process.close()


def end(processes: Sequence[BaseProcess]) -> None:
    """Tell all *processes* to end, and wait until they have."""
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(PROMPTLY)
    assert None not in {process.exitcode for process in processes}, "a server did not end"
