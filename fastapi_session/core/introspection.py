"""What another service is told of a token that it asks about (RFC 7662, section 2.2).

| member | of an access token | of a token for that service |
|---|---|---|
| `active` | true | true |
| `token_type` | `DPoP` if it is bound to a key of DPoP, else `Bearer` | `Bearer` |
| `iss`, `sub`, `tId`, `iat`, `exp` | as it says | as it says |
| `sid` | the session by its handle | as it says |
| `aud`, `scope` | | as it says |
| `act` | who acts as the user, if somebody does | as it says |
| `auth_time`, `amr`, `acr` | how the user was authenticated, if it says | as it says |
| `cnf` | the key of DPoP, by its thumbprint: the service has to ask for the proof (RFC 9449, section 6.2) | |
| `is_anonymous` | true, if it is a guest's | |
| `deviceBound` | true, if a browser has bound its session to a key | |
| claims of the application | those of the session now, if the deployment lets the client have them | |

The names are those of a token for one service, wherever that has one. What verifies or finds a token is told to nobody: no hash, no
anti-CSRF token. Of a token that is not active nothing is told, and not why.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fastapi_session.core import authentication, impersonation
from fastapi_session.core.access_token import RESERVED_CLAIMS, AccessToken
from fastapi_session.core.audience_token import AudienceToken
from fastapi_session.model import Json

INACTIVE: Json = {"active": False}

OWN_MEMBERS = RESERVED_CLAIMS | {"active", "token_type", "sid"}
"""Names that no claim of the application has in a response."""


def told_of(content: AccessToken, names: Iterable[str]) -> dict[str, Any]:
    """Return what is told of the access token *content*, and of the application's claims those called *names*."""
    known = {} if content.authenticated is None else content.authenticated.claims()
    return {
        **{name: content.custom[name] for name in names if name in content.custom},
        "active": True,
        "token_type": "Bearer" if content.jkt is None else "DPoP",
        "iss": content.issuer,
        "sub": content.user_id,
        "sid": content.session_handle,
        "tId": content.tenant_id,
        "iat": content.issued_at,
        "exp": content.expires_at,
        **{name: value for name, value in known.items() if name != authentication.AUTH_TIMES},
        **({} if content.actor is None else {impersonation.CLAIM: impersonation.act_claim(content.actor)}),
        **({} if content.jkt is None else {"cnf": {"jkt": content.jkt}}),
        **({"is_anonymous": True} if content.is_guest else {}),
        **({"deviceBound": True} if content.is_device_bound else {}),
    }


def told_of_audience_token(token: AudienceToken) -> dict[str, Any]:
    """Return what is told of *token* to the service that it is for."""
    return {"active": True, "token_type": "Bearer", **token.claims}
