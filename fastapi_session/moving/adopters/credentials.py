"""Where a request has the login of another system: in a cookie, or as a bearer token."""

from __future__ import annotations

from starlette.requests import HTTPConnection

from fastapi_session.moving.adopters.adopter import OldCookie, Presented


def presented_text(connection: HTTPConnection, cookie: OldCookie | None) -> str | None:
    """Return what came in *cookie*, or as a bearer token if there is no such cookie; `None` if nothing did."""
    # By the framework's parser, as the other system has read it.
    if cookie is not None:
        return _token(connection.cookies.get(cookie.name, ""))
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    return _token(token.strip()) if scheme.lower() == "bearer" else None


def _token(text: str) -> str | None:
    # Nothing else is a token, and a database may refuse to be asked for it: PostgreSQL for a NUL, which a quoted cookie can have.
    return text if text and text.isascii() and text.isprintable() else None


def presented_by(cookie: OldCookie | None, *, key: str, content: object = None) -> Presented:
    """Return the login of *key* that came in *cookie*, or as a bearer token if that is `None`."""
    if cookie is None:
        return Presented(key, "header", content)
    return Presented(key, "cookie", content, cookies=(cookie,))
