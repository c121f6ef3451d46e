"""The credential of a session that its browser has bound: what it proves beside a refresh token in a cookie.

| a credential came that | proves |
|---|---|
| this deployment wrote, that has not ended, and whose session is that of the refresh cookie | the key that it names, for that session |
| is anything else, as one that another host of the site has planted | nothing |
"""

from __future__ import annotations

from starlette.requests import HTTPConnection

from fastapi_session.core.binding.bound_keys import Possession
from fastapi_session.web.exchange import Exchange
from fastapi_session.web.token_choice import without_planted


def possession_by_credential(connection: HTTPConnection, exchange: Exchange) -> Possession | None:
    """Return the key that a credential in the cookies of *connection* proves, `None` if none does."""
    credentials, sessions = exchange.credentials(connection), exchange.sessions
    if not credentials.bindings:
        return None
    own = without_planted(exchange, credentials)

    def is_refreshed(session_id: str) -> bool:
        return any(sessions.is_refresh_token(text, session_id=session_id) for text in own.refresh_cookies)

    return sessions.device_binding.possession(credentials.bindings, is_of=is_refreshed)
