"""Who gets in to the pages: whoever has a session of the application that meets what is required. They have no sign-in of their own.

| a request | what happens |
|---|---|
| without such a session | it is refused as by a route: 401, 403, or 503 while the store is down |
| of a page, by a browser that is not signed in, if there is a `login_url` | 303 to that, with the page as `next` |
| to sign out | the session of the application ends |
| any other | is served, and no cache keeps its page |

The pages can be put beside others that have another guard. So each view looks whether this one let the request in, and is closed if not.
"""

from __future__ import annotations

from typing import Any

from starlette.middleware import Middleware
from starlette.middleware.base import RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.templating import Jinja2Templates
from starlette_admin.auth import AdminUser, AuthMiddleware, BaseAuthProvider

from fastapi_session.admin.guarding import asked_session, ensure_decides
from fastapi_session.errors import ConfigurationError, SessionError
from fastapi_session.local_address import is_local
from fastapi_session.plain_text import printable
from fastapi_session.web.circumstances import circumstances_of
from fastapi_session.web.guard import STATE
from fastapi_session.web.pages.page_responses import SIGN_IN_PAGE
from fastapi_session.web.session import Session
from fastapi_session.web.verifying import SessionProvider

ADMITTED = "fastapi_session.administrator"
"""The key in the scope under which is the session that was let in here."""

_CACHEABLE = ("text/css", "text/javascript", "application/javascript", "font/", "image/")
_ASKING = asked_session(anti_csrf_check=False)  # what is required asks for that


class SessionAuth(BaseAuthProvider):
    """The `auth_provider` of an admin of starlette-admin: sessions of the application that meet *require*.

    *require* is what a route would depend on, and has to ask for a claim, as for `admin_router`. The session is in
    `request.state.session`. With *login_url*, the path of a sign-in page on this host, browsers that are not signed in are sent
    there, and so is who signs out.

    Raises `ConfigurationError` if *require* lets every user in, or is no `verify_session(...)`.
    """

    def __init__(self, require: SessionProvider[Any, Any], *, login_url: str | None = None) -> None:
        given: object = require
        if not isinstance(given, SessionProvider):
            raise ConfigurationError(
                'SessionAuth: give what is required, as in verify_session(Roles.includes("admin"))'
            )
        ensure_decides("SessionAuth", given)
        if login_url is not None and not is_local(login_url):
            raise ConfigurationError("SessionAuth: give login_url as the path of the sign-in page on this host: /login")
        super().__init__()
        self._provide = require
        self._login_url = login_url

    async def authenticate(self, request: Request) -> AdminUser:
        """Return who asks, or raise the error of a refusal, by which the handlers of the application respond."""
        try:
            await _ASKING(request)
            session = await self._provide(request)
        except SessionError:
            if self._login_url is not None:
                request.scope[SIGN_IN_PAGE] = self._login_url
            raise
        assert session is not None  # else the first would have raised
        request.scope[ADMITTED] = session
        request.scope.setdefault("state", {})[STATE] = session
        return AdminUser(username=_name(session))

    def get_middleware(self) -> Middleware:
        """Return what asks this at each request."""
        return Middleware(_KeptByNobody, provider=self)

    def get_routes(self, templates: Jinja2Templates) -> list[Route]:
        """Return the route by which one signs out."""
        return [Route(self.logout_path, self._sign_out, methods=["POST"], name="logout")]

    async def _sign_out(self, request: Request) -> Response:
        await admitted(request).revoke(circumstances=circumstances_of(request))
        return RedirectResponse(self._login_url or "/", status_code=303)


def _name(session: Session[Any, Any]) -> str:
    """Return who is told to be signed in: the user, and who acts as that one."""
    actor = session.actor
    return printable(session.user_id if actor is None else f"{actor.user_id} as {session.user_id}")


class _KeptByNobody(AuthMiddleware):
    """Asks who it is, and lets no cache keep a page."""

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        """Serve a request."""
        response = await super().dispatch(request, call_next)
        if not response.headers.get("content-type", "").startswith(_CACHEABLE):
            response.headers["Cache-Control"] = "no-store"
        return response


def is_admitted(request: Request) -> bool:
    """Say whether a `SessionAuth` let the *request* in."""
    return ADMITTED in request.scope


def admitted(request: Request) -> Session[Any, Any]:
    """Return the session of the administrator who asks."""
    session: Session[Any, Any] = request.scope[ADMITTED]
    return session
