"""Who asks for a page, for a part of one, or for an answer: the rows of the table."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.requests import Request

from fastapi_session.web.pages.asking import asked_for
from tests.wire import AUTH_MODE

HTML = "text/html,application/xhtml+xml,*/*;q=0.8"
NAVIGATION = {"accept": HTML, "sec-fetch-mode": "navigate"}
HTMX = {"hx-request": "true", "accept": "*/*", "sec-fetch-mode": "cors"}


def request(headers: dict[str, str], method: str = "GET") -> Request:
    raw: list[Any] = [(name.encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": method, "path": "/", "headers": raw})


ASKED = [
    ("a navigation", NAVIGATION, "page"),
    ("one by plain http", {"accept": HTML}, "page"),
    ("one past a password of nginx", {**NAVIGATION, "authorization": "Basic YTpi"}, "page"),
    ("a download", {"accept": "*/*", "sec-fetch-mode": "navigate"}, None),
    ("HTMX", HTMX, "part"),
    ("HTMX by plain http", {"hx-request": "true"}, "part"),
    ("HTMX with a custom header", {**HTMX, "rid": "1"}, "part"),
    ("HTMX in a page with a client", {**HTMX, AUTH_MODE: "cookie"}, None),
    ("no HTMX", {"hx-request": "false", "accept": "*/*"}, None),
    ("fetch", {"accept": "*/*", "sec-fetch-mode": "cors"}, None),
    ("fetch for HTML", {"accept": HTML, "sec-fetch-mode": "cors"}, None),
    ("an image", {"accept": "image/*", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"}, None),
    ("curl", {"accept": "*/*"}, None),
    ("nothing", {}, None),
    ("a client of sessions", {**NAVIGATION, AUTH_MODE: "header"}, None),
    ("an older one", {"accept": HTML, "rid": "session"}, None),
    ("a bearer token", {"accept": HTML, "authorization": "bearer abc"}, None),
    ("a prefetch", {**NAVIGATION, "sec-purpose": "prefetch"}, None),
    ("a prerender", {**NAVIGATION, "sec-purpose": "prefetch;prerender"}, None),
    ("an older prefetch", {**NAVIGATION, "purpose": "prefetch"}, None),
    ("an older prefetch of Firefox", {**NAVIGATION, "x-moz": "prefetch"}, None),
]


@pytest.mark.parametrize(("headers", "expected"), [row[1:] for row in ASKED], ids=[row[0] for row in ASKED])
def test_what_is_asked_for(headers: dict[str, str], expected: str | None) -> None:
    """Each row of the table."""
    assert expected == asked_for(request(headers))


@pytest.mark.parametrize(("method", "expected"), [("POST", "page"), ("HEAD", None), ("OPTIONS", None)])
def test_methods(method: str, expected: str | None) -> None:
    """A form asks for a page too; nobody looks at the answer to HEAD."""
    assert expected == asked_for(request(NAVIGATION, method))
