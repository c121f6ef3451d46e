"""JWTs (RFC 7519) that are no access tokens: what an application wants to have signed for other services.

They carry no `version` in their header, without which nothing is read as an access token (RFC 8725, section 3.12).
"""

from __future__ import annotations

from fastapi_session.core import base64url
from fastapi_session.core.segment import segment
from fastapi_session.core.signing_keys import SigningKey
from fastapi_session.model import Json


def mint(payload: Json, key: SigningKey, *, now: int, validity: int) -> str:
    """Answer *payload* signed by *key*, issued at *now* and valid for *validity*, both milliseconds."""
    header = {"alg": key.algorithm, "kid": key.kid, "typ": "JWT"}
    claims = {**payload, "iat": now // 1000, "exp": (now + validity) // 1000}
    signing_input = f"{segment(header)}.{segment(claims)}"
    return f"{signing_input}.{base64url.encode(key.sign(signing_input.encode('ascii')))}"
