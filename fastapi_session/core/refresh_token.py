"""Mint, read and derive refresh tokens.

A refresh token is 111 bytes, 148 base64url characters:

| bytes | field |
|---|---|
| 1 | version, 2 |
| 1 | kid of the secret that made it |
| 16 | session id |
| 4 | generation n, big endian |
| 32 | secret S_n |
| 32 | P_n = h1(S_{n-1}), zeros for n = 0 |
| 9 | issue id, random: another one each time the token is handed out |
| 16 | the first 16 bytes of HMAC-SHA256(mac, all before) |

S_0 is random and S_{n+1} is derived from S_n, so that the same token presented twice has the same successor, whoever presents
it and to whichever process. The issue id takes no part in that: all tokens of a generation can be exchanged, but whether two
clients hold the same one can be seen. A store keeps H(S) = HMAC-SHA256(pepper, h1(S)) alone: whoever reads it can make no token of it.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from dataclasses import dataclass, field

from fastapi_session.core import base64url
from fastapi_session.core.secret import Secret, Secrets

VERSION = 2
LENGTH = 148
"""Characters of a refresh token."""

ISSUE_ID_BYTES = 9
"""Bytes of an issue id. They fill the last base64url character, so that none has spare bits."""

_LAYOUT = struct.Struct(f">BB16sI32s32s{ISSUE_ID_BYTES}s")
_MAC_BYTES = 16
_TABS_LAG = 2
_H1 = b"fastapi_session/h1"
_ANTI_CSRF = b"fastapi_session/anti-csrf"

NO_PARENT = bytes(32)
"""What the first token of a session says of the one before it."""


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """The content of a refresh token. *secret* is S_n, *parent* is P_n; *session_id* is 32 hexadecimal characters.

    *issue_id* tells apart the times that a token of this generation was handed out.
    """

    kid: int
    session_id: str
    generation: int
    secret: bytes = field(repr=False)
    parent: bytes = field(repr=False)
    issue_id: bytes = field(repr=False)

    @property
    def fingerprint(self) -> bytes:
        """h1(S_n): what the access token and the next refresh token say of this one."""
        return hashlib.sha256(_H1 + self.secret).digest()


def fingerprint_of(secret: bytes) -> bytes:
    """Return the fingerprint of the token that has *secret*."""
    return hashlib.sha256(_H1 + secret).digest()


def first(session_id: str, *, secret: bytes, kid: int, issue_id: bytes) -> RefreshToken:
    """Return generation 0 of a session; *secret* is 32 random bytes, *issue_id* 9."""
    return RefreshToken(
        kid=kid, session_id=session_id, generation=0, secret=secret, parent=NO_PARENT, issue_id=issue_id
    )


def session_of_login(login: bytes) -> str:
    """Return the id of the session that begins with a login of another system, of which *login* is a digest, 32 bytes."""
    return login[:16].hex()


def first_of_login(login: bytes, made_by: Secret, *, issue_id: bytes) -> RefreshToken:
    """Return generation 0 of `session_of_login`: the same for the same *login*, as the secret *made_by* derives it."""
    secret = _hmac(made_by.derive, b"fastapi_session/login" + login)
    return first(session_of_login(login), secret=secret, kid=made_by.kid, issue_id=issue_id)


def successor(token: RefreshToken, made_by: Secret, *, issue_id: bytes) -> RefreshToken:
    """Return the one token that follows *token*, as the secret *made_by* derives it, to be handed out as *issue_id*."""
    generation = token.generation + 1
    # One key derives several things: the label keeps them apart.
    label = b"fastapi_session/next" + bytes.fromhex(token.session_id) + generation.to_bytes(4, "big")
    return RefreshToken(
        kid=made_by.kid,
        session_id=token.session_id,
        generation=generation,
        secret=_hmac(made_by.derive, label + token.secret),
        parent=token.fingerprint,
        issue_id=issue_id,
    )


def mint(token: RefreshToken, made_by: Secret) -> str:
    """Return the text of *token*, authenticated by the secret whose kid it carries."""
    session_id = bytes.fromhex(token.session_id)
    body = _LAYOUT.pack(VERSION, token.kid, session_id, token.generation, token.secret, token.parent, token.issue_id)
    return base64url.encode(body + _hmac(made_by.mac, body)[:_MAC_BYTES])


def read(text: str, secrets: Secrets) -> RefreshToken | None:
    """Return the content of *text*, or `None` if this deployment did not write every bit of it (row D0)."""
    # The length first: whatever else comes costs no decoding.
    if len(text) != LENGTH or (data := base64url.decode(text)) is None:
        return None
    body, mac = data[:-_MAC_BYTES], data[-_MAC_BYTES:]
    version, kid, session_id, generation, token_secret, parent, issue_id = _LAYOUT.unpack(body)
    made_by = secrets.get(kid)
    # The MAC is compared in constant time: its duration must not say how much of a guess is right.
    if version != VERSION or made_by is None or not hmac.compare_digest(_hmac(made_by.mac, body)[:_MAC_BYTES], mac):
        return None
    return RefreshToken(kid, session_id.hex(), generation, token_secret, parent, issue_id)


def stored_hash(fingerprint: bytes, peppered_by: Secret) -> bytes:
    """Return what a store keeps of the token that has *fingerprint*."""
    return _hmac(peppered_by.pepper, fingerprint)


def anti_csrf_token(token: RefreshToken, made_by: Secret) -> str:
    """Return the anti-CSRF token that goes with *token*: new at every rotation, the same for all tokens of a generation."""
    return _anti_csrf_token(token.session_id, token.generation, made_by)


def accepted_anti_csrf_tokens(token: RefreshToken, secrets: Secrets) -> list[str]:
    """Return the anti-CSRF tokens that a refresh by *token* may bring: that of its generation, those of the two before, and the former one.

    | a tab may be behind by | since |
    |---|---|
    | one | its script read the anti-CSRF token, another tab refreshed, and the browser added the new cookies |
    | one more | it keeps an anti-CSRF token that it read while another tab was still storing the next one |
    """
    generations = range(token.generation, max(token.generation - _TABS_LAG, 0) - 1, -1)
    # By every secret, since an earlier one may have made the tokens of before.
    recent = [_anti_csrf_token(token.session_id, each, secret) for each in generations for secret in secrets]
    return [*recent, _former_anti_csrf_token(token, secrets[token.kid])]


def _former_anti_csrf_token(token: RefreshToken, made_by: Secret) -> str:
    """Return the anti-CSRF token that came with *token* until it was derived from the generation: so an upgrade signs nobody out."""
    return base64url.encode(_hmac(made_by.derive, _ANTI_CSRF + token.fingerprint)[:24])


def _anti_csrf_token(session_id: str, generation: int, made_by: Secret) -> str:
    message = _ANTI_CSRF + bytes.fromhex(session_id) + generation.to_bytes(4, "big")
    return base64url.encode(_hmac(made_by.derive, message)[:24])


def _hmac(key: bytes, message: bytes) -> bytes:
    # One call into OpenSSL; an HMAC object would be three.
    return hmac.digest(key, message, "sha256")
