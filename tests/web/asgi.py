"""Requests without a server and without a client's own work: what is measured or counted is the application alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from httpx2 import Response
from starlette.types import ASGIApp, Message, Receive

NOTHING: Mapping[str, str] = {}


async def no_body() -> Message:
    """Say that the request has no body."""
    return {"type": "http.request"}


async def ask(
    app: ASGIApp, method: str, target: str, headers: Mapping[str, str] = NOTHING, *, receive: Receive = no_body
) -> Response:
    """Return the head of the response of *app* to one request, whose body is what *receive* returns."""
    path, _, query = target.partition("?")
    scope = {
        "type": "http",
        "scheme": "http",
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return Response(sent[0]["status"], headers=sent[0]["headers"])
