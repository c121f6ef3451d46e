"""Mint and read the signed access token: a JWT (RFC 7519) in the shape that SuperTokens clients and verifiers know.

| part | content |
|---|---|
| header | `alg`, `typ` "JWT", `kid`, `version` "5", and nothing else |
| payload | `sub rsub tId sessionHandle refreshTokenHash1 parentRefreshTokenHash1 antiCsrfToken iss iat exp`, `jti` if a refresh gave it out, then the custom claims |

Reading is strict: `parse` answers `None` for all that has not our structure, `verify` raises `TryRefreshTokenError` for what has
it but proves nothing. The algorithm is the key's; the header's word for it must merely agree.
What `parse` answers is not to be believed before `verify` has.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from fastapi_session.core import base64url
from fastapi_session.core.access_token_header import header_segment, read_header
from fastapi_session.core.payload import copied
from fastapi_session.core.segment import read_segment, segment
from fastapi_session.core.signing_keys import SigningKey
from fastapi_session.errors import TryRefreshTokenError
from fastapi_session.model import PUBLIC_TENANT, Json

LONGEST = 8_192
"""Characters of an access token that is read. None can have as many whose session began with one that a browser keeps."""

STANDARD_CLAIMS = frozenset(
    "sub rsub tId sessionHandle refreshTokenHash1 parentRefreshTokenHash1 antiCsrfToken iss iat exp".split()
)
"""Claims that every token has."""

RESERVED_CLAIMS = STANDARD_CLAIMS | {"jti"}
"""Claims that an application cannot set: in its payload they are dropped."""

_HASH = re.compile(r"[0-9a-f]{64}")
_ISSUE_ID = re.compile(r"[A-Za-z0-9_-]{12}")
_TEXTS = ("sub", "sessionHandle", "refreshTokenHash1")
_TEXTS_OR_MISSING = ("rsub", "tId", "iss", "jti")
_MAX_MOMENT = 253_402_300_800
"""Seconds until the year 10000, which no datetime can say."""


@dataclass(frozen=True, slots=True)
class AccessToken:
    """The content of an access token. Moments are whole seconds since the epoch, *custom* the application's claims.

    *issue_id* is that of the refresh token it came with, `None` for the first of a session. As `jti` (RFC 7519, section
    4.1.7) it stays the same when the claims are changed in between.
    """

    user_id: str
    recipe_user_id: str
    tenant_id: str
    session_handle: str
    refresh_token_hash: str = field(repr=False)
    parent_refresh_token_hash: str | None = field(repr=False)
    anti_csrf_token: str | None = field(repr=False)
    issuer: str
    issued_at: int
    expires_at: int
    custom: Json = field(repr=False)
    issue_id: bytes | None = field(repr=False, default=None)

    @property
    def session_id(self) -> str:
        """The session's id, which its handle begins with."""
        return self.session_handle.partition("_")[0]

    def claims(self) -> dict[str, Any]:
        """Return the whole payload of the JWT, a copy of one's own."""
        return {
            "sub": self.user_id,
            "rsub": self.recipe_user_id,
            "tId": self.tenant_id,
            "sessionHandle": self.session_handle,
            "refreshTokenHash1": self.refresh_token_hash,
            "parentRefreshTokenHash1": self.parent_refresh_token_hash,
            "antiCsrfToken": self.anti_csrf_token,
            "iss": self.issuer,
            "iat": self.issued_at,
            "exp": self.expires_at,
            **({} if self.issue_id is None else {"jti": base64url.encode(self.issue_id)}),
            **copied(self.custom),
        }


@dataclass(frozen=True, slots=True)
class ParsedAccessToken:
    """What has the structure of an access token of ours. Not to be believed yet."""

    text: str = field(repr=False)
    kid: str
    algorithm: str
    signature: bytes = field(repr=False)
    content: AccessToken

    @property
    def signing_input(self) -> bytes:
        """The bytes that were signed (RFC 7515, section 5.1)."""
        return self.text.rpartition(".")[0].encode("ascii")


def custom_claims(payload: Json) -> dict[str, Any]:
    """Return *payload* without the names that are ours."""
    return {name: value for name, value in payload.items() if name not in RESERVED_CLAIMS}


def mint(token: AccessToken, key: SigningKey) -> str:
    """Return *token* signed by *key*, however long it is: whether a browser keeps it was asked when its claims were written."""
    text = signing_input(token, key)
    return f"{text}.{base64url.encode(key.sign(text.encode('ascii')))}"


def parse(text: str) -> ParsedAccessToken | None:
    """Return *text* taken apart, or `None` where it has not the structure of an access token of ours."""
    if len(text) > LONGEST or text.count(".") != 2:
        return None
    header_text, payload_text, signature_text = text.split(".")
    header, payload = read_header(header_text), read_segment(payload_text)
    signature = base64url.decode(signature_text)
    content = None if payload is None else _content(payload)
    if header is None or content is None or not signature:
        return None
    return ParsedAccessToken(text, header.kid, header.algorithm, signature, content)


def verify(parsed: ParsedAccessToken, key: SigningKey | None, *, now: int) -> AccessToken:
    """Return the content of *parsed* once *key* (the one its kid names) proves it and it has not expired at *now*.

    *now* is milliseconds. Raises `TryRefreshTokenError`.
    """
    if not is_signed_by(parsed, key):
        raise TryRefreshTokenError("access token: signed by no key that is known")
    ensure_alive(parsed.content, now=now)
    return parsed.content


def ensure_alive(token: AccessToken, *, now: int) -> None:
    """Raise `TryRefreshTokenError` where *token* has expired at *now* (milliseconds)."""
    if token.expires_at * 1000 <= now:
        raise TryRefreshTokenError("access token: expired", handle=token.session_handle)


def is_signed_by(parsed: ParsedAccessToken, key: SigningKey | None) -> bool:
    """Say whether *key* signed *parsed*, whatever the time is."""
    return (
        key is not None and key.algorithm == parsed.algorithm and key.verifies(parsed.signing_input, parsed.signature)
    )


def signing_input(token: AccessToken, key: SigningKey) -> str:
    """Return the text of *token* that *key* signs (RFC 7515, section 5.1)."""
    return f"{header_segment(key.algorithm, key.kid)}.{segment(token.claims())}"


def _content(payload: dict[str, Any]) -> AccessToken | None:
    """Return the content that *payload* says, `None` where a claim is missing or of another type than ours."""
    if not _has_our_claims(payload):
        return None
    claim = payload.get
    return AccessToken(
        user_id=payload["sub"],
        recipe_user_id=claim("rsub", payload["sub"]),
        tenant_id=claim("tId", PUBLIC_TENANT),
        session_handle=payload["sessionHandle"],
        refresh_token_hash=payload["refreshTokenHash1"],
        parent_refresh_token_hash=claim("parentRefreshTokenHash1"),
        anti_csrf_token=claim("antiCsrfToken"),
        issuer=claim("iss", ""),
        issued_at=int(payload["iat"]),
        expires_at=int(payload["exp"]),
        custom=custom_claims(payload),
        issue_id=base64url.decode(claim("jti") or "") or None,
    )


def _has_our_claims(payload: dict[str, Any]) -> bool:
    for name in _TEXTS:
        if type(payload.get(name)) is not str:
            return False
    for name in _TEXTS_OR_MISSING:
        if type(payload.get(name, "")) is not str:
            return False
    parent, anti_csrf = payload.get("parentRefreshTokenHash1"), payload.get("antiCsrfToken")
    return (
        _HASH.fullmatch(payload["refreshTokenHash1"]) is not None
        and (parent is None or (type(parent) is str and _HASH.fullmatch(parent) is not None))
        and (anti_csrf is None or type(anti_csrf) is str)
        and ("jti" not in payload or _ISSUE_ID.fullmatch(payload["jti"]) is not None)
        and _is_moment(payload.get("iat"))
        and _is_moment(payload.get("exp"))
    )


def _is_moment(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value < _MAX_MOMENT
