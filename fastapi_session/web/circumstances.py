"""Who made a request, as far as it can be told: kept with the session, and shown to its user."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.requests import HTTPConnection

from fastapi_session.model import Circumstances

LONGEST_USER_AGENT = 255


def circumstances_of(connection: HTTPConnection) -> Circumstances:
    """Answer the address that the server saw and the user agent, each `None` where it is not known."""
    client: Sequence[Any] | None = connection.scope.get("client")
    agent = connection.headers.get("user-agent")
    return Circumstances(client[0] if client else None, None if agent is None else agent[:LONGEST_USER_AGENT])
