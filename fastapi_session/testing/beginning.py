"""How the kit begins a session: as the application does, except for what the test says of its user."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import Any

from fastapi_session.config.lifetimes import AS_CONFIGURED, Lifetime
from fastapi_session.core.authentication import Authentication
from fastapi_session.core.claims.claim import LATEST_MOMENT, Claim
from fastapi_session.engine.tokens.issuing import IssuedSession
from fastapi_session.external_session import ExternalSession
from fastapi_session.handles import PUBLIC_TENANT
from fastapi_session.model import NOT_KNOWN, Circumstances, Json
from fastapi_session.sessions import Sessions

Claims = Mapping[Claim[Any], object]
"""What a test says of a user, by claim: `{Roles: ["admin"]}`."""

NEVER_TOO_OLD = LATEST_MOMENT - 1
"""When the claims of a test count as fetched (milliseconds since the epoch): later than any test, so no validator fetches them anew."""


async def begin(  # noqa: PLR0913 - all but two are named, and a session has that many sides
    sessions: Sessions,
    user_id: str,
    *,
    tenant_id: str = PUBLIC_TENANT,
    claims: Claims | None = None,
    access_token_payload: Json | None = None,
    session_data: Json | None = None,
    lifetime: Lifetime = AS_CONFIGURED,
    authentication: Authentication | None = None,
    label: str | None = None,
    circumstances: Circumstances = NOT_KNOWN,
    external: ExternalSession | None = None,
    anti_csrf: bool | None = None,
    actor: str | None = None,
    bound_key: str | None = None,
) -> IssuedSession:
    """Begin a session of *user_id* that has *claims*, which are not fetched: neither now, nor when they would be too old.

    All other claims are fetched as at any sign-in. If an *actor* is given, the session is that user's, and he acts as *user_id*:
    only claims, payload and data are those of *user_id*. Raises what `Sessions.create` raises, and `Sessions.impersonate`.
    """
    said: dict[str, object] = {}
    for claim, value in (claims or {}).items():
        said |= claim.entry(value, now=NEVER_TOO_OLD)
    # A shallow copy shares store, keys and feed, so the application knows the session; only its claims are fewer.
    beginning = copy(sessions)
    beginning.claims = tuple(claim for claim in sessions.claims if claim.key not in said)
    payload = {**(access_token_payload or {}), **said}
    way: dict[str, Any] = {"lifetime": lifetime, "authentication": authentication, "label": label, "external": external}
    way |= {"tenant_id": tenant_id, "circumstances": circumstances, "anti_csrf": anti_csrf, "bound_key": bound_key}
    if actor is not None:
        own = await begin(sessions, actor, **way)
        return await beginning.impersonate(
            own.access_token, user_id, reason="a test", access_token_payload=payload, session_data=session_data
        )
    return await beginning.create(user_id, access_token_payload=payload, session_data=session_data, **way)
