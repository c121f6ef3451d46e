"""WebSockets whose session ends: closed with a reason, without a line in the endpoint.

| what ends it | close code | reason |
|---|---|---|
| the session was revoked | 3000 | unauthorised |
| its access token has ended | 3000 | try refresh token |

3000 is "unauthorized" in IANA's registry of WebSocket close codes.
"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import Any

from starlette.types import Message, Receive, Send

from fastapi_session.web.exchange import Exchange
from fastapi_session.web.lasting import end_of_session
from fastapi_session.web.transport import SUBPROTOCOL

CLOSE_CODE = 3000


class GuardedSocket:
    """Stands between an application and one socket, and closes it when the session that opened it ends."""

    def __init__(self, exchange: Exchange, receive: Receive, send: Send) -> None:
        self._exchange = exchange
        self._receive = receive
        self._send = send
        self._stack = ExitStack()
        self._end: asyncio.Task[None] | None = None
        self._reason: str | None = None

    @property
    def has_ended(self) -> bool:
        """Say whether the session has ended, and the socket been closed for it."""
        return self._reason is not None

    async def send(self, message: Message) -> None:
        """Send what the application sends. After the end that fails as it does when a client has gone."""
        if self._reason is not None:
            raise OSError(f"the session has ended: {self._reason}")
        if message["type"] == "websocket.http.response.start" and not self._exchange.is_untouched:
            message = {**message, "headers": self._exchange.write(message.get("headers", ()))}
        if message["type"] == "websocket.accept":
            message = self._accepting(message)
        await self._send(message)

    async def receive(self) -> Message:
        """Receive what the client sends, or at the end that it has gone."""
        if self._end is None:
            return await self._receive()
        received: asyncio.Future[Any] = asyncio.ensure_future(self._receive())
        try:
            await asyncio.wait([received, self._end], return_when=asyncio.FIRST_COMPLETED)
            if received.done():
                message: Message = received.result()
                return message
        finally:
            received.cancel()
        return {"type": "websocket.disconnect", "code": CLOSE_CODE, "reason": self._reason}

    def stop(self) -> None:
        """Guard no longer: the application has finished."""
        self._stack.close()

    def _accepting(self, message: Message) -> Message:
        """Begin to guard. A browser that offered its token as a subprotocol wants one of its offers to be chosen."""
        if self._exchange.guarded is not None and self._end is None:
            self._end = asyncio.ensure_future(self._close_at_end())
            self._stack.callback(self._end.cancel)
        offered = self._exchange.credentials.offers_subprotocol
        if offered and not message.get("subprotocol"):
            return {**message, "subprotocol": SUBPROTOCOL}
        return message

    async def _close_at_end(self) -> None:
        guarded = self._exchange.guarded
        if guarded is None:
            return
        token, ended = guarded
        self._reason = await end_of_session(ended, sessions=self._exchange.sessions, token=token)
        await self._send({"type": "websocket.close", "code": CLOSE_CODE, "reason": self._reason})
