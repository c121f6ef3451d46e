"""Where a request has the login of another system: in a cookie, or as a bearer token."""

from __future__ import annotations

from starlette.requests import HTTPConnection

from fastapi_session.moving.adopters.adopter import OldCookie, Presented


def presented_text(connection: HTTPConnection, cookie: OldCookie | None) -> str | None:
    """Return what came in *cookie*, or as a bearer token if there is no such cookie; `None` if nothing did."""
    # By the framework's parser, as the other system has read it.
    if cookie is not None:
        return connection.cookies.get(cookie.name) or None
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def presented_by(cookie: OldCookie | None, *, key: str, content: object = None) -> Presented:
    """Return the login of *key* that came in *cookie*, or as a bearer token if that is `None`."""
    if cookie is None:
        return Presented(key, "header", content)
    return Presented(key, "cookie", content, cookies=(cookie,))
