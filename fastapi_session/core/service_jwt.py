"""JWTs (RFC 7519) that are no access tokens: what an application wants to have signed for other services.

The same keys sign them and access tokens. So that nobody takes one for the other, they have a `typ` of their own (RFC 8725,
section 3.11). And they have no `version` in their header, without which nothing is read as an access token, whatever its
`typ` (section 3.12).
"""

from __future__ import annotations

import re

from fastapi_session.core import jws
from fastapi_session.core.signing_keys import SigningKey
from fastapi_session.errors import PayloadError
from fastapi_session.model import Json

TYPE = "service+jwt"
"""The `typ` of a JWT for other services: media type `application/service+jwt`, which nobody else uses."""

_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}")  # RFC 6838, section 4.2


def type_name(value: str) -> str:
    """Return *value*, a media type without its `application/`. Raises `PayloadError`."""
    if not _TYPE.fullmatch(value):
        raise PayloadError(f"typ: give a media type without its 'application/', as in {TYPE}")
    return value


def mint(payload: Json, key: SigningKey, *, typ: str, now: int, validity: int) -> str:
    """Return *payload* signed by *key* as a JWT of the type *typ*, issued at *now* and valid for *validity* (milliseconds)."""
    header = jws.segment({"alg": key.algorithm, "kid": key.kid, "typ": typ})
    return jws.signed(header, {**payload, "iat": now // 1000, "exp": (now + validity) // 1000}, key)
