"""An application of sockets of every kind, and a real server that it runs on, in the event loop of the test."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Annotated, Any

import httpx2
import uvicorn
from fastapi import Depends, FastAPI, WebSocket, WebSocketDisconnect
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from fastapi_session import PrimitiveArrayClaim, Session, Sessions, install, session_router, verify_session
from fastapi_session.engine.tokens.issuing import IssuedSession
from fastapi_session.model import Json, Tokens
from tests.web.deployment import Verified, _login
from tests.wire import ACCESS_COOKIE

ROLES: dict[str, list[str]] = {"ada": ["admin"]}


async def _roles(user_id: str, _tenant_id: str, _payload: Json) -> list[str]:
    return ROLES.get(user_id, [])


Role = PrimitiveArrayClaim[str]("st-role", _roles)
Checked = Annotated[Session, Depends(verify_session(check_database=True))]
Admin = Annotated[Session, Depends(verify_session(Role.includes("admin")))]
Optional = Annotated[Session | None, Depends(verify_session(session_required=False))]


def handle(issued: IssuedSession) -> str:
    return issued.access_token.session_handle


def bearer(tokens: Tokens) -> dict[str, str]:
    """The headers of a client that keeps its tokens itself."""
    return {"authorization": f"Bearer {tokens.access_token}"}


def cookie(tokens: Tokens) -> dict[str, str]:
    """The headers of a browser."""
    return {"cookie": f"{ACCESS_COOKIE}={tokens.access_token}"}


def socket_app(sessions: Sessions) -> FastAPI:
    """An application whose sockets do what endpoints do."""
    app = FastAPI()
    install(app, sessions)
    app.include_router(session_router(sessions.config.api_base_path))
    app.post("/login")(_login)
    for path, endpoint in {
        "/echo": _echo,
        "/catching": _catching,
        "/sending": _sending,
        "/idle": _idle,
        "/both": _both,
        "/closing": _closing,
        "/checked": _checked,
        "/admin": _admin,
        "/optional": _optional,
        "/chat": _chat,
        "/roles": _roles_of_now,
    }.items():
        app.websocket(path)(endpoint)
    app.state.seen = []
    app.state.done = asyncio.Event()
    return app


async def _echo(websocket: WebSocket, session: Verified) -> None:
    """Receive and answer, and catch nothing."""
    await websocket.accept()
    while True:
        text = await websocket.receive_text()
        websocket.app.state.seen.append(text)
        await websocket.send_text(f"{session.user_id}: {text}")


async def _catching(websocket: WebSocket, session: Verified) -> None:
    """Receive until the client has gone, and say how."""
    await websocket.accept()
    try:
        while True:
            await websocket.receive_text()
    except WebSocketDisconnect as gone:
        websocket.app.state.seen.append((gone.code, gone.reason))


async def _sending(websocket: WebSocket, session: Verified) -> None:
    """Send and never receive, and catch nothing."""
    await websocket.accept()
    while True:
        await websocket.send_text("tick")
        await asyncio.sleep(0.005)


async def _idle(websocket: WebSocket, session: Verified) -> None:
    """Neither send nor receive."""
    await websocket.accept()
    await websocket.app.state.done.wait()


async def _both(websocket: WebSocket, session: Verified) -> None:
    """Receive in one task and send in another, and catch nothing."""
    await websocket.accept()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_pump(websocket))
        tasks.create_task(_tick(websocket))


async def _pump(websocket: WebSocket) -> None:
    while True:
        await websocket.receive_text()


async def _tick(websocket: WebSocket) -> None:
    while True:
        await websocket.send_text("tick")
        await asyncio.sleep(0.005)


async def _closing(websocket: WebSocket, session: Verified) -> None:
    """Close at the first message, and go on for a while."""
    await websocket.accept()
    await websocket.receive_text()
    await websocket.close(1000, "goodbye")
    await websocket.app.state.done.wait()


async def _checked(websocket: WebSocket, session: Checked) -> None:
    await _echo(websocket, session)


async def _admin(websocket: WebSocket, session: Admin) -> None:
    await _echo(websocket, session)


async def _optional(websocket: WebSocket, session: Optional) -> None:
    await websocket.accept()
    while True:
        text = await websocket.receive_text()
        await websocket.send_text(f"{session.user_id if session else 'nobody'}: {text}")


async def _roles_of_now(websocket: WebSocket, session: Verified) -> None:
    """Tell which roles the session has."""
    await websocket.accept()
    async for _ in websocket.iter_text():
        await websocket.send_text(str(session.get_claim_value(Role)))


async def _chat(websocket: WebSocket, session: Verified) -> None:
    await websocket.accept(subprotocol="chat")
    await websocket.receive_text()


@dataclass
class Served:
    """An application on a real server."""

    app: FastAPI
    sessions: Sessions
    port: int
    sockets: list[ClientConnection] = field(default_factory=list)

    async def connect(self, path: str, headers: Mapping[str, str] = {}, **options: Any) -> ClientConnection:
        """Open a socket, closed at the latest when the server ends."""
        url = f"ws://127.0.0.1:{self.port}{path}"
        opened = await connect(url, additional_headers=headers, proxy=None, **options)
        self.sockets.append(opened)
        return opened

    @property
    def waiting(self) -> int:
        """Of how many sessions somebody waits for the end."""
        return len(self.sessions._parts.listeners)

    def client(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", trust_env=False)


@asynccontextmanager
async def serving(app: FastAPI, sessions: Sessions) -> AsyncIterator[Served]:
    """Serve *app*, and prove in the end that it left nothing behind: no task, and nobody who waits for a session."""
    with socket.socket(proto=socket.IPPROTO_TCP) as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=5))
        running = asyncio.ensure_future(server.serve(sockets=[listening]))
        await until(lambda: server.started)
        served = Served(app, sessions, listening.getsockname()[1])
        try:
            yield served
            await _left(served)
        finally:
            app.state.done.set()
            server.should_exit = True
            await running


async def _left(served: Served) -> None:
    """Close what is open, and wait until the application has noticed."""
    served.app.state.done.set()
    for each in served.sockets:
        await each.close()
    await until(lambda: not served.waiting and not _endpoints())


def _endpoints() -> list[str]:
    """The tasks that serve or guard a socket or a stream."""
    names = [getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks()]
    return [name for name in names if name.split(".")[-1] in {"run_asgi", "_watch", "watch"}]


async def until(condition: Callable[[], object]) -> None:
    """Return as soon as *condition* holds, which tells nobody when it does."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def closed(connection: ClientConnection) -> tuple[int, str]:
    """Receive until the server closes, and answer its code and reason."""
    with suppress(ConnectionClosed):
        async with asyncio.timeout(10):
            while True:
                await connection.recv()
    assert connection.close_code is not None
    return connection.close_code, connection.close_reason or ""
