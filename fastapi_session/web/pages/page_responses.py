"""The response to a refused page, in place of JSON. `asking` says which requests are for a page, and which for a part of one.

| the session | a page, by GET | a page, by a form | a part of a page |
|---|---|---|---|
| its access token has expired | 303 to the refresh | 307 to the refresh | as a page |
| the same, and the browser just comes from the refresh | as signed out | as signed out | as signed out |
| is valid, but another site may have sent the request | a page that says so | the same | 401 |
| signed out, stolen | 303 to `login_url`, or a page that says so | a page that says so | 401, and by GET `HX-Redirect` to `login_url` |
| cannot begin, since the user has as many as the limit allows | 409, a page that says so | the same | 409 |
| superseded, its key could not be proved just now, or the store is down | 503, a page | the same | 503 |

A 307 has the browser send the form again after the refresh, and HTMX its request, whatever it was: nothing that was typed is
lost. A user who is signed out loses nothing either, since the browser stays on the page on which it was typed.
If a route raises such an error itself, the response is the same. The sign-in page is never redirected to itself: it may have an
optional session, so the tokens of one that has ended for good are cleared, and the next try shows the page.

What is refused by a guard with a sign-in page of its own goes there, and an application that serves no pages so redirects then too:

| the session | a page, by GET | anything else |
|---|---|---|
| signed out, expired | 303 to the sign-in page of the guard | as any other request |
| anything else | as any other request | as any other request |
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from fastapi import FastAPI
from fastapi.responses import JSONResponse, Response
from starlette.requests import HTTPConnection

from fastapi_session.config import SessionConfig
from fastapi_session.errors import (
    ForgedRequestError,
    RenewalSkippedError,
    SessionLimitReached,
    SessionSupersededError,
    StoreUnavailable,
    TokenTheftError,
    TryRefreshTokenError,
    UnauthorisedError,
)
from fastapi_session.local_address import is_local
from fastapi_session.web.error_statuses import status_of
from fastapi_session.web.exchange import exchange_of
from fastapi_session.web.pages.addresses import address_of, prefix_of, refresh_page, with_next
from fastapi_session.web.pages.asking import Asked, asked_for
from fastapi_session.web.pages.html import NOT_KEPT, page
from fastapi_session.web.pages.redirect_cookies import remember_asked, was_just_refreshed

SOUGHT = "fastapi_session.sought_page"
"""The key in the scope under which the refresh for pages keeps the page that its browser is on the way to."""

SIGN_IN_PAGE = "fastapi_session.sign_in_page"
"""The key in the scope under which a guard that refuses a request keeps a sign-in page of its own."""

HX_REDIRECT = "HX-Redirect"
"""A header by which HTMX leaves the page for another one."""

_SIGNED_OUT = "You are signed out"
_AGAIN = "Please come again"


@dataclass(frozen=True, slots=True)
class Visit:
    """A request for a page or a part of one. *address* is that of the page, as browsers see it, `None` if they cannot be sent there.

    *is_refreshed* says whether the application has a refresh for pages.
    """

    connection: HTTPConnection
    config: SessionConfig
    asked: Asked
    address: str | None
    is_refreshed: bool = True

    @property
    def login_url(self) -> str | None:
        """The sign-in page: that of the guard that refused the request, else the configured one."""
        own: str | None = self.connection.scope.get(SIGN_IN_PAGE)
        return self.config.login_url if own is None else own

    @property
    def is_get(self) -> bool:
        """Whether it is a GET, so that nothing was sent that could be lost."""
        return bool(self.connection.scope["method"] == "GET")

    @property
    def is_sign_in(self) -> bool:
        """Whether it is a GET of the sign-in page."""
        login = self.login_url
        if login is None or self.address is None or not self.is_get:
            return False
        return self.address.partition("?")[0] == login.partition("?")[0]

    @property
    def status(self) -> int:
        """The status of a refusal."""
        return status_of(UnauthorisedError, self.config)


def visit_of(connection: HTTPConnection, app: FastAPI, config: SessionConfig) -> Visit | None:
    """Return the request of *connection* as a visit, `None` if it is not for a page, or nobody here serves pages with sessions.

    That is *app*, or a guard with a sign-in page.
    """
    scope = connection.scope
    asked = asked_for(connection) if scope["type"] == "http" else None
    prefix = prefix_of(app, config) if asked else None
    if asked is None or (prefix is None and SIGN_IN_PAGE not in scope):
        return None
    address = scope[SOUGHT] if SOUGHT in scope else address_of(connection, prefix or "")
    return Visit(connection, config, asked, address, is_refreshed=prefix is not None)


def page_response(visit: Visit, error: Exception) -> Response | None:
    """Return the response to *visit* for *error*, `None` if it gets the same as any other request."""
    return _of_pages(visit, error) if visit.is_refreshed else _to_sign_in(visit, error)


def _of_pages(visit: Visit, error: Exception) -> Response | None:
    if isinstance(error, ForgedRequestError):
        return _not_taken(visit, error.message)
    if isinstance(error, TryRefreshTokenError) and _may_refresh(visit):
        return _to_refresh(visit)
    if isinstance(error, UnauthorisedError | TryRefreshTokenError | TokenTheftError):
        if isinstance(error, UnauthorisedError) and visit.is_sign_in:  # else the sign-in page could never be shown
            exchange_of(visit.connection).clear()
        return _signed_out(visit, error.message)
    if isinstance(error, StoreUnavailable | SessionSupersededError | RenewalSkippedError):
        return _come_again(visit, status=status_of(type(error), visit.config))
    if isinstance(error, SessionLimitReached):
        return _full(visit, error)
    return None


def _to_sign_in(visit: Visit, error: Exception) -> Response | None:
    """Return what sends a page to the sign-in page of the guard that refused it, as the second table says."""
    login = visit.login_url
    is_over = isinstance(error, UnauthorisedError | TryRefreshTokenError) and not isinstance(error, ForgedRequestError)
    if login is None or not is_over or visit.asked != "page" or not visit.is_get or visit.is_sign_in:
        return None
    return redirect(visit, with_next(login, visit.address))


def _may_refresh(visit: Visit) -> bool:
    is_at_refresh = SOUGHT in visit.connection.scope
    return visit.address is not None and not is_at_refresh and not was_just_refreshed(visit.connection)


def _to_refresh(visit: Visit) -> Response:
    response = redirect(visit, with_next(refresh_page(visit.config), visit.address))
    remember_asked(visit.connection, response)
    return response


def redirect(visit: Visit, address: str) -> Response:
    """Send the browser of *visit* to *address*, with all that it sent."""
    return Response(status_code=303 if visit.is_get else 307, headers={"Location": address, **NOT_KEPT})


def _not_taken(visit: Visit, message: str) -> Response:
    if visit.asked == "part":
        return kept_part(visit, message)
    text = "This cannot be done from here: nothing shows that a page of this site has asked for it."
    return page("Not taken", text, status=visit.status)


def _signed_out(visit: Visit, message: str) -> Response:
    login = visit.login_url
    if visit.asked == "part":
        return _part_signed_out(visit, message)
    if not visit.is_get:
        text = "What you sent was not taken. Sign in in another tab, then reload this page to send it again."
        link = None if login is None else (login, "Sign in in another tab")
        return page(_SIGNED_OUT, text, status=visit.status, link=link, new_tab=True)
    if login is None or visit.is_sign_in:
        link = ("", "Sign in") if visit.is_sign_in else None
        return page(
            _SIGNED_OUT, "Your session has ended, or you have not signed in yet.", status=visit.status, link=link
        )
    return redirect(visit, with_next(login, visit.address))


def _full(visit: Visit, error: SessionLimitReached) -> Response | None:
    if visit.asked == "part":
        return None
    places = "one place" if error.limit == 1 else f"{error.limit} places"
    text = f"You are signed in in {places}, which is as many as there may be. Sign out in one of them, then try again."
    return page("Signed in elsewhere", text, status=status_of(type(error), visit.config))


def _part_signed_out(visit: Visit, message: str) -> Response:
    """Return what has HTMX leave the page for the sign-in page, or leave it as it is."""
    login = visit.login_url
    if login is None or not visit.is_get:
        return kept_part(visit, message)
    shown = urlsplit(visit.connection.headers.get("hx-current-url", ""))
    address = f"{shown.path}?{shown.query}" if shown.query else shown.path
    headers = {HX_REDIRECT: with_next(login, address if is_local(address) else None), **NOT_KEPT}
    return JSONResponse({"message": message}, visit.status, headers)


def kept_part(visit: Visit, message: str) -> Response:
    """Return what has HTMX leave the page as it is, even if it is configured to show errors."""
    return JSONResponse({"message": message}, visit.status, {"HX-Reswap": "none", **NOT_KEPT})


def _come_again(visit: Visit, *, status: int) -> Response | None:
    if visit.asked == "part":
        return None
    sent = "" if visit.is_get else " What you sent was not taken; reloading sends it again."
    text = f"Your session cannot be looked up at the moment. You are still signed in.{sent}"
    return page(_AGAIN, text, status=status, link=("", "Try again") if visit.is_get else None)
