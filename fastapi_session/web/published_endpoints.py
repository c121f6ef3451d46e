"""The discovery document, with the endpoints for other services that the application has (RFC 8414, section 2).

Which it has shows in its routes, by their names. Where they are is told as by the issuer: a proxy may strip a prefix that the
application does not know.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from starlette.requests import Request
from starlette.routing import NoMatchFound

from fastapi_session import endpoint_paths
from fastapi_session.origin import Origin
from fastapi_session.sessions import Sessions

DISCOVERY_NAME = "fastapi_session.discovery"
INTROSPECTION_NAME = "fastapi_session.introspection"
REVOCATION_NAME = "fastapi_session.revocation"

_LISTED = {INTROSPECTION_NAME: "introspection_endpoint", REVOCATION_NAME: "revocation_endpoint"}
METHODS = ["client_secret_basic"]
"""How a client authenticates there."""


def published(request: Request, sessions: Sessions) -> dict[str, Any]:
    """Return the discovery document of *sessions*, with the endpoints of the application that *request* has come to."""
    document: dict[str, Any] = {**sessions.discovery()}
    for name, listed in _LISTED.items():
        with suppress(NoMatchFound):
            document[listed] = _address(request, sessions, name)
            document[f"{listed}_auth_methods_supported"] = METHODS
    return document


def _address(request: Request, sessions: Sessions, name: str) -> str:
    """Return the URL of the route *name*. Raises `NoMatchFound`."""
    path, here = str(request.app.url_path_for(name)), str(request.app.url_path_for(DISCOVERY_NAME))
    document = f"{sessions.config.issuer}{endpoint_paths.DISCOVERY}"
    # Without what is seen of it here: the origin, and what a proxy has stripped.
    before = document.removesuffix(here) if document.endswith(here) else Origin.parse(sessions.config.api_domain)
    return f"{before}{path}"
