"""From where a socket may be opened whose access token came in a cookie.

SameSite does not keep a sibling subdomain out, and a browser asks no CORS preflight for a WebSocket: the server has to look.
"""

from __future__ import annotations

from starlette.requests import HTTPConnection

from fastapi_session.config import SessionConfig
from fastapi_session.errors import UnauthorisedError
from fastapi_session.web.browsers import is_configured_origin


def ensure_own_origin(connection: HTTPConnection, config: SessionConfig) -> None:
    """Raise `UnauthorisedError` unless the page that opens the socket is the website's or the API's own.

    A client that sends no Origin is no browser, and cannot have been tricked.
    """
    given = connection.headers.get("origin")
    if given is not None and not is_configured_origin(given, config):
        raise UnauthorisedError("the socket was opened by a page of another origin")
