"""`SessionAuth` for the clients of httpx2, sync and async."""

from __future__ import annotations

import httpx2

from fastapi_session.client.dpop import DpopKey
from fastapi_session.client.flow import SessionFlow
from fastapi_session.client.held import SessionTokens

__all__ = ["DpopKey", "SessionAuth", "SessionTokens"]


class SessionAuth(SessionFlow[httpx2.Request, httpx2.Response], httpx2.Auth):
    """Keeps the session of a client: `httpx2.Client(auth=SessionAuth("https://api.example.com"))`, or an `AsyncClient`.

    It takes the tokens of whatever call signs in, sends them with each call to the origin of *base_url* and to no other, and
    refreshes once when they have ended, for all threads and tasks that share it. *base_path* is the application's
    `api_base_path`.

    In header mode *tokens* are what an earlier run kept, and *keep* is called with each that come, and with `None` when the
    session is over. By *method* "cookie" they are cookies, which this object holds and the client's jar holds too.

    By *dpop*, a `DpopKey`, it proves with each call that the session is its own, if the application binds sessions so: its tokens are
    of no use to whoever copies them. Keep the key with the tokens: they are of no use without it.

    A refusal is no exception: a call whose session is over gets the response to its refresh, 401. One whose refresh found the
    store down gets 503, and the session goes on. A body that can be read only once is read into memory, to be sent again.
    Raises `ValueError` if *tokens* or *dpop* are given in cookie mode.
    """

    request_class = httpx2.Request
    response_class = httpx2.Response
    cookies_class = httpx2.Cookies
