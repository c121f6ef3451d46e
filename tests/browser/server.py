"""An app served over real HTTP, on a free port of its own, for as long as a test lasts."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.protocol import State

from example_app.certificate import Certificate
from tests.browser.waiting import until


@dataclass
class Server:
    """A served app, and what it has answered so far: lines such as `POST /auth/session/refresh 200`."""

    app: ASGIApp
    origin: str
    answers: list[str] = field(default_factory=list)
    refuses_sockets: bool = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket" and self.refuses_sockets:
            await send({"type": "websocket.close"})
            return

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.answers.append(f"{scope['method']} {scope['path']} {message['status']}")
            await send(message)

        await self.app(scope, receive, noting)

    @property
    def port(self) -> int:
        return int(self.origin.rpartition(":")[2])

    @property
    def refreshes(self) -> int:
        return self.answers.count("POST /auth/session/refresh 200")


class Prompt(uvicorn.Server):
    """A server that ends when it is told to, instead of asking ten times a second whether it was."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.told_to_end = Event()

    async def main_loop(self) -> None:
        await self.on_tick(0)
        await asyncio.to_thread(self.told_to_end.wait)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # uvicorn would say goodbye to a browser that is just doing so, and fail.
        for connection in self.server_state.connections:
            # And over TLS it would wait a second for browsers to say goodbye too.
            if self.config.is_ssl or (
                isinstance(connection, WebSocketsSansIOProtocol) and connection.conn.state is not State.OPEN
            ):
                connection.transport.abort()
        await asyncio.sleep(0)
        await super().shutdown(sockets)
        # uvicorn leaves open what a browser connected at the last moment, and what still waits for a response: not all of
        # that is among the connections that it knows, but all of it is a transport of this event loop.
        for transport in [*getattr(asyncio.get_running_loop(), "_transports", {}).values()]:
            transport.abort()
        await asyncio.sleep(0)


@contextmanager
def serve(
    build: Callable[[str], ASGIApp], *, host: str = "localhost", port: int = 0, certificate: Certificate | None = None
) -> Iterator[Server]:
    """Serve the app that *build* makes for its origin, on a *port* that nobody else has, or on that of a server that has ended.

    With a *certificate* it is served over https.
    """
    listener = socket.socket(proto=socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    origin = f"{'https' if certificate else 'http'}://{host}:{listener.getsockname()[1]}"
    served = Server(build(origin), origin)
    config = uvicorn.Config(
        served,
        log_level="error",
        timeout_graceful_shutdown=1,
        ssl_certfile=certificate.certificate if certificate else None,
        ssl_keyfile=certificate.key if certificate else None,
    )
    server = Prompt(config)
    thread = Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        until(lambda: server.started or not thread.is_alive())
        yield served
    finally:
        server.told_to_end.set()
        thread.join()
        listener.close()
