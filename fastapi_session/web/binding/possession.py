"""What a request that refreshes proves of the key of its session.

| its token travels | is proved by |
|---|---|
| in a cookie | the credential of a session that its browser has bound, as `device_credential` says |
| in a header | its DPoP proof, as `dpop_requests` says |
"""

from __future__ import annotations

from starlette.requests import HTTPConnection

from fastapi_session.core.binding.bound_keys import Possession
from fastapi_session.web.binding.device_credential import possession_by_credential
from fastapi_session.web.binding.dpop_requests import possession_to_refresh
from fastapi_session.web.exchange import Exchange
from fastapi_session.web.token_choice import ChosenToken


def possession_of(connection: HTTPConnection, exchange: Exchange, presented: ChosenToken) -> Possession | None:
    """Return the key that the request proves, whose refresh token is *presented*; `None` if it proves none. Raises `DpopError`."""
    if presented.method == "header":
        return possession_to_refresh(connection, exchange, presented.text)
    return possession_by_credential(connection, exchange)
