"""What a request proves of the key of its session.

| its token travels | is proved by |
|---|---|
| in a cookie | the credential of a session that its browser has bound, as `device_credential` says |
| in a header | nothing yet |
"""

from __future__ import annotations

from starlette.requests import HTTPConnection

from fastapi_session.core.binding.bound_keys import Possession
from fastapi_session.web.binding.device_credential import possession_by_credential
from fastapi_session.web.exchange import Exchange
from fastapi_session.web.transport import Method


def possession_of(connection: HTTPConnection, exchange: Exchange, method: Method) -> Possession | None:
    """Return the key that the request proves, whose token travels by *method*; `None` if it proves none."""
    return possession_by_credential(connection, exchange) if method == "cookie" else None
