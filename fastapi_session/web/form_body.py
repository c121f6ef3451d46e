"""A form as the body of a request, as other servers send it: `application/x-www-form-urlencoded`, in ASCII, and no larger than any has to be.

It is read by hand: a form that FastAPI reads needs python-multipart, has no bound, and its errors repeat what came.
"""

from __future__ import annotations

from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request

LARGEST_BODY = 65_536
"""Bytes of a form."""
MOST_FIELDS = 16
FORM = "application/x-www-form-urlencoded"


class NoForm(Exception):
    """The body is no such form. *reason* says why, and has nothing of what came."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


async def form_fields(request: Request) -> list[tuple[str, str]]:
    """Return the names and values of the form that came, in their order, without those that are empty. Raises `NoForm`."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise NoForm("no form")
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > LARGEST_BODY:
                raise NoForm("too large")
    except ClientDisconnect:  # anybody can hang up, and would fill the log with tracebacks
        raise NoForm("not all of it came") from None
    try:
        return parse_qsl(body.decode("ascii"), strict_parsing=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        raise NoForm("no form") from None
