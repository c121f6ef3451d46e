"""The three requests of a session's life: create, verify, refresh; for use in dependencies and outside of them.

Which transfer method counts:

| request | method |
|---|---|
| create | as configured; `any` is cookie where `st-auth-mode` says so, else header |
| verify | a bearer token that has the structure of ours, then the cookie, as far as each is allowed |
| refresh | a bearer token, then the cookie, as far as each is allowed; answered in the same |
"""

from __future__ import annotations

from starlette.requests import HTTPConnection

from fastapi_session.config import TokenTransferMethod
from fastapi_session.core import access_token, refresh_token
from fastapi_session.core.access_token import ParsedAccessToken
from fastapi_session.core.anti_csrf import NOT_ASKED, AntiCsrfMode, AntiCsrfProof
from fastapi_session.engine.minting import IssuedSession
from fastapi_session.errors import (
    ClearDuplicateSessionCookiesError,
    DuplicateSessionCookiesError,
    SessionError,
    TryRefreshTokenError,
    UnauthorisedError,
)
from fastapi_session.model import PUBLIC_TENANT, Json
from fastapi_session.web.exchange import Exchange, exchange_of
from fastapi_session.web.session import Session
from fastapi_session.web.transport import ACCESS_COOKIE, REFRESH_COOKIE, Credentials, Method


async def create_new_session_in_request(
    connection: HTTPConnection,
    user_id: str,
    *,
    tenant_id: str = PUBLIC_TENANT,
    recipe_user_id: str | None = None,
    access_token_payload: Json | None = None,
    session_data: Json | None = None,
) -> Session:
    """Begin a session of *user_id* and send its tokens with the response. Sessions that the request came with are ended.

    *access_token_payload* travels in the access token, where the user can read it; *session_data* stays in the store.
    Raises `PayloadError` where one of them cannot be carried, `StoreUnavailable`.
    """
    exchange = exchange_of(connection)
    method = _method_of_new_session(connection, exchange)
    presented = _presented_access_tokens(exchange.credentials)
    earlier = await _proven_handles(exchange, presented)
    for handle in earlier[1:]:
        await exchange.sessions.revoke(handle)
    issued = await exchange.sessions.create(
        user_id,
        tenant_id=tenant_id,
        recipe_user_id=recipe_user_id,
        access_token_payload=access_token_payload,
        session_data=session_data,
        replacing=earlier[0] if earlier else None,
        anti_csrf=_mode(exchange, method) == "VIA_TOKEN",
    )
    exchange.clear(other for other, _ in presented if other != method)
    return _send(issued, exchange=exchange, method=method)


async def get_session_from_request(
    connection: HTTPConnection,
    *,
    session_required: bool = True,
    anti_csrf_check: bool | None = None,
    check_database: bool = False,
) -> Session | None:
    """Answer the session that the request proves.

    `None` only where *session_required* is false and no token of ours came. *anti_csrf_check* is by default done for every
    method but GET, and never asked of a bearer token. Raises `UnauthorisedError`, `TryRefreshTokenError`, and with
    *check_database* `StoreUnavailable`.
    """
    exchange = exchange_of(connection)
    method, presented = _access_token(exchange.credentials, _allowed(connection, exchange))
    if presented is None:
        if not session_required:
            return None
        raise UnauthorisedError("no access token of ours came with the request")
    checked = connection.scope.get("method") != "GET" if anti_csrf_check is None else anti_csrf_check
    try:
        content = await exchange.sessions.verify(
            presented,
            check_database=check_database,
            proof=_proof(exchange, method) if checked else NOT_ASKED,
        )
    except SessionError as error:
        raise exchange.refuse(error)  # noqa: B904  it is the same error
    return Session(content, presented.text, exchange=exchange, method=method)


async def refresh_session_in_request(connection: HTTPConnection) -> Session:
    """Exchange the refresh token that came for new tokens, and send those with the response.

    Raises `UnauthorisedError`, `TokenTheftError`, `ClearDuplicateSessionCookiesError`, `DuplicateSessionCookiesError`,
    `StoreUnavailable`.
    """
    exchange = exchange_of(connection)
    try:
        session = await _refresh(connection, exchange)
    except SessionError as error:
        _forget_legacy_session(exchange)
        raise exchange.refuse(error)  # noqa: B904  it is the same error
    _forget_legacy_session(exchange)
    return session


async def _refresh(connection: HTTPConnection, exchange: Exchange) -> Session:
    credentials = exchange.credentials
    method, presented = _refresh_token(exchange, _allowed(connection, exchange))
    issued = await exchange.sessions.refresh(presented, proof=_proof(exchange, method))
    if method == "header" and credentials.refresh_cookies:
        exchange.clear(["cookie"])
    if method == "cookie" and _is_refresh_token(credentials.bearer):
        exchange.clear(["header"])
    return _send(issued, exchange=exchange, method=method)


def _forget_legacy_session(exchange: Exchange) -> None:
    """A refresh that was answered is the end of the legacy cookie; a store that is down changes nothing."""
    if exchange.credentials.has_legacy_cookie:
        exchange.clear_legacy_cookie()


def _send(issued: IssuedSession, *, exchange: Exchange, method: Method) -> Session:
    exchange.send(issued.tokens, method)
    return Session(issued.access_token, issued.tokens.access_token, exchange=exchange, method=method)


def _allowed(connection: HTTPConnection, exchange: Exchange, *, for_create: bool = False) -> TokenTransferMethod:
    configured = exchange.sessions.config.token_transfer_method
    return configured(connection, for_create) if callable(configured) else configured


def _method_of_new_session(connection: HTTPConnection, exchange: Exchange) -> Method:
    allowed = _allowed(connection, exchange, for_create=True)
    if allowed == "any":
        return "cookie" if exchange.credentials.auth_mode == "cookie" else "header"
    return allowed


def _presented_access_tokens(credentials: Credentials) -> list[tuple[Method, ParsedAccessToken]]:
    """Answer the access tokens of ours that came, with the method by which each did."""
    texts: list[tuple[Method, str | None]] = [("header", credentials.bearer)]
    texts += [("cookie", text) for text in credentials.access_cookies]
    parsed = [(method, access_token.parse(text)) for method, text in texts if text is not None]
    return [(method, token) for method, token in parsed if token is not None]


async def _proven_handles(exchange: Exchange, presented: list[tuple[Method, ParsedAccessToken]]) -> list[str]:
    """Answer the sessions that *presented* proves, each once."""
    handles = [await exchange.sessions.handle_proven_by(token) for _, token in presented]
    return list(dict.fromkeys(handle for handle in handles if handle is not None))


def _access_token(credentials: Credentials, allowed: TokenTransferMethod) -> tuple[Method, ParsedAccessToken | None]:
    if credentials.has_legacy_cookie:
        raise TryRefreshTokenError("a cookie of a legacy session came with the request")
    if allowed != "cookie" and credentials.bearer is not None:
        parsed = access_token.parse(credentials.bearer)
        if parsed is not None:
            return "header", parsed
    if allowed == "header" or not credentials.access_cookies:
        return "header", None
    if len(credentials.access_cookies) > 1:
        raise TryRefreshTokenError("two access-token cookies came with the request")
    return "cookie", access_token.parse(credentials.access_cookies[0])


def _refresh_token(exchange: Exchange, allowed: TokenTransferMethod) -> tuple[Method, str]:
    credentials = exchange.credentials
    if allowed != "header":
        _refuse_duplicates(exchange)
    cookie = credentials.refresh_cookies[0] if credentials.refresh_cookies and allowed != "header" else None
    bearer = credentials.bearer if allowed != "cookie" else None
    if bearer is not None and (cookie is None or _is_refresh_token(bearer)):
        return "header", bearer
    if cookie is not None:
        return "cookie", cookie
    stale = allowed != "header" and bool(credentials.access_cookies)
    raise UnauthorisedError("no refresh token came with the request", clears_tokens=stale)


def _is_refresh_token(bearer: str | None) -> bool:
    """Say whether *bearer* may be one of ours, and not an access token or what an application uses itself."""
    return bearer is not None and len(bearer) == refresh_token.LENGTH


def _refuse_duplicates(exchange: Exchange) -> None:
    """Two cookies of one name are those of two domains; which one is old, only the configuration knows."""
    credentials = exchange.credentials
    came = {ACCESS_COOKIE: credentials.access_cookies, REFRESH_COOKIE: credentials.refresh_cookies}
    duplicates = [name for name, values in came.items() if len(values) > 1]
    if not duplicates:
        return
    if exchange.sessions.config.older_cookie_domain is None:
        raise DuplicateSessionCookiesError(
            "The request contains multiple session cookies. That happens when cookie_domain was changed: set "
            "older_cookie_domain to what it was before ('' where it was not set), so that the older ones are cleared."
        )
    exchange.clear_older_cookies(*duplicates)
    raise ClearDuplicateSessionCookiesError("two session cookies of one name came with the request")


def _proof(exchange: Exchange, method: Method) -> AntiCsrfProof:
    """What the request offers against forgery; no browser can be tricked into sending a bearer token."""
    credentials = exchange.credentials
    return AntiCsrfProof(_mode(exchange, method), token=credentials.anti_csrf, custom_header=credentials.has_rid)


def _mode(exchange: Exchange, method: Method) -> AntiCsrfMode:
    return exchange.sessions.config.anti_csrf if method == "cookie" else "NONE"
