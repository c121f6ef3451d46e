"""A test's client that refreshes by itself, as the client of a page or a program does."""

from __future__ import annotations

from typing import TypeVar

from fastapi_session.client.dpop import DpopKey
from fastapi_session.sessions import Sessions
from fastapi_session.testing.client import Client, ensure_keeps_cookies, session_auth_for
from fastapi_session.web.transport import Method

AnyClient = TypeVar("AnyClient", bound=Client)


def auto_refresh(
    client: AnyClient, sessions: Sessions, *, method: Method = "header", dpop: DpopKey | None = None
) -> AnyClient:
    """Let *client* keep its session and refresh it whenever its access token has ended; return the client.

    From here on it takes the tokens of whatever signs it in, the application's own route or `sign_in`. By *method* they travel
    in headers or in cookies. `response.history` shows a refresh: the refusal, and the response to the refresh. What does it
    is the `SessionAuth` of `fastapi_session.client`, as its `auth`.

    By *dpop*, as `DpopKey()`, it proves a key with each request, at the time of *sessions*: its session is bound to that, if it
    signs in by `sign_in`, or by a route while `dpop` is not off.

    Raises `ConfigurationError` if *method* is "cookie" and the client does not send the cookies back.
    """
    if method == "cookie":
        ensure_keeps_cookies(client, sessions.config)
    client.auth = session_auth_for(client)(
        str(client.base_url),
        base_path=sessions.config.api_base_path,
        method=method,
        dpop=None if dpop is None else dpop.with_clock(sessions.now),
    )
    return client
