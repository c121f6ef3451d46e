"""The claims of an access token that a SuperTokens core signed, as those of a token of ours. Nothing in them is verified here.

| claim | in version 3 | 4 | 5 |
|---|---|---|---|
| `sub`, `sessionHandle`, `refreshTokenHash1`, `parentRefreshTokenHash1`, `antiCsrfToken`, `iss`, `iat`, `exp` | theirs | theirs | theirs |
| `tId` | of the application: the handle says the tenant | theirs | theirs |
| `rsub` | of the application: it is `sub` | of the application | theirs |
| any other name that is ours | of the application | the same | the same |

What is of the application and has a name of ours is left out, as it is from a payload. The handle is written as ours, and a hash of
theirs becomes the fingerprint of the same refresh token as ours: by that the session is found, and the token compared with it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Set as AbstractSet

from fastapi_session.core.refresh_token import fingerprint_of
from fastapi_session.handles import own_handle, split_handle
from fastapi_session.json_types import JsonObject, JsonValue

_HASHES = ("refreshTokenHash1", "parentRefreshTokenHash1")
_LAST_WITHOUT_TENANT = 3
_LAST_WITHOUT_RECIPE_USER = 4
_THEIRS = frozenset(
    "sub rsub tId sessionHandle refreshTokenHash1 parentRefreshTokenHash1 antiCsrfToken iss iat exp".split()
)


def as_ours(claims: JsonObject, *, version: int, reserved: AbstractSet[str]) -> JsonObject:
    """Return *claims* of a token of that *version* by the table above; *reserved* are the names of ours. No input raises."""
    read = {name: value for name, value in claims.items() if name in _THEIRS or name not in reserved}
    handle, user_id = read.get("sessionHandle"), read.get("sub")
    if isinstance(handle, str):
        read["sessionHandle"] = own_handle(handle)
        if version <= _LAST_WITHOUT_TENANT:
            read["tId"] = split_handle(handle)[1]
    if version <= _LAST_WITHOUT_RECIPE_USER:
        read["rsub"] = user_id
    return read | {name: _fingerprint(read[name]) for name in _HASHES if name in read}


def secret_named(refresh_token_hash: str) -> bytes:
    """Return the secret (`ForeignToken.secret`, 32 bytes) of the refresh token whose text has this SHA-256, in hexadecimal digits."""
    return hashlib.sha256(refresh_token_hash.encode()).digest()


def _fingerprint(value: JsonValue) -> JsonValue:
    """Return the fingerprint of the refresh token that has this hash; what is no hash stays, and is refused as such."""
    if not isinstance(value, str) or not re.fullmatch("[0-9a-f]{64}", value):
        return value
    return fingerprint_of(secret_named(value)).hex()
