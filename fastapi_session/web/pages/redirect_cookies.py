"""Two cookies by which a browser remembers a refresh, so that no navigation is redirected in circles.

| cookie | set | means, when it comes back |
|---|---|---|
| `sRefreshAsked`, for the path of the refresh alone | when a page redirects to the refresh | this browser keeps cookies, and this access token was refused |
| `sRefreshed` | when the refresh redirects back | the browser comes from there with this very token: to refresh again would not help |

Without the first the refresh does nothing: a program that sends cookies and keeps none, such as a server that renders pages,
would lose the new tokens. The value of each is a digest of the access token that came, or of the empty text: it says nothing
about what other tabs have, nor about a later token, and no other host of the site can make it up.
Both names have the deployment's `cookie_prefix`, as those of the tokens do.
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
"""Long enough for the redirect back; at most half of an access token's lifetime, since that may be refreshed again then."""
_SECOND = timedelta(seconds=1)


def remember_asked(connection: HTTPConnection, response: Response) -> None:
    """Set the first cookie on *response*, which redirects to the refresh."""
    config, digest = exchange_of(connection).sessions.config, _digests(connection)[0]
    _set(connection, response, f"{_asked(config)}={digest}", path=config.refresh_path, life=_ASKED_LIFE)


def keeps_cookies(connection: HTTPConnection) -> bool:
    """Say whether a browser that comes to the refresh has kept the first cookie."""
    return _asked(exchange_of(connection).sessions.config) in connection.cookies


def was_refused(connection: HTTPConnection) -> bool:
    """Say whether a page of ours has refused the access token that came to the refresh, or that none came.

    Then the browser is also at the path to which it sends its refresh cookie.
    """
    return connection.cookies.get(_asked(exchange_of(connection).sessions.config)) in _digests(connection)


def remember_refreshed(connection: HTTPConnection, response: Response, *, access_token: str) -> None:
    """Set the second cookie on *response*, which redirects back to a page with *access_token*."""
    config = exchange_of(connection).sessions.config
    shortest = min(kind.access_token_validity or config.access_token_validity for kind in config.all_kinds.values())
    life = max(_SECOND, min(_REFRESHED_LIFE, shortest / 2))
    _set(connection, response, f"{_refreshed(config)}={_digest(access_token)}", path="/", life=life)


def was_just_refreshed(connection: HTTPConnection) -> bool:
    """Say whether the browser comes from the refresh with the access token that came, or with none."""
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
    """Return the digests of the access tokens that came; if none came, that of the empty text."""
    return [_digest(text) for text in exchange_of(connection).credentials(connection).access_cookies or ("",)]


def _digest(access_token: str) -> str:
    """Return a digest of *access_token*, from which nothing of it can be learnt."""
    return hashlib.sha256(access_token.encode()).hexdigest()[:16]
