"""What a browser is asked to remember of a refresh, so that no navigation ever goes in circles: two cookies.

| cookie | set | says, when it comes back |
|---|---|---|
| `sRefreshAsked`, for the path of the refresh alone | when a page sends its browser to the refresh | this browser keeps the cookies it is sent, and which access token was refused |
| `sRefreshed` | when the refresh sends its browser back | with this very token it came from there: going again would not help |

Without the first nobody is refreshed: a program that sends cookies and keeps none, such as a server that renders pages, would
lose the new tokens. Each is a digest of the access token that came, or of none: it says nothing of what other tabs have, nor
of a later token, and no other host of the site can make it up.
Both names begin with the deployment's `cookie_prefix`, as those of the tokens do.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta

from starlette.requests import HTTPConnection
from starlette.responses import Response

from fastapi_session.config import SessionConfig
from fastapi_session.config.cookie_prefix import below_a_path
from fastapi_session.web.cookies import SET_COOKIE_HEADER, lasting_until, set_cookie
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
    config, digest = exchange_of(connection).sessions.config, _digests(connection)[0]
    _set(connection, response, f"{_asked(config)}={digest}", path=config.refresh_path, life=_ASKED_LIFE)


def keeps_cookies(connection: HTTPConnection) -> bool:
    """Say whether the browser that comes to the refresh has kept the cookie of `remember_asked`."""
    return _asked(exchange_of(connection).sessions.config) in connection.cookies


def was_refused(connection: HTTPConnection) -> bool:
    """Say whether the access token that came to the refresh, or none, is what `remember_asked` was told of.

    Then the browser is at the path to which it brings its refresh cookie, and none of our pages takes that token.
    """
    return connection.cookies.get(_asked(exchange_of(connection).sessions.config)) in _digests(connection)


def remember_refreshed(connection: HTTPConnection, response: Response, *, access_token: str) -> None:
    """Have *response*, which sends a browser back to its page with *access_token*, say that it was here."""
    config = exchange_of(connection).sessions.config
    life = max(_SECOND, min(_REFRESHED_LIFE, config.access_token_validity / 2))
    _set(connection, response, f"{_refreshed(config)}={_digest(access_token)}", path="/", life=life)


def was_just_refreshed(connection: HTTPConnection) -> bool:
    """Say whether the access token that came, or none, is what `remember_refreshed` told of."""
    return connection.cookies.get(_refreshed(exchange_of(connection).sessions.config)) in _digests(connection)


def _asked(config: SessionConfig) -> str:
    return f"{below_a_path(config.cookie_prefix)}{ASKED}"


def _refreshed(config: SessionConfig) -> str:
    return f"{config.cookie_prefix}{REFRESHED}"


def _set(connection: HTTPConnection, response: Response, pair: str, *, path: str, life: timedelta) -> None:
    sessions, (name, value) = exchange_of(connection).sessions, pair.split("=")
    now, lasting = sessions.now(), int(life / timedelta(milliseconds=1))
    expires, attributes = lasting_until(now + lasting, now=now), cookie_attributes(sessions.config, None)
    cookie = set_cookie(name, value, path=path, expires=expires, attributes=attributes)
    response.raw_headers.append((SET_COOKIE_HEADER, cookie))


def _digests(connection: HTTPConnection) -> list[str]:
    """Return the digests of the access tokens that came; if there was none, of the empty text."""
    return [_digest(text) for text in exchange_of(connection).credentials(connection).access_cookies or ("",)]


def _digest(access_token: str) -> str:
    """Return what names *access_token* and tells nothing of it."""
    return hashlib.sha256(access_token.encode()).hexdigest()[:16]
