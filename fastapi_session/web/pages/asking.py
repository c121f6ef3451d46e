"""Whether a request is for a page, for a part of one, or from a client that refreshes by itself.

| the request | is for |
|---|---|
| has `Authorization: Bearer`, `Authorization: DPoP` or `st-auth-mode` | JSON: its client refreshes by itself |
| `Sec-Purpose`, `Purpose` or `X-Moz` says prefetch | JSON: nobody looks at it yet, and the navigation will ask again |
| HEAD, OPTIONS | JSON |
| `HX-Request: true` | a part of a page: HTMX follows redirects, and does not show them |
| `Accept` names `text/html`, `Sec-Fetch-Mode` is `navigate` | a page |
| the same, no `Sec-Fetch-Mode` (plain http, except on localhost), no `rid` | a page |
| anything else: `fetch`, an image, curl | JSON |
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from starlette.requests import HTTPConnection

from fastapi_session.web.transport import AUTH_MODE_HEADER, AUTHORIZATION_HEADER, RID_HEADER, SCHEMES

Asked = Literal["page", "part"]

_PURPOSES = ("sec-purpose", "purpose", "x-moz")


def asked_for(connection: HTTPConnection) -> Asked | None:
    """Return what the request of *connection* is for, as the table says; `None` for JSON."""
    headers = connection.headers
    if connection.scope.get("method", "HEAD") in {"HEAD", "OPTIONS"} or _is_of_a_client(headers):
        return None
    if any("prefetch" in headers.get(name, "") for name in _PURPOSES):
        return None
    if is_htmx(connection):
        return "part"
    is_navigation = headers.get("sec-fetch-mode", "none" if RID_HEADER in headers else "navigate") == "navigate"
    return "page" if is_navigation and "text/html" in headers.get("accept", "") else None


def is_htmx(connection: HTTPConnection) -> bool:
    """Return whether HTMX made the request of *connection*."""
    return connection.headers.get("hx-request") == "true"


def _is_of_a_client(headers: Mapping[str, str]) -> bool:
    scheme = headers.get(AUTHORIZATION_HEADER, "").partition(" ")[0].lower()
    return AUTH_MODE_HEADER in headers or scheme in SCHEMES
