"""Which of the tokens that came with a request counts, and what the request offers against forgery.

| request | method |
|---|---|
| create | what the route says, else as configured, else as in the table below |
| verify | a bearer token that has the structure of ours, then the cookie, as far as each is allowed |
| refresh | a bearer token that is a refresh token of ours, then the cookie, as far as each is allowed; answered in the same |

A new session, where any method is configured and the route says none:

| the request | method |
|---|---|
| has `st-auth-mode` | cookie if that is its value, else header |
| brings an access token of ours as a bearer token | header |
| was made by a browser for a page of ours, as `browsers` tells it | cookie |
| anything else | header |
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial

from starlette.requests import HTTPConnection

from fastapi_session.config import TokenTransferMethod
from fastapi_session.config.cookie_prefix import is_host_only
from fastapi_session.core import access_token
from fastapi_session.core.access_token import ParsedAccessToken
from fastapi_session.core.anti_csrf import NOT_ASKED, AntiCsrfMode, AntiCsrfProof
from fastapi_session.engine.tokens.verified_tokens import VerifiedAccessToken
from fastapi_session.errors import (
    ClearDuplicateSessionCookiesError,
    ConfigurationError,
    DuplicateSessionCookiesError,
    TryRefreshTokenError,
)
from fastapi_session.web.browsers import made_for_own_page
from fastapi_session.web.cookie_names import ACCESS_COOKIE, REFRESH_COOKIE
from fastapi_session.web.exchange import Exchange
from fastapi_session.web.header_cache import what_came
from fastapi_session.web.transport import Credentials, Method


@dataclass(frozen=True, slots=True)
class ChosenToken:
    """The refresh token that counts, as it came by *method*: not believed yet, and not shown by anything that prints it."""

    method: Method
    text: str = field(repr=False)


def allowed_method(connection: HTTPConnection, exchange: Exchange, *, for_create: bool = False) -> TokenTransferMethod:
    """Return where tokens may travel with this request, as configured."""
    configured = exchange.sessions.config.token_transfer_method
    return configured(connection, for_create) if callable(configured) else configured


def method_of_new_session(connection: HTTPConnection, exchange: Exchange, *, said: Method | None = None) -> Method:
    """Return where the tokens of a session travel that begins with this request, *said* being the word of its route.

    Raises `ConfigurationError` if *said* is what the configuration rules out: no request could bring such a token.
    """
    allowed = allowed_method(connection, exchange, for_create=True)
    if said is not None and allowed not in ("any", said):
        raise ConfigurationError(
            f'a session was to begin with method="{said}", but token_transfer_method is "{allowed}": '
            f'leave method out, or set token_transfer_method to "any"'
        )
    if allowed == "any":
        return said or _wished_method(connection, exchange)
    return allowed


def _wished_method(connection: HTTPConnection, exchange: Exchange) -> Method:
    """Return what the client asks for, or what it is known to keep."""
    credentials = exchange.credentials(connection)
    if credentials.auth_mode is not None:
        return "cookie" if credentials.auth_mode == "cookie" else "header"
    if credentials.bearer is not None and access_token.parse(credentials.bearer) is not None:
        return "header"
    return "cookie" if made_for_own_page(connection, exchange.sessions.config) else "header"


def presented_access_tokens(credentials: Credentials) -> list[tuple[Method, ParsedAccessToken]]:
    """Return every access token of ours that came, with the method by which each did."""
    parsed: list[tuple[Method, ParsedAccessToken | None]] = []
    if credentials.bearer is not None:
        parsed.append(("header", access_token.parse(credentials.bearer)))
    parsed += [("cookie", access_token.parse(text)) for text in credentials.access_cookies]
    return [(method, token) for method, token in parsed if token is not None]


def superseded_access_tokens(
    connection: HTTPConnection, exchange: Exchange, *, method: Method
) -> list[tuple[Method, ParsedAccessToken]]:
    """Return those of `presented_access_tokens` in whose place a session begins whose tokens travel by *method*.

    New cookies overwrite those that came, whoever asked for them. Beside new tokens in headers a session in cookies ends only
    if no other site can have forged the request: else a form of that site would sign its visitors out.
    """
    proof = anti_csrf_proof(connection, exchange, method="cookie")
    presented = presented_access_tokens(exchange.credentials(connection))
    return [
        (came_by, token)
        for came_by, token in presented
        if came_by in ("header", method) or proof.holds(token.content.anti_csrf_token)
    ]


def presented_access_token(connection: HTTPConnection, exchange: Exchange) -> tuple[Method, ParsedAccessToken | None]:
    """Return the access token that counts, `None` where none of ours came. Raises `TryRefreshTokenError`."""
    scope, allowed = connection.scope, allowed_method(connection, exchange)
    if scope["type"] != "http":  # a socket may bring its token as a subprotocol
        return _counting(connection, exchange, allowed)
    known = exchange.header_cache.find(what_came(scope["headers"], allowed))
    if known is not None:
        exchange.was_asked = True
        return known
    method, parsed = _counting(connection, exchange, allowed)
    if isinstance(parsed, VerifiedAccessToken):
        # Asked again, because what came would be told by an error in between: reporters send the variables of a frame.
        exchange.header_cache.keep(what_came(scope["headers"], allowed), (method, parsed))
    return method, parsed


def _counting(
    connection: HTTPConnection, exchange: Exchange, allowed: TokenTransferMethod
) -> tuple[Method, ParsedAccessToken | None]:
    credentials = exchange.credentials(connection)
    if allowed != "cookie" and credentials.bearer is not None:
        parsed = exchange.sessions.parse(credentials.bearer)
        if parsed is not None:
            return "header", parsed
    if allowed == "header" or not credentials.access_cookies:
        return "header", None
    if len(credentials.access_cookies) > 1:
        raise TryRefreshTokenError("two access-token cookies came with the request")
    return "cookie", exchange.sessions.parse(credentials.access_cookies[0])


def presented_refresh_token(connection: HTTPConnection, exchange: Exchange) -> ChosenToken | None:
    """Return the refresh token that counts, `None` if none came. Raises the errors of duplicate cookies."""
    allowed = allowed_method(connection, exchange)
    credentials = _without_planted(exchange, exchange.credentials(connection))
    if allowed != "header":
        _refuse_duplicates(exchange, credentials)
    has_cookie = bool(credentials.refresh_cookies) and allowed != "header"
    if (
        credentials.bearer is not None
        and allowed != "cookie"
        and (not has_cookie or exchange.sessions.is_refresh_token(credentials.bearer))
    ):
        return ChosenToken("header", credentials.bearer)
    if has_cookie:
        return ChosenToken("cookie", credentials.refresh_cookies[0])
    return None


def _without_planted(exchange: Exchange, credentials: Credentials) -> Credentials:
    """Return *credentials* with those refresh cookies alone that no other host of the site can have planted.

    Such a host can plant one, whose name is `__Secure-` at best, and no access cookie that is `__Host-`. So beside that prefix
    a refresh cookie counts only for the session of the access cookie.
    """
    sessions = exchange.sessions
    if not is_host_only(sessions.config.cookie_prefix):
        return credentials
    beside = _first_access_cookie(credentials)
    is_own = partial(sessions.is_refresh_token, session_id=beside.content.session_id if beside else "")
    # Not in a variable of its own: reporters of errors send those of a frame.
    return replace(credentials, refresh_cookies=tuple(filter(is_own, credentials.refresh_cookies)))


def is_left_over(connection: HTTPConnection, exchange: Exchange, *, proof: AntiCsrfProof) -> bool:
    """Say whether the client itself asks to refresh an access-token cookie that came without its refresh token.

    Another site can ask too, of any session: by a path such as `/session/%72efresh`, which a browser does not take for that
    of the refresh cookie, while a server does.
    """
    if allowed_method(connection, exchange) == "header":
        return False
    credentials = exchange.credentials(connection)
    token = _first_access_cookie(credentials)
    return bool(credentials.access_cookies) and proof.holds(token.content.anti_csrf_token if token else None)


def _first_access_cookie(credentials: Credentials) -> ParsedAccessToken | None:
    return access_token.parse(credentials.access_cookies[0]) if credentials.access_cookies else None


def anti_csrf_proof(connection: HTTPConnection, exchange: Exchange, *, method: Method) -> AntiCsrfProof:
    """Return what the request offers against forgery. No browser can be tricked into sending a bearer token."""
    mode = anti_csrf_mode(exchange, method)
    if mode == "NONE":
        return NOT_ASKED
    credentials = exchange.credentials(connection)
    return AntiCsrfProof(mode, token=credentials.anti_csrf, custom_header=credentials.has_rid)


def anti_csrf_mode(exchange: Exchange, method: Method) -> AntiCsrfMode:
    """Return how a request whose token travels by *method* has to prove itself."""
    return exchange.sessions.config.anti_csrf if method == "cookie" else "NONE"


def _refuse_duplicates(exchange: Exchange, credentials: Credentials) -> None:
    """Two cookies of one name are those of two domains; which one is old, only the configuration knows."""
    came = {ACCESS_COOKIE: len(credentials.access_cookies), REFRESH_COOKIE: len(credentials.refresh_cookies)}
    duplicates = [name for name, values in came.items() if values > 1]
    if not duplicates:
        return
    if exchange.sessions.config.older_cookie_domain is None:
        raise DuplicateSessionCookiesError(
            "The request contains multiple session cookies. That happens when cookie_domain was changed: set "
            "older_cookie_domain to what it was before ('' where it was not set), so that the older ones are cleared."
        )
    exchange.clear_older_cookies(*duplicates)
    raise ClearDuplicateSessionCookiesError("two session cookies of one name came with the request")
