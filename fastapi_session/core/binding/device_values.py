"""What a browser is given whose session is to be bound to its key, to be brought back: nothing of it is kept.

| value | proves | authenticated | lives |
|---|---|---|---|
| challenge to register | that the session began in a response of ours, a moment ago | yes | `OFFER_LIFE` |
| challenge to renew | that the proof with it was made since | yes | `renewal_life` |
| session identifier | nothing | no: the proof shows that the browser has the key, and the store that the session is bound to it | as the session |
| credential | that the key was proved a moment ago | yes | `CREDENTIAL_LIVES`, by what the browser guards |

A challenge to renew is given to whoever asks, so it can never register a key: each value is authenticated for its purpose.

| bytes | of a challenge | of a credential |
|---|---|---|
| 1 | version, 1 | the same |
| 1 | kid of the secret that made it | the same |
| 16 | session id | the same |
| 8 | end, milliseconds, big endian | the same |
| 9 or 32 | random, so that no two are the same | SHA-256 of the key (RFC 7638) |
| 16 | the first 16 bytes of HMAC-SHA256(binding, purpose and all before) | the same |

A session identifier is the session id, the algorithm and the public key: `<32 hexadecimal characters>.ES256.<JWK as base64url>`.
So it is good for as long as the session is, whatever becomes of the secrets.
"""

from __future__ import annotations

import hmac
import re
import struct
from dataclasses import dataclass

from fastapi_session.core import base64url, jws
from fastapi_session.core.binding.proof_keys import ProofKey, proof_key
from fastapi_session.core.secret import Secret, Secrets

ALGORITHMS = frozenset({"ES256", "RS256"})
"""Of the keys that browsers have."""

VERSION = 1
OFFER_LIFE = 300_000
"""Milliseconds for which a new session may be bound."""
_LONGEST_RENEWAL = 3_600_000
CHALLENGE_KEPT = _LONGEST_RENEWAL + 2 * OFFER_LIFE
"""Milliseconds for which a challenge is remembered that was used: any ends before, by whatever configuration it was made, and with
five minutes more if the clocks of two processes differ."""
CREDENTIAL_LIVES = {"refresh": 300_000, "all": 600_000}
"""Milliseconds for which a browser keeps the credential, and an access token that it guards. With less than two minutes left, it
renews them at the next request that it guards."""
CREDENTIAL_LEEWAY = 15_000
"""Milliseconds for which the credential is believed after that: the request was on its way."""

REGISTER, RENEW = b"register", b"renew"
_CREDENTIAL = b"credential"

NONCE_BYTES = 9
_CHALLENGE = struct.Struct(f">BB16sQ{NONCE_BYTES}s")
_CREDENTIAL_LAYOUT = struct.Struct(">BB16sQ32s")
_MAC_BYTES = 16
_LONGEST = 128
"""Characters of a challenge or a credential at most."""
_LONGEST_IDENTIFIER = 4_096
_SESSION_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Credential:
    """What a genuine credential says: the key with *thumbprint* was proved for the session *session_id*."""

    session_id: str
    thumbprint: str


@dataclass(frozen=True, slots=True)
class SessionIdentifier:
    """What a session identifier says: its session is that one, and is bound to *key*. Whether that is so, the store knows."""

    session_id: str
    key: ProofKey


def renewal_life(access_token_validity: int) -> int:
    """Return for how long a challenge to renew is accepted, if access tokens live so long; both in milliseconds.

    It is handed out at one renewal for the next: that comes when the access token has ended, and with an old challenge it takes
    two trips and two signatures. But who can use the key for a moment can also prove it in advance for that long: so it is no
    more than an hour and five minutes.
    """
    return min(access_token_validity, _LONGEST_RENEWAL) + OFFER_LIFE


def challenge(purpose: bytes, session_id: str, made_by: Secret, *, end: int, nonce: bytes) -> str:
    """Return a challenge of *session_id* for *purpose* that is good until *end* (milliseconds); *nonce* is 9 random bytes."""
    body = _CHALLENGE.pack(VERSION, made_by.kid, bytes.fromhex(session_id), end, nonce)
    return _sealed(purpose, body, made_by)


def read_challenge(text: object, purpose: bytes, secrets: Secrets, *, now: int) -> str | None:
    """Return of which session *text* is a challenge for *purpose* that is good at *now*, `None` if it is none."""
    body = _opened(purpose, text, secrets, length=_CHALLENGE.size)
    if body is None:
        return None
    _, _, session_id, end, _ = _CHALLENGE.unpack(body)
    return bytes.hex(session_id) if now < end else None


def credential(session_id: str, thumbprint: str, made_by: Secret, *, end: int) -> str:
    """Return the credential of *session_id* for the key with *thumbprint*, which is believed until *end* (milliseconds)."""
    digest = base64url.decode(thumbprint)
    assert digest is not None
    body = _CREDENTIAL_LAYOUT.pack(VERSION, made_by.kid, bytes.fromhex(session_id), end, digest)
    return _sealed(_CREDENTIAL, body, made_by)


def read_credential(text: str, secrets: Secrets, *, now: int) -> Credential | None:
    """Return what the credential *text* says, if it is one and is good at *now*, else `None`."""
    body = _opened(_CREDENTIAL, text, secrets, length=_CREDENTIAL_LAYOUT.size)
    if body is None:
        return None
    _, _, session_id, end, digest = _CREDENTIAL_LAYOUT.unpack(body)
    return Credential(bytes.hex(session_id), base64url.encode(digest)) if now < end else None


def session_identifier(session_id: str, key: ProofKey) -> str:
    """Return the identifier by which the browser names *session_id*, bound to *key*: always the same."""
    return f"{session_id}.{key.algorithm}.{jws.segment(dict(sorted(key.public_jwk.items())))}"


def read_session_identifier(text: str) -> SessionIdentifier | None:
    """Return what the session identifier *text* says, `None` if it is none. Anybody can make one."""
    if len(text) > _LONGEST_IDENTIFIER or text.count(".") != 2:
        return None
    session_id, algorithm, jwk = text.split(".")
    key = proof_key(jws.read_segment(jwk), algorithm, allowed=ALGORITHMS)
    if key is None or not _SESSION_ID.fullmatch(session_id):
        return None
    return SessionIdentifier(session_id, key)


def _sealed(purpose: bytes, body: bytes, made_by: Secret) -> str:
    return base64url.encode(body + _mac(purpose, body, made_by))


def _opened(purpose: bytes, text: object, secrets: Secrets, *, length: int) -> bytes | None:
    """Return the body of *text*, which has that *length*, if this deployment wrote it for *purpose*; else `None`."""
    if not isinstance(text, str) or len(text) > _LONGEST or (data := base64url.decode(text)) is None:
        return None
    body, mac = data[:-_MAC_BYTES], data[-_MAC_BYTES:]
    made_by = secrets.get(body[1]) if len(body) == length and body[0] == VERSION else None
    # In constant time: how long it takes must not say how much of a guess is right.
    return body if made_by is not None and hmac.compare_digest(_mac(purpose, body, made_by), mac) else None


def _mac(purpose: bytes, body: bytes, made_by: Secret) -> bytes:
    return hmac.digest(made_by.binding, b"fastapi_session/" + purpose + b"\0" + body, "sha256")[:_MAC_BYTES]
