"""What a JWT says that lets one other service know for whom a request is made (in the manner of RFC 8693).

| claim | value |
|---|---|
| `aud` | the one service that it is for: any other has to refuse it |
| `sub`, `sid`, `tId` | the user, the session by its handle, the tenant |
| `act` | who acts as the user, if somebody does |
| `amr`, `acr`, `auth_time` | how the user was authenticated, if the session tells |
| `scope` | what it is good for, if that was said |

It has no claim of the application: a service is told whose request it is, and asks for the rest.
A service that verifies it alone does not know whether the session is still there, so such a token lives for minutes. One that
cannot wait as long asks by introspection; there it is read by the same table, and one that says anything else is none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from fastapi_session.core import authentication, impersonation
from fastapi_session.core.access_token import AccessToken
from fastapi_session.core.payload import ensure_text, is_name
from fastapi_session.errors import PayloadError
from fastapi_session.json_types import JsonObject
from fastapi_session.model import MAX_NAME, Actor, Json

LONGEST = timedelta(minutes=10)
"""How long such a token lives at most."""

_TEXTS = ("iss", "aud", "sub", "sid", "tId")
_MOMENTS = ("iat", "exp")
_FURTHER = {impersonation.CLAIM: dict, "amr": list, "acr": str, "auth_time": int, "scope": str}


@dataclass(frozen=True, slots=True)
class AudienceToken:
    """What such a token says: that *audience* knows by it the session *handle* of *user_id*. *claims* are all that it has."""

    issuer: str
    audience: str
    user_id: str
    handle: str
    tenant_id: str
    actor: Actor | None
    expires_at: int
    claims: JsonObject = field(repr=False)


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


def read(claims: JsonObject) -> AudienceToken | None:
    """Return what *claims* of a JWT say, `None` unless they are as `claims_for` writes them. Nothing is verified here."""
    if not claims.keys() <= {*_TEXTS, *_MOMENTS, *_FURTHER}:
        return None
    issuer, audience, user_id, handle, tenant_id = (claims.get(name) for name in _TEXTS)
    expires_at, act = claims.get("exp"), claims.get(impersonation.CLAIM)
    actor = impersonation.actor_in(act)
    # `type(...)`, since to isinstance true and false are numbers.
    if not (
        type(issuer) is type(audience) is type(user_id) is type(handle) is type(tenant_id) is str
        and type(claims.get("iat")) is type(expires_at) is int
        and all(type(claims[name]) is kind for name, kind in _FURTHER.items() if name in claims)
        and (act is None or actor is not None)
    ):
        return None
    return AudienceToken(issuer, audience, user_id, handle, tenant_id, actor, expires_at, claims)
