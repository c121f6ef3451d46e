"""A route whose session is given: a provider in the place of `verify_session()`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import HTTPConnection

from fastapi_session.config.lifetimes import AS_CONFIGURED, Lifetime
from fastapi_session.core.authentication import Authentication
from fastapi_session.model import Json
from fastapi_session.testing.beginning import Claims, begin
from fastapi_session.web.creating import attach_session_to_request
from fastapi_session.web.exchange import exchange_of
from fastapi_session.web.session import Session


def session_of(
    user_id: str,
    *,
    claims: Claims | None = None,
    access_token_payload: Json | None = None,
    session_data: Json | None = None,
    lifetime: Lifetime = AS_CONFIGURED,
    authentication: Authentication | None = None,
) -> Callable[[HTTPConnection], Awaitable[Session]]:
    """Return a provider for `app.dependency_overrides[verify_session()]`: every request has a new session of *user_id*.

    Nothing is verified, and no validator of the route runs. *claims*, as `{Roles: ["admin"]}`, are what the session has
    without their being fetched.
    """

    async def provide(connection: HTTPConnection) -> Session:
        # At each request, not once: a session that a test revokes or changes is then not the next test's.
        issued = await begin(
            exchange_of(connection).sessions,
            user_id,
            claims=claims,
            access_token_payload=access_token_payload,
            session_data=session_data,
            lifetime=lifetime,
            authentication=authentication,
        )
        return attach_session_to_request(connection, issued)

    return provide
