"""The refresh token of SuperTokens, version 2, opened with the key of its core.

Pure, and strict: of the ways to write the same bytes only that of the core is read.

    base64(iv, 12 bytes | AES-256-GCM of the content | tag, 16 bytes) "." nonce ".V2"

The AES key is PBKDF2-HMAC-SHA512 of the core's key, *as the text that it is*, with the iv as salt, in 100 rounds. The content is
JSON: `sessionHandle`, `userId`, `nonce` (that after the first dot), and, if there is one, `parentRefreshTokenHash1`,
`antiCsrfToken` and `tenantId` (of any but the public one).

h1 is the hexadecimal SHA-256 of a token's text, h2 the SHA-256 of that (`secret_named`). A row has the h2 of its token, the content the
h1 of its parent.
"""

from __future__ import annotations

import binascii
import hashlib
import json
import re
from base64 import b64decode, b64encode

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretStr

from fastapi_session.core.foreign_claims import secret_named
from fastapi_session.foreign_sessions import ForeignToken
from fastapi_session.handles import PUBLIC_TENANT
from fastapi_session.model import Json
from fastapi_session.moving.supertokens.handles import session_id_of

LONGEST = 4_096
"""Characters of the longest token that is read. A genuine one has 376 to 2,000: a user's id has at most 128 characters."""

_FORM = re.compile(r"([A-Za-z0-9+/]+={0,2})\.([0-9a-f]{64})\.V2")
_HASH = re.compile(r"[0-9a-f]{64}")
_ROUNDS = 100
_IV = 12
_MOST = 256
"""Characters of the longest handle, tenant or anti-CSRF token in the content that is read."""


def opened(text: str, *, key: SecretStr) -> ForeignToken | None:
    """Return the content of the refresh token *text*, `None` if no core that has *key* wrote it. No input raises."""
    parts = _FORM.fullmatch(text) if len(text) <= LONGEST else None
    if parts is None:
        return None
    encrypted, nonce = parts.groups()
    content = _decrypted(encrypted, key)
    if content is None or content.get("nonce") != nonce or not isinstance(content.get("userId"), str):
        return None
    return _read(content, secret=secret_named(hash_of_text(text)))


def hash_of_text(text: str) -> str:
    """Return h1 of a token, as the content of its child and an access token have it."""
    return hashlib.sha256(text.encode()).hexdigest()


def _decrypted(encoded: str, key: SecretStr) -> Json | None:
    try:
        sealed = b64decode(encoded, validate=True)
        if b64encode(sealed).decode() != encoded:  # Two texts of one token would have two hashes.
            return None
        iv = sealed[:_IV]
        aes = AESGCM(hashlib.pbkdf2_hmac("sha512", key.get_secret_value().encode(), iv, _ROUNDS, 32))
        content = json.loads(aes.decrypt(iv, sealed[_IV:], None))
    except (binascii.Error, InvalidTag, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _read(content: Json, *, secret: bytes) -> ForeignToken | None:
    """Return the token whose *content* is authentic. It is looked at none the less: it goes into rows and statements of ours."""
    tenant_id = content.get("tenantId") or PUBLIC_TENANT
    parent = content.get("parentRefreshTokenHash1")
    anti_csrf_token = content.get("antiCsrfToken")
    if not _is_text(tenant_id) or not _is_text(content.get("sessionHandle")):
        return None
    session_id = session_id_of(content["sessionHandle"], tenant_id)
    if session_id is None or not (parent is None or _is_hash(parent)):
        return None
    if not (anti_csrf_token is None or _is_text(anti_csrf_token)):
        return None
    parent_secret = None if parent is None else secret_named(parent)
    return ForeignToken(session_id, tenant_id, secret, parent_secret, anti_csrf_token)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _MOST


def _is_hash(value: object) -> bool:
    return isinstance(value, str) and _HASH.fullmatch(value) is not None
