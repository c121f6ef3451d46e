"""From which address and by which browser a request came: kept with the session, and shown to its user."""

from __future__ import annotations

from starlette.requests import HTTPConnection

from fastapi_session.model import Circumstances

LONGEST_ADDRESS = 64
"""Characters. An IPv6 address has 45, and 61 with its zone; what a proxy forwards as one may be anything."""
LONGEST_USER_AGENT = 255
"""Characters."""


def circumstances_of(connection: HTTPConnection) -> Circumstances:
    """Return the address that the server saw and the user agent, each cut to its longest and `None` if it is not known."""
    client: tuple[str, int] | None = connection.scope.get("client")
    return Circumstances(
        _kept(client[0] if client else None, longest=LONGEST_ADDRESS),
        _kept(connection.headers.get("user-agent"), longest=LONGEST_USER_AGENT),
    )


def _kept(text: str | None, *, longest: int) -> str | None:
    """Return the beginning of *text*, without the zero bytes that PostgreSQL cannot store."""
    return None if text is None else text.replace("\x00", "")[:longest]
