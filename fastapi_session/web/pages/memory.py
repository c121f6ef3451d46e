"""What a browser is asked to remember of a refresh, so that no navigation ever goes in circles: two cookies.

| cookie | set | says, when it comes back |
|---|---|---|
| `sRefreshAsked`, for the path of the refresh alone | when a page sends its browser to the refresh | this browser keeps the cookies it is sent |
| `sRefreshed`, a digest of an access token | when the refresh sends its browser back | with this very token it came from there: going again would not help |

Without the first nobody is refreshed: a program that sends cookies and keeps none, such as a server that renders pages, would
lose the new tokens. The second is that of one token, so it says nothing of what other tabs have, nor of a later token.
Both names begin with the deployment's `cookie_prefix`, as those of the tokens do.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta

from starlette.requests import HTTPConnection
from starlette.responses import Response

from fastapi_session.config import SessionConfig
from fastapi_session.config.cookie_prefix import below_a_path
from fastapi_session.web.cookies import lasting_until, set_cookie
from fastapi_session.web.exchange import exchange_of
from fastapi_session.web.token_cookies import cookie_attributes

ASKED = "sRefreshAsked"
REFRESHED = "sRefreshed"

_ASKED_LIFE = timedelta(minutes=10)
"""Long enough to try again when the store was down."""
_REFRESHED_LIFE = timedelta(seconds=10)
"""Long enough for the way back to the page; at most half of what an access token lives, which may then be refreshed again."""
_SECOND = timedelta(seconds=1)


def remember_asked(connection: HTTPConnection, response: Response) -> None:
    """Have *response*, which sends a browser to the refresh, find out whether that browser keeps cookies."""
    config = exchange_of(connection).sessions.config
    _set(connection, response, f"{_asked(config)}=1", path=config.refresh_path, life=_ASKED_LIFE)


def keeps_cookies(connection: HTTPConnection) -> bool:
    """Say whether the browser that comes to the refresh has kept the cookie of `remember_asked`."""
    return _asked(exchange_of(connection).sessions.config) in connection.cookies


def remember_refreshed(connection: HTTPConnection, response: Response, *, access_token: str) -> None:
    """Have *response*, which sends a browser back to its page with *access_token*, say that it was here."""
    config = exchange_of(connection).sessions.config
    life = max(_SECOND, min(_REFRESHED_LIFE, config.access_token_validity / 2))
    _set(connection, response, f"{_refreshed(config)}={_digest(access_token)}", path="/", life=life)


def was_just_refreshed(connection: HTTPConnection) -> bool:
    """Say whether the access token that came is the one that `remember_refreshed` told of."""
    exchange = exchange_of(connection)
    came = exchange.credentials(connection).access_cookies
    return connection.cookies.get(_refreshed(exchange.sessions.config)) in {_digest(text) for text in came}


def _asked(config: SessionConfig) -> str:
    return f"{below_a_path(config.cookie_prefix)}{ASKED}"


def _refreshed(config: SessionConfig) -> str:
    return f"{config.cookie_prefix}{REFRESHED}"


def _set(connection: HTTPConnection, response: Response, pair: str, *, path: str, life: timedelta) -> None:
    sessions, (name, value) = exchange_of(connection).sessions, pair.split("=")
    now, lasting = sessions.now(), int(life / timedelta(milliseconds=1))
    expires, attributes = lasting_until(now + lasting, now=now), cookie_attributes(sessions.config, None)
    cookie = set_cookie(name, value, path=path, expires=expires, attributes=attributes)
    response.raw_headers.append((b"set-cookie", cookie))


def _digest(access_token: str) -> str:
    """Return what names *access_token* and tells nothing of it."""
    return hashlib.sha256(access_token.encode()).hexdigest()[:16]
