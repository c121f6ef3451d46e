"""The two endpoints for browsers without a script: the refresh on the way to a page, and the sign-out of a form.

`GET .../session/refresh/page?next=`, or any method by which a form or HTMX was on its way:

| the request | the response |
|---|---|
| is for no page: an image, a prefetch, a script | 403, nothing changes |
| its browser did not keep the cookie of `redirect_cookies` | a page with a link, nothing changes |
| is refreshed | 303 to `next`, or 307 with all that was sent |
| has no session to refresh | the same, and its tokens are cleared: the page may be one for everybody |
| has no refresh token, and no page has refused its access token | the same, nothing changes |
| brought a stolen token, or the store is down | as in the table of `page_responses` |

`POST .../signout/page?next=`:

| the request | the response |
|---|---|
| no page of our own sent it | 403, nothing changes: no other site signs anybody out |
| has a verified access token, expired or not | its session ends, the tokens are cleared, 303 to `next` |
| has none | the tokens are cleared, 303 to `next` |
| its session was superseded | by way of the refresh back to here: the session that took its place ends |

`next` counts only if it leads to this host, see `local_address`; otherwise it is the application's first page.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, FastAPI, Query, Request
from fastapi.responses import JSONResponse, Response

from fastapi_session import endpoint_paths
from fastapi_session.config import SessionConfig
from fastapi_session.core.anti_csrf import NOT_ASKED
from fastapi_session.errors import (
    ClearDuplicateSessionCookiesError,
    ConfigurationError,
    TryRefreshTokenError,
    UnauthorisedError,
)
from fastapi_session.local_address import safe_next
from fastapi_session.web.browsers import is_of_own_page
from fastapi_session.web.circumstances import circumstances_of
from fastapi_session.web.exchange import Exchange, exchange_of
from fastapi_session.web.pages.addresses import REFRESH_ROUTE, prefix_of, refresh_page, with_next
from fastapi_session.web.pages.asking import asked_for, is_htmx
from fastapi_session.web.pages.html import page
from fastapi_session.web.pages.page_responses import HX_REDIRECT, SOUGHT, Visit, kept_part, redirect
from fastapi_session.web.pages.redirect_cookies import keeps_cookies, remember_refreshed, was_refused
from fastapi_session.web.refreshing import refresh_with_proof
from fastapi_session.web.session_types import SessionTypes
from fastapi_session.web.token_choice import presented_access_tokens, presented_refresh_token, verified_handles

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
"""The methods of navigations, forms and HTMX."""

Next = Annotated[str | None, Query(alias="next")]


def serve_pages(router: APIRouter) -> None:
    """Add both to *router*."""
    add = router.add_api_route
    add(endpoint_paths.REFRESH_PAGE, _refresh, methods=METHODS, name=REFRESH_ROUTE, include_in_schema=False)
    add(endpoint_paths.SIGN_OUT_PAGE, _sign_out, methods=["POST"], include_in_schema=False)


def ensure_pages_fit(app: FastAPI, config: SessionConfig) -> None:
    """Raise `ConfigurationError` if *app* serves pages with sessions, and *config* does not fit them."""
    if prefix_of(app, config) is None:
        return
    if config.token_transfer_method == "header":
        raise ConfigurationError('token_transfer_method: pages have their session in cookies; give "any" or "cookie"')
    if config.anti_csrf == "VIA_TOKEN":
        raise ConfigurationError(
            "anti_csrf: a navigation that refreshes cannot hand VIA_TOKEN its new token; give NONE or VIA_CUSTOM_HEADER, or "
            "leave pages=True out of session_router()"
        )


async def _refresh(request: Request, sought: Next = None, *, cleared: bool = False) -> Response:
    config, asked = exchange_of(request).sessions.config, asked_for(request)
    ensure_pages_fit(request.app, config)
    if asked is None:
        return JSONResponse({"message": "this is for pages alone"}, 403)
    address = request.scope[SOUGHT] = safe_next(sought, _first_page(request, config))
    visit = Visit(request, config, asked, address)
    if not keeps_cookies(request):
        return _kept_no_cookie(visit, address)
    try:
        access_token = await _refreshed(request)
    except ClearDuplicateSessionCookiesError:
        if cleared:  # a moment ago, and the older cookies are still there
            raise
        return redirect(visit, f"{with_next(refresh_page(config), address)}&cleared=true")
    response = redirect(visit, address)
    remember_refreshed(request, response, access_token=access_token)
    return response


async def _refreshed(request: Request) -> str:
    """Refresh, and return the access token with which the browser goes back: the new one, or the old if there is no session."""
    exchange = exchange_of(request)
    # What is left of a session is cleared only if one of our pages has refused it: a sibling domain can lead a browser to a path
    # that only a server takes for this one, such as `/session/%72efresh/page`, to which no refresh cookie is sent.
    if was_refused(request) or presented_refresh_token(request, exchange) is not None:
        with suppress(UnauthorisedError):
            # No anti-CSRF proof, which a navigation cannot bring: whoever leads a browser here gives its user new tokens in place
            # of the old ones, and learns nothing.
            return (await refresh_with_proof(request, NOT_ASKED, types=SessionTypes())).access_token
    return next(iter(exchange.credentials(request).access_cookies), "")


def _kept_no_cookie(visit: Visit, address: str) -> Response:
    if visit.asked == "part":
        return kept_part(visit, TryRefreshTokenError.message)
    text = "To stay signed in, this page needs cookies, and your browser has not kept one. Allow them for this page and go on."
    return page("Cookies are needed", text, status=visit.status, link=(address, "Go on"))


async def _sign_out(request: Request, sought: Next = None) -> Response:
    exchange = exchange_of(request)
    config = exchange.sessions.config
    if not is_of_own_page(request, config):
        return page(
            "Not signed out", "Another page asked for that.", status=403, link=(_first_page(request, config), "Go on")
        )
    await _end(request, exchange)
    address = safe_next(sought, _first_page(request, config))
    if is_htmx(request):  # a redirect would put the next page in place of a part
        return Response(headers={HX_REDIRECT: address})
    return Response(status_code=303, headers={"Location": address})


async def _end(request: Request, exchange: Exchange) -> None:
    """End the session of the access-token cookie. Raises `TryRefreshTokenError` if another one has just taken its place."""
    presented = presented_access_tokens(exchange.credentials(request))
    in_cookies = [(method, token) for method, token in presented if method == "cookie"]
    by = circumstances_of(request)
    for handle in await verified_handles(exchange, in_cookies, sessions=exchange.sessions):
        if not await exchange.sessions.revoke(handle, reason="signed_out", circumstances=by):
            refusal = await exchange.sessions.refusal(handle)
            if isinstance(refusal, TryRefreshTokenError):
                exchange.refuse(refusal)
                raise refusal
    exchange.clear()


def _first_page(request: Request, config: SessionConfig) -> str:
    return f"{prefix_of(request.app, config) or ''}/"
