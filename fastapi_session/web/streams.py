"""Streams of a guarded application end with their session, whatever the application is doing.

| the response | when the session ends |
|---|---|
| is a stream: its media type is one of `STREAMS` | it ends with what was sent whole, and the application is cancelled |
| has been sent, and the application goes on in the background | nothing happens |
| is anything else, such as a file | it is sent to its end: the request was let in, and half a file looks like a whole one |

When a session has ended is in the table of `session_watch`.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fastapi_session.web.session import Session
from fastapi_session.web.session_watch import SessionOver, SessionWatch, before

STREAMS = frozenset(
    {
        b"text/event-stream",
        b"multipart/mixed",  # subscriptions of GraphQL
        b"multipart/x-mixed-replace",  # cameras
        b"application/x-ndjson",
        b"application/jsonl",
        b"application/json-seq",
    }
)
"""Media types of which each message is whole in itself, and which may never end."""

LAST: Message = {"type": "http.response.body", "body": b"", "more_body": False}


async def serve(app: ASGIApp, scope: Scope, receive: Receive, send: Send, *, session: Session[Any, Any]) -> None:
    """Serve the request of *scope* by *app*, whose response ends with *session* if it is a stream."""
    stream = GuardedStream(session, send)
    try:
        await before(stream.end, partial(app, scope, receive, stream.send))
    except SessionOver:
        await send(LAST)
    except Exception as error:
        if not stream.explains(error):
            raise
        await send(LAST)
    finally:
        stream.stop()


class GuardedStream:
    """Passes on the response of an application, and watches *session* from when it is known to be a stream."""

    def __init__(self, session: Session[Any, Any], send: Send) -> None:
        self.end: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()
        self._session = session
        self._send = send
        self._watch: SessionWatch | None = None
        self._ending: asyncio.Task[None] | None = None

    def explains(self, error: BaseException) -> bool:
        """Say whether *error* is only what the end of the session raises in an application that does not catch it."""
        if isinstance(error, BaseExceptionGroup):
            return all(self.explains(each) for each in error.exceptions)
        return self.end.done() and isinstance(error, OSError | ClientDisconnect)

    async def send(self, message: Message) -> None:
        """Send what the application sends. After the end of the session, raise `OSError`, as for a client that has gone."""
        if message["type"] == "http.response.start" and _is_stream(message):
            self._watch = self._session._watch(self._session._go_on_with)
            self._ending = asyncio.ensure_future(self._end_with(self._watch))
        if self._watch is not None:
            await self._ensure(self._watch)
        await self._send(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self.stop()  # what the application does from here on is its own

    def stop(self) -> None:
        """Stop watching: the response has been sent."""
        self._watch = None
        if self._ending is not None:
            self._ending.cancel()

    async def _ensure(self, watch: SessionWatch) -> None:
        try:
            await watch.ensure()
        except SessionOver:
            assert self._ending is not None
            await asyncio.wait([self._ending])
            raise OSError("the session has ended") from None

    async def _end_with(self, watch: SessionWatch) -> None:
        self.end.set_result(await watch.until_over())


def _is_stream(start: Message) -> bool:
    types = [value for name, value in start.get("headers", ()) if name.lower() == b"content-type"]
    return any(each.partition(b";")[0].strip().lower() in STREAMS for each in types)
