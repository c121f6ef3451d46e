"""What a JWT says that lets one other service know for whom a request is made (in the manner of RFC 8693).

| claim | value |
|---|---|
| `aud` | the one service that it is for: any other has to refuse it |
| `sub`, `sid`, `tId` | the user, the session by its handle, the tenant |
| `act` | who acts as the user, if somebody does |
| `amr`, `acr`, `auth_time` | how the user was authenticated, if the session tells |
| `scope` | what it is good for, if that was said |

It has no claim of the application: a service is told whose request it is, and asks for the rest.
Nobody looks in the store whether the session is still there, so such a token lives for minutes.
"""

from __future__ import annotations

from datetime import timedelta

from fastapi_session.core import authentication, impersonation
from fastapi_session.core.access_token import AccessToken
from fastapi_session.core.payload import ensure_text, is_name
from fastapi_session.errors import PayloadError
from fastapi_session.model import MAX_NAME, Json

LONGEST = timedelta(minutes=10)
"""How long such a token lives at most."""


def claims_for(content: AccessToken, audience: str, *, scope: str = "") -> Json:
    """Return the claims of a token by which *audience* knows the session of *content*, as the table says. Raises `PayloadError`."""
    ensure_text(audience, "audience")
    if not is_name(audience):
        raise PayloadError(
            f"audience: give the address or the name of one service, 1 to {MAX_NAME} characters: https://tools.example.com"
        )
    ensure_text(scope, "scope")
    told = content.authenticated.claims() if content.authenticated is not None else {}
    return {
        "aud": audience,
        "sub": content.user_id,
        "sid": content.session_handle,
        "tId": content.tenant_id,
        **({} if content.actor is None else {impersonation.CLAIM: impersonation.act_claim(content.actor)}),
        **{name: value for name, value in told.items() if name != authentication.AUTH_TIMES},
        **({"scope": scope} if scope else {}),
    }


def checked_validity(validity: object) -> timedelta:
    """Return *validity*. Raises `PayloadError` unless it is a span of time, and no longer than `LONGEST`."""
    if not isinstance(validity, timedelta) or not timedelta(0) < validity <= LONGEST:
        minutes = LONGEST // timedelta(minutes=1)
        raise PayloadError(f"validity: give a timedelta of at most {minutes} minutes; create_jwt() makes other JWTs")
    return validity
