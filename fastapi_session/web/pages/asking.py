"""Who asks: for a page, for a part of one, or as a client that refreshes by itself.

| the request | asks for |
|---|---|
| has `Authorization: Bearer` or `st-auth-mode` | an answer: its client refreshes by itself |
| `Sec-Purpose`, `Purpose` or `X-Moz` says prefetch | an answer: nobody looks at it yet, and the navigation will ask again |
| HEAD, OPTIONS | an answer |
| `HX-Request: true` | a part of a page: HTMX follows redirects, and does not show them |
| `Accept` names `text/html`, `Sec-Fetch-Mode` is `navigate` | a page |
| the same, no `Sec-Fetch-Mode` (plain http, except on localhost), no `rid` | a page |
| anything else: `fetch`, an image, curl | an answer |

A page of our own sends a form, if the browser says so:

| `Sec-Fetch-Site` | and | of our own |
|---|---|---|
| `same-origin`, `none` | | yes |
| `same-site`, `cross-site` | `Origin` is the configuration's website or API | yes |
| the same | anything else | no |
| none: plain http, except on localhost | `Origin` as above, or that of the host that was asked | yes |
| none | anything else | no |
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from starlette.requests import HTTPConnection

from fastapi_session.config import SessionConfig
from fastapi_session.origin import Origin
from fastapi_session.web.browsers import is_configured_origin

Asked = Literal["page", "part"]

_PURPOSES = ("sec-purpose", "purpose", "x-moz")


def asked_for(connection: HTTPConnection) -> Asked | None:
    """Return what the request of *connection* asks for as the first table has it, `None` for an answer."""
    headers = connection.headers
    if connection.scope.get("method", "HEAD") in {"HEAD", "OPTIONS"} or _is_of_a_client(headers):
        return None
    if any("prefetch" in headers.get(name, "") for name in _PURPOSES):
        return None
    if headers.get("hx-request") == "true":
        return "part"
    is_navigation = headers.get("sec-fetch-mode", "none" if "rid" in headers else "navigate") == "navigate"
    return "page" if is_navigation and "text/html" in headers.get("accept", "") else None


def _is_of_a_client(headers: Mapping[str, str]) -> bool:
    return "st-auth-mode" in headers or headers.get("authorization", "")[:7].lower() == "bearer "


def is_of_own_page(connection: HTTPConnection, config: SessionConfig) -> bool:
    """Return whether a page of our own sent the request of *connection*, as the second table has it."""
    headers = connection.headers
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site in {"same-origin", "none"} or (origin is not None and is_configured_origin(origin, config)):
        return True
    return site is None and origin is not None and _is_of_host(origin, headers.get("host", ""))


def _is_of_host(origin: str, host: str) -> bool:
    """Return whether *origin* is the one at which *host*, a `Host` header, was asked."""
    page = Origin.parse(origin)
    return page is not None and page == Origin.parse(f"{page.scheme}://{host}")
