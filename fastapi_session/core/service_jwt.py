"""JWTs (RFC 7519) that are no access tokens: what an application wants to have signed for other services.

The same keys sign them and access tokens. So that nobody takes one for the other, they have a `typ` of their own (RFC 8725,
section 3.11). And they have no `version` in their header, without which nothing is read as an access token, whatever its
`typ` (section 3.12).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from fastapi_session.core import base64url, jws
from fastapi_session.core.jws import Jws
from fastapi_session.core.signing_keys import SigningKey, is_foreign_kid, is_kid
from fastapi_session.errors import PayloadError
from fastapi_session.json_types import JsonObject
from fastapi_session.model import Json

TYPE = "service+jwt"
"""The `typ` of a JWT for other services: media type `application/service+jwt`, which nobody else uses."""

LONGEST = 8_192
"""Characters of the longest one that is read again."""

_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}")  # RFC 6838, section 4.2
_HEADER_NAMES = frozenset({"alg", "kid", "typ"})


@dataclass(frozen=True, slots=True)
class ParsedServiceJwt(Jws):
    """What has the structure of a JWT of the type `TYPE`. Its signature is not verified yet, and nothing in *claims* is checked."""

    claims: JsonObject = field(repr=False)


def type_name(value: str) -> str:
    """Return *value*, a media type without its `application/`. Raises `PayloadError`."""
    if not _TYPE.fullmatch(value):
        raise PayloadError(f"typ: give a media type without its 'application/', as in {TYPE}")
    return value


def mint(payload: Json, key: SigningKey, *, typ: str, now: int, validity: int) -> str:
    """Return *payload* signed by *key* as a JWT of the type *typ*, issued at *now* and valid for *validity* (milliseconds)."""
    header = jws.segment({"alg": key.algorithm, "kid": key.kid, "typ": typ})
    return jws.signed(header, {**payload, "iat": now // 1000, "exp": (now + validity) // 1000}, key)


def parse(text: str) -> ParsedServiceJwt | None:
    """Return *text* taken apart, or `None` if it has not the structure of a JWT of the type `TYPE`."""
    # The length first: whatever else comes costs no decoding.
    if len(text) > LONGEST or text.count(".") != 2:
        return None
    header_text, payload_text, signature_text = text.split(".")
    header = jws.read_segment(header_text)
    if header is None or header.keys() != _HEADER_NAMES or header["typ"] != TYPE:
        return None  # so that an access token, which is asked about much more often, is not read twice
    kid, algorithm = header["kid"], header["alg"]
    if not isinstance(kid, str) or not isinstance(algorithm, str) or not is_kid(kid) or is_foreign_kid(kid):
        return None
    claims, signature = jws.read_segment(payload_text), base64url.decode(signature_text)
    return ParsedServiceJwt(text, kid, algorithm, signature, claims) if claims is not None and signature else None
