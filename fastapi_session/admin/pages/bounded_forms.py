"""Forms are bounded before anybody reads them: starlette-admin reads each one, a stranger's too, before it asks who sent it.

| the body | response |
|---|---|
| is larger than any form of these pages, or than *largest* | 413, without reading on |
| is no form that can be read | 400 |
| never came whole | none: whoever sent it has gone |
| anything else | that of the page |
"""

from __future__ import annotations

from http import HTTPStatus

from python_multipart.exceptions import FormParserError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fastapi_session.web.form_body import LARGEST_BODY


class BoundedForms:
    """A middleware of an admin of starlette-admin, before its own: `BaseAdmin(middlewares=[Middleware(BoundedForms)])`.

    *largest* is how many bytes a form may have, by default 64 KiB. Give as many as the files need that are uploaded there: each
    form is kept in memory while it is served.
    """

    def __init__(self, app: ASGIApp, *, largest: int = LARGEST_BODY) -> None:
        self.app = app
        self._largest = largest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            body = await _bounded_body(Request(scope, receive), largest=self._largest)
        except ClientDisconnect:
            return
        if body is None:
            await _refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)(scope, receive, send)
            return
        try:
            await self.app(scope, _again(body, receive), send)
        except FormParserError:  # which an older starlette lets through
            await _refusal(HTTPStatus.BAD_REQUEST)(scope, receive, send)
        except HTTPException as error:
            # That of a form is raised in a middleware, where nothing makes it a response. Ours are kinds of it, and are for the handlers.
            if type(error) is not HTTPException:
                raise
            await _refusal(error.status_code)(scope, receive, send)


async def _bounded_body(request: Request, *, largest: int) -> bytes | None:
    """Return the body, `None` if it has more bytes than *largest*. Raises `ClientDisconnect`."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > largest:
            return None
    return bytes(body)


def _again(body: bytes, receive: Receive) -> Receive:
    """Return what gives *body* first, and then what *receive* does."""
    first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def give() -> Message:
        return first.pop() if first else await receive()

    return give


def _refusal(status: int) -> PlainTextResponse:
    return PlainTextResponse(HTTPStatus(status).phrase, status, headers={"Cache-Control": "no-store"})
