"""From which address and by which browser a request came: kept with the session, and shown to its user."""

from __future__ import annotations

from starlette.requests import HTTPConnection

from fastapi_session.model import Circumstances
from fastapi_session.web.exchange import exchange_of

LONGEST_USER_AGENT = 255
"""Characters."""


def circumstances_of(connection: HTTPConnection) -> Circumstances:
    """Return the address and the user agent of the request, each `None` if it is not known, the agent cut to its longest."""
    agent = connection.headers.get("user-agent")
    # Without the zero bytes that PostgreSQL cannot store.
    kept = None if agent is None else agent.replace("\x00", "")[:LONGEST_USER_AGENT]
    return Circumstances(exchange_of(connection).addresses.of(connection), kept)
