"""The cookie by which a browser is known again at the next sign-in: `sDevice`, 128 random bits, kept for 400 days.

| the sign-in | its device |
|---|---|
| says one: `create(..., device=...)` | that one |
| whose tokens go into cookies, with `devices="cookie"`, and a cookie came | that cookie, which is sent anew: the 400 days begin again |
| the same, and none came, or none that we write | a new cookie |
| anything else | none |

Its path is `/`, since a sign-in may be anywhere. It is no credential, and outlives every session.
"""

from __future__ import annotations

import re
from secrets import token_bytes

from starlette.requests import HTTPConnection

from fastapi_session.core import base64url
from fastapi_session.randomness import Random
from fastapi_session.web.cookies import COOKIE_HEADER, read_cookies
from fastapi_session.web.exchange import Exchange
from fastapi_session.web.transport import Method

_BYTES = 16
_WRITTEN = re.compile(r"[A-Za-z0-9_-]{22}")


def device_of(
    connection: HTTPConnection, exchange: Exchange, *, method: Method, random: Random = token_bytes
) -> str | None:
    """Return the value of the cookie by which the browser is known from this sign-in on, `None` if it gets none."""
    if method != "cookie" or exchange.sessions.config.devices != "cookie":
        return None
    names = exchange.device_cookies
    headers = [value for name, value in connection.scope["headers"] if name == COOKIE_HEADER]
    found = read_cookies(headers, frozenset(names))
    came = [value for name in names for value in found.get(name, ()) if _WRITTEN.fullmatch(value)]
    return came[0] if came else base64url.encode(random(_BYTES))
