"""Signed-in test clients: a real session in the real store, its tokens on the client. No password, no login route."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

from starlette.requests import HTTPConnection

from fastapi_session.engine.minting import IssuedSession
from fastapi_session.model import PUBLIC_TENANT, Json
from fastapi_session.sessions import Sessions
from fastapi_session.web.session import Session
from fastapi_session.web.session_requests import create_new_session_in_request
from fastapi_session.web.transport import ACCESS_COOKIE, ANTI_CSRF_HEADER, REFRESH_COOKIE, Method


class Client(Protocol):
    """What is asked of an HTTP client: those of httpx and httpx2, sync and async, and Starlette's TestClient have it."""

    @property
    def headers(self) -> MutableMapping[str, str]:
        """Headers of every request."""

    @property
    def cookies(self) -> Any:
        """The cookie jar, with `set(name, value, domain=..., path=...)`."""

    @property
    def base_url(self) -> Any:
        """Where requests go, with its `host`."""


async def sign_in_async(
    client: Client,
    sessions: Sessions,
    user_id: str,
    *,
    method: Method = "header",
    tenant_id: str = PUBLIC_TENANT,
    access_token_payload: Json | None = None,
    session_data: Json | None = None,
) -> IssuedSession:
    """Begin a session of *user_id* and put its tokens on *client*; answer it.

    *sessions* is the engine that `install` answered. By *method* the tokens travel in headers or in cookies; registered
    claims are fetched as at any sign-in.
    """
    issued = await sessions.create(
        user_id,
        tenant_id=tenant_id,
        access_token_payload=access_token_payload,
        session_data=session_data,
        anti_csrf=method == "cookie" and sessions.config.anti_csrf == "VIA_TOKEN",
    )
    if method == "header":
        client.headers["Authorization"] = f"Bearer {issued.tokens.access_token}"
    else:
        client.headers["rid"] = "anti-csrf"
        if issued.tokens.anti_csrf_token is not None:
            client.headers[ANTI_CSRF_HEADER] = issued.tokens.anti_csrf_token
        domain = _domain_of_cookies(client, sessions)
        client.cookies.set(ACCESS_COOKIE, issued.tokens.access_token, domain=domain)
        client.cookies.set(
            REFRESH_COOKIE, issued.tokens.refresh_token or "", domain=domain, path=sessions.config.refresh_path
        )
    return issued


def _domain_of_cookies(client: Client, sessions: Sessions) -> str:
    """Answer the domain under which the jar keeps what the application sets, so that it is replaced and cleared there.

    Jars of the standard library keep cookies of a host without dots under "host.local".
    """
    if sessions.config.cookie_domain is not None:
        return f".{sessions.config.cookie_domain.removeprefix('.')}"
    host: str = client.base_url.host
    return host if "." in host or not host else f"{host}.local"


def sign_in(
    client: Client,
    sessions: Sessions,
    user_id: str,
    *,
    method: Method = "header",
    tenant_id: str = PUBLIC_TENANT,
    access_token_payload: Json | None = None,
    session_data: Json | None = None,
) -> IssuedSession:
    """Do as `sign_in_async` does, in a test that is not async itself."""
    return asyncio.run(
        sign_in_async(
            client,
            sessions,
            user_id,
            method=method,
            tenant_id=tenant_id,
            access_token_payload=access_token_payload,
            session_data=session_data,
        )
    )


def session_of(
    user_id: str, *, access_token_payload: Json | None = None, session_data: Json | None = None
) -> Callable[[HTTPConnection], Awaitable[Session]]:
    """Answer a provider for `app.dependency_overrides[verify_session()]`: every request has a new session of *user_id*."""

    async def provide(connection: HTTPConnection) -> Session:
        return await create_new_session_in_request(
            connection, user_id, access_token_payload=access_token_payload, session_data=session_data
        )

    return provide
