"""Which of the tokens that came with a request counts, and the anti-CSRF proof that the request brings.

| request | the token that counts |
|---|---|
| verify | a bearer token that has the structure of ours, then the cookie, as far as each is allowed |
| refresh | a bearer token that is a refresh token of ours, then the cookie, as far as each is allowed |

A token by the scheme `DPoP` counts where a bearer token does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from starlette.requests import HTTPConnection

from fastapi_session.config import TokenTransferMethod
from fastapi_session.config.cookie_prefix import is_host_only
from fastapi_session.core import access_token
from fastapi_session.core.access_token import ParsedAccessToken
from fastapi_session.core.anti_csrf import NOT_ASKED, AntiCsrfMode, AntiCsrfProof
from fastapi_session.engine.tokens.verified_tokens import AnyAccessToken
from fastapi_session.errors import (
    ClearDuplicateSessionCookiesError,
    DuplicateSessionCookiesError,
    TryRefreshTokenError,
)
from fastapi_session.sessions import Sessions
from fastapi_session.web.cookie_names import ACCESS_COOKIE, REFRESH_COOKIE
from fastapi_session.web.exchange import Exchange
from fastapi_session.web.sole_token import sole_token
from fastapi_session.web.transport import Credentials, Method


@dataclass(frozen=True, slots=True)
class ChosenToken:
    """The refresh token that counts, as it came by *method*. It is not verified, and not in the `repr`."""

    method: Method
    text: str = field(repr=False)


def allowed_method(connection: HTTPConnection, exchange: Exchange, *, for_create: bool = False) -> TokenTransferMethod:
    """Return by which methods tokens may travel with this request, as configured."""
    configured = exchange.sessions.config.token_transfer_method
    return configured(connection, for_create) if callable(configured) else configured


def presented_access_tokens(credentials: Credentials) -> list[tuple[Method, ParsedAccessToken]]:
    """Return every access token of ours that came, with the method by which each did."""
    parsed: list[tuple[Method, ParsedAccessToken | None]] = []
    if credentials.bearer is not None:
        parsed.append(("header", access_token.parse(credentials.bearer)))
    parsed += [("cookie", access_token.parse(text)) for text in credentials.access_cookies]
    return [(method, token) for method, token in parsed if token is not None]


async def verified_handles(
    exchange: Exchange, presented: Sequence[tuple[Method, ParsedAccessToken]], *, sessions: Sessions
) -> list[str]:
    """Return the handles of the sessions whose tokens *presented* are, and of one that this request has begun, each once.

    With an impersonation comes the actor's own session, which waits. Expired ones count too; *sessions* verify them. Raises
    `StoreUnavailable`.
    """
    handles: list[str | None] = []
    for _, token in presented:
        handle, actor = await sessions.verified_handle(token), token.content.actor
        handles += [handle, actor.handle if actor is not None and handle is not None else None]
    if exchange.begun is not None:
        handles.append(exchange.begun.handle)
    return list(dict.fromkeys(handle for handle in handles if handle is not None))


def presented_access_token(connection: HTTPConnection, exchange: Exchange) -> tuple[Method, AnyAccessToken | None]:
    """Return the access token that counts and how it came, `None` if none of ours did. Raises `TryRefreshTokenError`.

    Its text is in *exchange* from then on.
    """
    scope, sessions = connection.scope, exchange.sessions
    configured = sessions.config.token_transfer_method
    allowed = configured(connection, False) if callable(configured) else configured
    if scope["type"] == "http":  # a socket may bring its token as a subprotocol
        name, known = exchange.transport.access_cookie, sessions.verified_tokens
        found = sole_token(scope["headers"], allowed, cookie_name=name, known=known)
        if found is not None:
            exchange.was_asked = True
            method, exchange.access_token, token, exchange.proves = found
            return method, token
    return _counting(connection, exchange, allowed)


def _counting(
    connection: HTTPConnection, exchange: Exchange, allowed: TokenTransferMethod
) -> tuple[Method, AnyAccessToken | None]:
    credentials, known = exchange.credentials(connection), exchange.sessions.verified_tokens
    if allowed != "cookie" and credentials.bearer is not None:
        parsed = known.parse(credentials.bearer)
        if parsed is not None:
            exchange.access_token = credentials.bearer
            exchange.proves = credentials.scheme == "dpop"
            return "header", parsed
    if allowed == "header" or not credentials.access_cookies:
        return "header", None
    if len(credentials.access_cookies) > 1:
        raise TryRefreshTokenError("two access-token cookies came with the request")
    exchange.access_token = credentials.access_cookies[0]
    return "cookie", known.parse(exchange.access_token)


def presented_refresh_token(
    connection: HTTPConnection, exchange: Exchange, *, session_id: str | None = None
) -> ChosenToken | None:
    """Return the refresh token that counts, `None` if none came. Raises the errors of duplicate cookies.

    If the request has proved that it is of the session *session_id*, no cookie of another one counts.
    """
    allowed = allowed_method(connection, exchange)
    credentials = without_planted(exchange, exchange.credentials(connection), session_id=session_id)
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


def without_planted(exchange: Exchange, credentials: Credentials, *, session_id: str | None = None) -> Credentials:
    """Return *credentials* without the refresh cookies that another host of the site may have planted.

    With *session_id* those are all of other sessions.
    """
    # Such a host can plant a refresh cookie, whose prefix is `__Secure-` at best, but no access cookie with `__Host-`. So with
    # that prefix a refresh cookie counts only for the session of the access cookie.
    sessions = exchange.sessions
    if session_id is None:
        if not is_host_only(sessions.config.cookie_prefix):
            return credentials
        beside = first_access_cookie(credentials)
        session_id = beside.content.session_id if beside else ""
    is_own = partial(sessions.is_refresh_token, session_id=session_id)
    # Not in a variable of its own: error reporters send the local variables of a frame.
    return replace(credentials, refresh_cookies=tuple(filter(is_own, credentials.refresh_cookies)))


def first_access_cookie(credentials: Credentials) -> ParsedAccessToken | None:
    """Return the access token of the first cookie, `None` if none came or it has not the structure of one. Not verified."""
    return access_token.parse(credentials.access_cookies[0]) if credentials.access_cookies else None


def anti_csrf_proof(connection: HTTPConnection, exchange: Exchange, *, method: Method) -> AntiCsrfProof:
    """Return the anti-CSRF proof that the request brings, `NOT_ASKED` if it needs none for tokens that travel by *method*."""
    mode = anti_csrf_mode(exchange, method)
    if mode == "NONE":
        return NOT_ASKED
    credentials = exchange.credentials(connection)
    return AntiCsrfProof(mode, token=credentials.anti_csrf, custom_header=credentials.has_rid)


def anti_csrf_mode(exchange: Exchange, method: Method) -> AntiCsrfMode:
    """Return the anti-CSRF mode for a request whose token travels by *method*."""
    # No page can have a browser send a bearer token of ours, so in headers nothing needs a proof.
    return exchange.sessions.config.anti_csrf if method == "cookie" else "NONE"


def _refuse_duplicates(exchange: Exchange, credentials: Credentials) -> None:
    """Raise if two cookies of one name came, and clear those of the older domain if the configuration names it."""
    # Two cookies of one name are of two domains, and the request does not say which one is of the older.
    came = {ACCESS_COOKIE: len(credentials.access_cookies), REFRESH_COOKIE: len(credentials.refresh_cookies)}
    duplicates = [name for name, values in came.items() if values > 1]
    if not duplicates:
        return
    if exchange.sessions.config.older_cookie_domain is None:
        raise DuplicateSessionCookiesError(
            "The request contains multiple session cookies. That happens when cookie_domain was changed: set "
            "older_cookie_domain to what it was before ('' if it was not set), so that the older ones are cleared."
        )
    exchange.clear_older_cookies(*duplicates)
    raise ClearDuplicateSessionCookiesError("two session cookies of one name came with the request")
