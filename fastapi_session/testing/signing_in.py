"""Signed-in test clients: a real session in the real store, its tokens on the client. No password, no login route."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from fastapi_session.client.flow import SessionFlow
from fastapi_session.config.lifetimes import AS_CONFIGURED, Lifetime
from fastapi_session.core.authentication import Authentication
from fastapi_session.engine.tokens.issuing import IssuedSession
from fastapi_session.errors import ConfigurationError
from fastapi_session.external_session import ExternalSession
from fastapi_session.handles import PUBLIC_TENANT
from fastapi_session.model import NOT_KNOWN, Circumstances, Json, Tokens
from fastapi_session.sessions import Sessions
from fastapi_session.testing.beginning import Claims, begin
from fastapi_session.testing.client import Client, ensure_keeps_cookies, session_auth_for
from fastapi_session.web.transport import ANTI_CSRF_HEADER, RID_HEADER, Method, Outcome, Transport


async def sign_in_async(  # noqa: PLR0913 - all but two are named, and a session has that many sides
    client: Client,
    sessions: Sessions,
    user_id: str,
    *,
    method: Method | None = None,
    tenant_id: str = PUBLIC_TENANT,
    claims: Claims | None = None,
    access_token_payload: Json | None = None,
    session_data: Json | None = None,
    lifetime: Lifetime = AS_CONFIGURED,
    authentication: Authentication | None = None,
    label: str | None = None,
    circumstances: Circumstances = NOT_KNOWN,
    external: ExternalSession | None = None,
    actor: str | None = None,
) -> IssuedSession:
    """Begin a session of *user_id*, put its tokens on *client*, and return it.

    *sessions* is the engine that `install` or `fresh_sessions` gave. *claims*, as `{Roles: ["admin"]}`, are what the session has
    without their being fetched, however old they become; all others are fetched as at any sign-in. By *method* the tokens
    travel in headers or in cookies; by default in headers, or by the method of `auto_refresh`. *circumstances* are address and
    browser of the sign-in, as a list of devices shows them, and *label* is what it calls the session. *external* is the identity
    provider's session by which the user signed in. If the client proves a key, by `auto_refresh`, the session is bound to it.
    If an *actor* is given, that user has signed in, and acts as *user_id*.

    Raises `ConfigurationError` if the client does not send the cookies back or `auto_refresh` got another *method*, and
    what `Sessions.create` raises.
    """
    method = _method(client, said=method)
    if method == "cookie":
        ensure_keeps_cookies(client, sessions.config)
    issued = await begin(
        sessions,
        user_id,
        tenant_id=tenant_id,
        claims=claims,
        access_token_payload=access_token_payload,
        session_data=session_data,
        lifetime=lifetime,
        authentication=authentication,
        label=label,
        circumstances=circumstances,
        external=external,
        actor=actor,
        anti_csrf=method == "cookie" and sessions.config.anti_csrf == "VIA_TOKEN",
        bound_key=client.auth.dpop.bound_key if isinstance(client.auth, SessionFlow) and client.auth.dpop else None,
    )
    _put(issued.tokens, client, sessions=sessions, method=method)
    return issued


def sign_in(  # noqa: PLR0913 - all but two are named, and a session has that many sides
    client: Client,
    sessions: Sessions,
    user_id: str,
    *,
    method: Method | None = None,
    tenant_id: str = PUBLIC_TENANT,
    claims: Claims | None = None,
    access_token_payload: Json | None = None,
    session_data: Json | None = None,
    lifetime: Lifetime = AS_CONFIGURED,
    authentication: Authentication | None = None,
    label: str | None = None,
    circumstances: Circumstances = NOT_KNOWN,
    external: ExternalSession | None = None,
    actor: str | None = None,
) -> IssuedSession:
    """Do as `sign_in_async` does, in a test that is not async itself. Raises `RuntimeError` in one that is.

    With an open client (`with TestClient(app) as client`) it is done on the event loop of the application.
    """
    signing_in = partial(
        sign_in_async,
        client,
        sessions,
        user_id,
        method=method,
        tenant_id=tenant_id,
        claims=claims,
        access_token_payload=access_token_payload,
        session_data=session_data,
        lifetime=lifetime,
        authentication=authentication,
        label=label,
        circumstances=circumstances,
        external=external,
        actor=actor,
    )
    if (portal := getattr(client, "portal", None)) is not None:
        # Connections of a store belong to the event loop that opened them.
        issued: IssuedSession = portal.call(signing_in)
        return issued
    if _is_async():
        raise RuntimeError("sign_in: this test is async, write `await sign_in_async(...)`")
    return asyncio.run(signing_in())


def _is_async() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _method(client: Client, *, said: Method | None) -> Method:
    if not isinstance(client.auth, SessionFlow):
        return said or "header"
    if said not in {None, client.auth.method}:
        raise ConfigurationError(f'sign_in: auto_refresh was told method="{client.auth.method}": leave method out here')
    return client.auth.method


def _put(tokens: Tokens, client: Client, *, sessions: Sessions, method: Method) -> None:
    """Have *client* take *tokens* as from the response of a sign-in, and make its requests as a page would."""
    response = _response(tokens, client, sessions=sessions, method=method)
    if method == "cookie":
        # The client's own jar decides which cookies it keeps, as it would for a response of the server.
        client.cookies.extract_cookies(response)
    if isinstance(client.auth, SessionFlow):
        client.auth.take(response)
    elif method == "header":
        client.headers["Authorization"] = f"Bearer {tokens.access_token}"
    else:
        # A page sends it with every request: no other site can, so it is what VIA_CUSTOM_HEADER looks for.
        client.headers[RID_HEADER] = "anti-csrf"
        if tokens.anti_csrf_token is not None:
            client.headers[ANTI_CSRF_HEADER] = tokens.anti_csrf_token


def _response(tokens: Tokens, client: Client, *, sessions: Sessions, method: Method) -> Any:
    """Return the response with which the application sends *tokens* to *client*."""
    https = client.base_url.scheme == "https"
    headers = Transport(sessions.config).write([], Outcome({method: tokens}), now=sessions.now(), https=https)
    return session_auth_for(client).response_class(200, headers=headers, request=client.build_request("POST", "/"))
