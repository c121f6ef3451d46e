"""WebSockets are closed with a reason when their session ends, without a line in the endpoint.

| what ends it | close code | reason |
|---|---|---|
| the session was revoked | 3000 | unauthorised |
| another session took its place | 3000 | try refresh token |
| its access token has expired | 3000 | try refresh token |
| its claims were changed, and the validators refuse the new ones | 3000 | invalid claim |
| a `SessionError` that the endpoint raised | 3000 | the error's `message` |
| the store is down or too slow, and the feed fails closed or the endpoint needed it | 1013 | the session store is unavailable |
| any other error of ours | 1011 | |

In IANA's registry of WebSocket close codes 3000 is "unauthorized", 1013 "try again later" and 1011 "internal error". Once
the session has ended, nothing that the client sends reaches the application: to it the client has disconnected.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import TypeVar

from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from fastapi_session.errors import SessionError, StoreUnavailable
from fastapi_session.model import Json
from fastapi_session.web.error_responses import STORE_UNAVAILABLE
from fastapi_session.web.exchange import Exchange
from fastapi_session.web.session import Session
from fastapi_session.web.session_watch import SessionOver, SessionWatch, before
from fastapi_session.web.transport import SUBPROTOCOL

CLOSE_CODE = 3000
TRY_AGAIN_LATER = 1013
INTERNAL_ERROR = 1011

LONGEST_CLOSE = 5.0
"""Seconds to wait for a client that reads nothing, before its socket is closed without a reason."""

RESPONSES = ("websocket.accept", "websocket.http.response.start")
"""The messages that have headers."""

T = TypeVar("T")

Token = tuple[str, datetime]
"""Which access token a session is of: its handle, and when it expires."""


def close_of(error: Exception) -> tuple[int, str]:
    """Return the close code and the reason for *error*, as the table says."""
    if isinstance(error, SessionError):
        return CLOSE_CODE, error.message
    if isinstance(error, StoreUnavailable):
        return TRY_AGAIN_LATER, STORE_UNAVAILABLE
    return INTERNAL_ERROR, ""


class GuardedSocket:
    """Wraps one socket for an application, and closes it when the session that opened it ends."""

    def __init__(self, exchange: Exchange, scope: Scope, receive: Receive, send: Send) -> None:
        self._exchange = exchange
        self._scope = scope
        self._receive = receive
        self._send = send
        self._is_open = False
        self._sessions: dict[Token, list[Session]] = {}
        self._arrived: deque[Message] = deque()
        self._watches: dict[Token, SessionWatch] = {}
        self._end: asyncio.Future[Exception] | None = None
        self._watching: list[asyncio.Task[None]] = []
        self._closing: asyncio.Task[None] | None = None

    @property
    def has_ended(self) -> bool:
        """Say whether the session has ended, and the socket is closed for it."""
        return self._end is not None and self._end.done()

    def explains(self, error: BaseException) -> bool:
        """Say whether *error* is only what the end of the session raises in an endpoint that does not catch it."""
        if isinstance(error, BaseExceptionGroup):
            return all(self.explains(each) for each in error.exceptions)
        return self.has_ended and isinstance(error, WebSocketDisconnect)

    def add(self, session: Session) -> None:
        """Guard *session* too. All sessions of one token end together, each with its own validators."""
        # Usually that is the token of the handshake; another one may come in a message.
        self._sessions.setdefault((session.handle, session.expires_at), []).append(session)
        self._guard()

    async def send(self, message: Message) -> None:
        """Send what the application sends. After the end of the session, raise `OSError`, as for a client that has gone."""
        if message["type"] in RESPONSES:
            self._exchange.has_started = True
            message = self._exchange.write(message, self._scope)
        if message["type"] == "websocket.close":
            self.stop()
        if message["type"] == "websocket.accept":
            message = self._accepting(message)
        try:
            if message["type"] == "websocket.send":
                await self._ensure()
            await self._before_end(partial(self._send, message))
        except SessionOver:
            _, reason = await self._closed()
            raise OSError(f"the session has ended: {reason}") from None
        if message["type"] == "websocket.accept":
            self._is_open = True
            self._guard()

    async def receive(self) -> Message:
        """Receive what the client sends; at the end of the session, that it has disconnected."""
        try:
            while True:
                if not self._arrived:
                    self._arrived.append(await self._before_end(self._receive))
                if self._arrived[0]["type"] == "websocket.disconnect":
                    self.stop()
                # Who is cancelled while waiting here leaves what has arrived to the next call: no message is lost.
                await self._ensure()
                if self._arrived:
                    return self._arrived.popleft()
        except SessionOver:
            code, reason = await self._closed()
            return {"type": "websocket.disconnect", "code": code, "reason": reason}

    def stop(self) -> None:
        """Stop guarding: the socket is closed, or the application has finished."""
        self._is_open = False
        for each in self._watching:
            each.cancel()
        if not self.has_ended:
            self._watches = {}
        if self._closing is not None and not self.has_ended:
            self._closing.cancel()

    def _accepting(self, message: Message) -> Message:
        """Return *message* with our subprotocol chosen, if the client offered it and the application chose none."""
        # A browser that offered its token as a subprotocol closes the socket if none of its offers is chosen.
        if SUBPROTOCOL in self._scope.get("subprotocols", ()) and not message.get("subprotocol"):
            return {**message, "subprotocol": SUBPROTOCOL}
        return message

    async def _before_end(self, step: Callable[[], Awaitable[T]]) -> T:
        self._guard()
        return await (step() if self._end is None else before(self._end, step))

    def _guard(self) -> None:
        """Begin to guard once the socket is open and its session is known, whichever comes last."""
        if not self._is_open or len(self._watches) == len(self._sessions):
            return
        if self._end is None:
            self._end = asyncio.get_running_loop().create_future()
            self._closing = asyncio.ensure_future(self._close_at(self._end))
        for token in self._sessions.keys() - self._watches.keys():
            watch = self._watches[token] = self._sessions[token][0]._watch(partial(self._ask, token))
            self._watching.append(asyncio.ensure_future(_end_with(watch, self._end)))

    async def _ask(self, token: Token, claims: Json) -> None:
        for session in tuple(self._sessions[token]):
            await session._go_on_with(claims)

    async def _ensure(self) -> None:
        """Raise `SessionOver` if a session has ended, even if `_end_with` has not noticed yet."""
        for watch in tuple(self._watches.values()):
            await watch.ensure()

    async def _close_at(self, end: asyncio.Future[Exception]) -> None:
        await asyncio.wait([end])
        code, reason = close_of(end.result())
        with suppress(OSError):  # the client has gone, or (TimeoutError) reads nothing
            async with asyncio.timeout(LONGEST_CLOSE):
                await self._send({"type": "websocket.close", "code": code, "reason": reason})

    async def _closed(self) -> tuple[int, str]:
        """Wait until the socket has been closed, and return its close code and the reason."""
        # Wait, since servers close a socket with a code of their own once the application has finished.
        assert self._end is not None
        assert self._closing is not None
        await asyncio.wait([self._closing])
        return close_of(self._end.result())


async def _end_with(watch: SessionWatch, end: asyncio.Future[Exception]) -> None:
    """Wait until the session of *watch* is over, and let the socket end with it, unless it has with another one."""
    error = await watch.until_over()
    if not end.done():
        end.set_result(error)
