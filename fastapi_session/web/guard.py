"""A guard for what FastAPI's dependencies do not reach: any ASGI application, with the requirements of a route.

| what comes | what happens |
|---|---|
| a request or a socket with a session that meets the requirements | the application has it, with the session in its state |
| one without a session, if none is required | the application has it, with `None` there |
| anything else | is refused as by a route, before the application knows of it |
| a page, by GET, that nobody is signed in for, if there is a `login_url` | 303 to that, with the page as `next` |
| a preflight of CORS that reaches the guard | is refused: it brings no session, and the application might take it for a request |
| the lifespan | the application has it |

Sockets end with the session as the table of `sockets` says, streams as that of `streams`. The guard refuses by the error that
a route would raise, so that the handlers of the application that has the sessions respond, in their own way if they have one.
"""

from __future__ import annotations

from typing import Any

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from fastapi_session.errors import ConfigurationError, SessionError
from fastapi_session.local_address import is_local
from fastapi_session.web.pages.page_responses import SIGN_IN_PAGE
from fastapi_session.web.streams import serve
from fastapi_session.web.verifying import SessionProvider

STATE = "session"
"""The name in the state of a request under which the application finds the session: `request.state.session`."""


def guarded(application: ASGIApp, session: SessionProvider[Any, Any], *, login_url: str | None = None) -> ASGIApp:
    """Return *application* with a guard before it: `app.mount("/files", guarded(StaticFiles(...), verify_session()))`.

    *session* is what a route would depend on. A request or a socket that it refuses gets the same response as from a route, and
    *application* does not see it; any other has its session in `request.state.session`, in terms of ASGI in
    `scope["state"]["session"]`. Sockets and event streams end with the session. With *login_url*, the path of a sign-in page on
    this host, a GET that accepts HTML is sent there, and says in `next` where it wanted to go.

    The guard has to be inside of the application that `install` gave sessions: mounted there, or a middleware of what is
    mounted. Raises `ConfigurationError` if an argument is of another type, or *login_url* no path.
    """
    given: tuple[object, object] = (application, session)
    if not callable(given[0]) or not isinstance(given[1], SessionProvider):
        raise ConfigurationError(
            "guarded: give an ASGI application, and what it requires: guarded(StaticFiles(...), verify_session())"
        )
    if login_url is not None and not is_local(login_url):
        raise ConfigurationError(
            "guarded: give login_url as the path of the sign-in page on this host, as browsers see it: /login"
        )
    return Guard(application, session, login_url)


class Guard:
    """Wraps an application; `guarded` makes it."""

    def __init__(self, app: ASGIApp, session: SessionProvider[Any, Any], login_url: str | None) -> None:
        self.app = app
        self._provide = session
        self._login_url = login_url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, one socket or the lifespan, as the table says."""
        if scope["type"] not in {"http", "websocket"}:
            await self.app(scope, receive, send)
            return
        try:
            session = await self._provide(HTTPConnection(scope))
        except SessionError:
            if self._login_url is not None:
                scope[SIGN_IN_PAGE] = self._login_url
            raise
        # The scope itself, as a middleware does it: those outside of this one see there which application responds.
        scope.setdefault("state", {})[STATE] = session
        if session is None or scope["type"] == "websocket":
            await self.app(scope, receive, send)
        else:
            await serve(self.app, scope, receive, send, session=session)
