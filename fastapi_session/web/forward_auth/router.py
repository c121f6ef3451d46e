"""The endpoint that a reverse proxy asks before it passes a request on: `{prefix}/verify`, and below it.

| the request that the proxy asks about | the response |
|---|---|
| has a session that the first rule about it lets pass | 200, without a body, and who it is in headers, as `identity` says |
| has none, and that rule requires none | the same, with all these headers empty |
| has none, an expired one, or may have been sent by another site | 401, as by a route |
| the same, and it is for a page, and the proxy can send browsers to sign in | 303 to `login_url` |
| has a session that the rule does not let pass | 403, or what a step-up asks for, as by a route |
| is one that no rule is about, or that nobody may send | 403 |
| has a header whose name some services take for one of identity | 403 |
| is not described by a proxy of ours | 403 |
| any, while the store is down and needed | 503 |

No response refreshes, sends or clears a token, and none sets a cookie: proxies lose those, or give them to somebody else. So the client
refreshes at the endpoint for that, as ever.

Whether another site may have sent the request is asked as by a route, but by the method of the *original* request: the question itself is
always a GET. A method that is not known counts as one that changes something. A socket is opened from a page of the host that it is
opened on, of the website or of the API.

A DPoP proof is of the original request too: of its method and its path, at the host that the rule names, or else at that of the API.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from starlette.requests import HTTPConnection, Request
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from fastapi_session.errors import (
    ConfigurationError,
    ForgedRequestError,
    SessionError,
    StoreUnavailable,
    TryRefreshTokenError,
    UnauthorisedError,
)
from fastapi_session.local_address import is_local
from fastapi_session.origin import Origin
from fastapi_session.web.binding.dpop_requests import ORIGIN_KEY
from fastapi_session.web.error_responses import response_to
from fastapi_session.web.error_statuses import status_of
from fastapi_session.web.exchange import SCOPE_KEY, exchange_of
from fastapi_session.web.forward_auth.identity import identity_headers, imitates_identity
from fastapi_session.web.forward_auth.original import PATH_HEADERS, PROXIES, Original, Proxy, is_described, original_of
from fastapi_session.web.forward_auth.rules import Rule, first_about
from fastapi_session.web.forward_auth.trust import Trust
from fastapi_session.web.pages.addresses import with_next
from fastapi_session.web.pages.asking import asked_for
from fastapi_session.web.prefixes import ensure_prefix
from fastapi_session.web.transport import NONCE_HEADER
from fastapi_session.web.verifying import SessionProvider

logger = logging.getLogger("fastapi_session")

VALIDITY = timedelta(seconds=60)
"""How long the token for a service lives: it comes with each request anew."""

KEPT_BY_NOBODY = {"Cache-Control": "no-store", "Vary": "Cookie, Authorization"}

METHODS = ["GET", "HEAD"]
"""By which a proxy asks; Envoy does by that of the request that it asks about, and that may be any, such as PROPFIND."""

UNKNOWN = "UNKNOWN"
"""In the place of a method that is not known: no rule names it, and it is not safe."""

_OTHER_PROXY = (
    "forward authentication was asked by a proxy that does not say of which request, as %s would by %s: give proxy= as the one that "
    "asks, or let it say so; until then nothing passes"
)


def forward_auth_router(
    rules: Sequence[Rule],
    *,
    proxy: Proxy,
    prefix: str = "/auth",
    proxy_secret: str | None = None,
    trusted_proxies: Sequence[str] = (),
    login_url: str | None = None,
) -> APIRouter:
    """Return the router of `{prefix}/verify`, where *proxy* asks whether a request may pass to a service behind it.

    The first of *rules* that is about the request decides; if none is, it does not pass. Who asks is believed if it sends
    *proxy_secret* as `X-Proxy-Secret`, or comes from *trusted_proxies*, addresses or networks. With *login_url*, a path or an https
    address, browsers that open a page without a session are sent there; `next` says where they wanted to go, with its origin if
    *login_url* is an address and the rule names the host. nginx cannot pass that on.

    Raises `ConfigurationError` if nobody would be believed, the secret is easy to guess, or a setting is of another kind.
    """
    ensure_prefix(prefix, of="forward_auth_router")
    _ensure_fit(rules, proxy=proxy, login_url=login_url)
    path = f"{prefix}/verify"
    asked = ForwardAuth(rules, proxy=proxy, path=path, trust=Trust(trusted_proxies, proxy_secret), login_url=login_url)
    router = APIRouter()
    for each in (path, f"{path}/{{rest:path}}"):
        methods = None if proxy == "envoy" else METHODS
        router.routes.append(Route(each, asked, methods=methods, include_in_schema=False))
    return router


def _ensure_fit(rules: Sequence[Rule], *, proxy: Proxy, login_url: str | None) -> None:
    if not rules or not all(isinstance(each, Rule) for each in rules):
        raise ConfigurationError("forward_auth_router: give a list of rules: [Rule('/reports', verify_session())]")
    if proxy not in PROXIES:
        raise ConfigurationError(f"forward_auth_router: give proxy as one of {', '.join(PROXIES)}")
    if login_url is None:
        return
    if proxy == "nginx":
        raise ConfigurationError(
            "forward_auth_router: nginx passes no redirect on; leave login_url out, and send browsers by error_page 401"
        )
    if not is_local(login_url) and not _is_address(login_url):
        raise ConfigurationError("forward_auth_router: give login_url as a path, /login, or as an https address")


def _is_address(url: str) -> bool:
    origin = next((url[:end] for end in range(len("https://"), len(url)) if url[end] == "/"), url)
    parsed = Origin.parse(origin)
    is_served = parsed is not None and (parsed.scheme == "https" or parsed.is_loopback)
    path = url.removeprefix(origin)
    return is_served and (not path or is_local(path))


class ForwardAuth:
    """Responds to the questions of one proxy; `forward_auth_router` makes it."""

    def __init__(self, rules: Sequence[Rule], *, proxy: Proxy, path: str, trust: Trust, login_url: str | None) -> None:
        self._rules = tuple(rules)
        self._proxy = proxy
        self._path = path
        self._trust = trust
        self._login_url = login_url
        self._has_warned = False
        self._sends_tokens = any(each.audience is not None for each in rules)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Say whether the request that the proxy asks about may pass, as the table says."""
        response = await self._response(Request(scope, receive))
        response.headers.update(KEPT_BY_NOBODY)
        await response(scope, receive, send)

    async def _response(self, request: Request) -> Response:
        if not self._trust.believes(request):
            return _forbidden("not asked by a trusted proxy")
        if imitates_identity(request.headers.keys()):
            return _forbidden("a header has the name of one of identity, but for its dashes")
        original = original_of(request, self._proxy, asked_at=self._path)
        rule = first_about(self._rules, original)
        if not self._has_warned and not is_described(request, self._proxy, asked_at=self._path):
            self._has_warned = True
            logger.warning(_OTHER_PROXY, self._proxy, PATH_HEADERS.get(self._proxy, "the path after /verify"))
        if rule is None or not isinstance(rule.requires, SessionProvider):
            return _forbidden("no rule lets this request pass", unread=original.unread)
        sent = _as_sent(request, original, rule)
        try:
            return await self._passing(sent, rule=rule, requires=rule.requires)
        except (SessionError, StoreUnavailable) as error:
            return self._sign_in(request, original, rule=rule, error=error) or _refusal(sent, error)

    async def _passing(
        self, sent: HTTPConnection, *, rule: Rule, requires: SessionProvider[object, object]
    ) -> Response:
        session = await requires(sent)
        headers = identity_headers(session)
        if self._sends_tokens:  # else that of the client would be the one which the service reads
            headers["Authorization"] = ""
        if session is not None and rule.audience is not None:
            headers["Authorization"] = f"Bearer {await session.token_for(rule.audience, validity=VALIDITY)}"
        return Response(headers=headers)

    def _sign_in(self, request: Request, original: Original, *, rule: Rule, error: Exception) -> Response | None:
        """Return what sends a browser to sign in, `None` if the request is for no page, or signing in is of no use."""
        is_over = isinstance(error, UnauthorisedError | TryRefreshTokenError) and not isinstance(
            error, ForgedRequestError
        )
        if self._login_url is None or not is_over or original.opens_socket or original.method != "GET":
            return None
        if asked_for(HTTPConnection({**request.scope, "method": "GET"})) != "page":
            return None
        location = with_next(self._login_url, _next_of(original, self._login_url, rule))
        return Response(status_code=303, headers={"Location": location})


def _next_of(original: Original, login_url: str, rule: Rule) -> str | None:
    """Return where the browser wanted to go, as seen from the host of *login_url*."""
    if original.target is None or not is_local(original.target):
        return None
    if is_local(login_url):
        return original.target
    # By the rule, and not by what came: anybody can ask for a page of a host that he makes up.
    return None if rule.host is None or original.origin is None else f"{original.origin}{original.target}"


def _as_sent(request: Request, original: Original, rule: Rule) -> HTTPConnection:
    """Return the connection of *original*, whose headers came with the question, and which *rule* is about."""
    headers = request.scope["headers"]
    own = original.origin
    if original.opens_socket and own is not None and Origin.parse(request.headers.get("origin", "")) == own:
        headers = [(name, value) for name, value in headers if name != b"origin"]  # opened from its own host
    scope = {
        **request.scope,
        "type": "websocket" if original.opens_socket else "http",
        "method": original.method or UNKNOWN,
        "path": original.path,
        "root_path": "",
        "headers": headers,
        SCOPE_KEY: exchange_of(request).aside(),
        # By the rule, for the same reason as in `_next_of`.
        ORIGIN_KEY: None if rule.host is None else own,
    }
    if original.opens_socket:
        offers = ",".join(request.headers.getlist("sec-websocket-protocol"))
        scope["subprotocols"] = [each.strip() for each in offers.split(",")]
    return HTTPConnection(scope)


def _refusal(sent: HTTPConnection, error: Exception) -> Response:
    """Return the response to *error*, of the request *sent*, and with it the nonce for its client's next proof."""
    exchange = exchange_of(sent)
    status = status_of(type(error), exchange.sessions.config, sent.scope["headers"])
    response = response_to(error, status, exchange.credentials(sent).scheme)
    if exchange.outcome is not None and exchange.outcome.nonce is not None:
        response.headers[NONCE_HEADER] = exchange.outcome.nonce
    return response


def _forbidden(message: str, *, unread: Sequence[str] = ()) -> Response:
    # nginx replaces the body. DEBUG and no more: strangers can cause it at will.
    logger.debug("forward authentication: %s; could not be read: %s", message, ", ".join(unread) or "nothing")
    return JSONResponse({"message": message}, 403)
