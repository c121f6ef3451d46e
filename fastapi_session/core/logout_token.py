"""A logout token of an identity provider (OpenID Connect Back-Channel Logout 1.0, sections 2.4 to 2.6), and what is believed of it.

What it is, and what its header says; the first row that matches refuses it:

| reason | the token |
|---|---|
| `no JWS` | is longer than 16 KiB, or no three segments of which two are strict JSON (see `jws`) |
| `header` | has a `kid` that is no text, or extensions (`crit`), of which none is known here |
| `algorithm` | is signed by none of `foreign_keys.ALGORITHMS`: not at all, or by a shared secret |
| `type` | has a `typ` that is neither `logout+jwt` nor `JWT`, so it was made for something else |

Once the signature is verified, what it says:

| reason | the token |
|---|---|
| `issuer` | has another `iss` than the provider's |
| `audience` | has not the application in its `aud`, a text or a list of texts |
| `issued at` | was issued more than five minutes ago, or will be in more than one; or `iat` is no number |
| `expired` | has an `exp`, which passed more than a minute ago or is no number |
| `event` | has not `http://schemas.openid.net/event/backchannel-logout` in its `events`, with an object |
| `nonce` | has a `nonce`, as only an ID token may |
| `identifier` | has no `jti`, or one that is no text, by which it could be known again |
| `session` | has a `sid` or a `sub` that is no text, or neither; or lacks the one by which sessions are to end |

What ends, by what an application chose and what the token names:

| forget | `sid` and `sub` | `sid` alone | `sub` alone |
|---|---|---|---|
| `either` | that session | that session | all of the subject |
| `sid` | that session | that session | refused |
| `subject` | all of the subject | refused | all of the subject |
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Literal

from fastapi_session.core import base64url, jws
from fastapi_session.core.foreign_keys import ALGORITHMS, ForeignKey
from fastapi_session.external_session import ExternalSession
from fastapi_session.json_types import JsonObject, JsonValue

Forget = Literal["sid", "subject", "either"]

EVENT = "http://schemas.openid.net/event/backchannel-logout"
TYPES = frozenset({None, "jwt", "logout+jwt", "application/logout+jwt"})

LONGEST = 16_384
"""Characters of a token."""
MAX_AGE = 300
"""Seconds since a token was issued."""
LEEWAY = 60
"""Seconds by which the clocks of the provider and of this machine may differ."""


class RefusedLogoutToken(Exception):
    """A row of the tables matched: *reason*."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Expected:
    """Who issues tokens, for whom they have to be, and by what sessions end."""

    issuer: str
    audience: str
    forget: Forget


@dataclass(frozen=True, slots=True)
class LogoutToken:
    """A token as it came: nothing in it is believed before it `is_signed_by` the provider's key and its `claims` are checked."""

    kid: str | None
    algorithm: str
    claims: JsonObject = field(repr=False)
    _signed: bytes = field(repr=False)
    _signature: bytes = field(repr=False)

    def is_signed_by(self, key: ForeignKey) -> bool:
        """Say whether *key*, which is for the token's algorithm, signed it."""
        return key.has_signed(self._signed, self._signature)


@dataclass(frozen=True, slots=True)
class Logout:
    """What a token says that is believed: which sessions end. *digest* stands for this token until *until* (milliseconds)."""

    external: ExternalSession
    digest: bytes
    until: int


def parse(text: str) -> LogoutToken:
    """Return the token *text*, taken apart. Raises `RefusedLogoutToken` as the first table says."""
    parts = text.split(".")
    if len(text) > LONGEST or len(parts) != 3 or not text.isascii():
        raise RefusedLogoutToken("no JWS")
    header, claims, signature = jws.read_segment(parts[0]), jws.read_segment(parts[1]), base64url.decode(parts[2])
    if header is None or claims is None or signature is None:
        raise RefusedLogoutToken("no JWS")
    kid, algorithm, typ = header.get("kid"), header.get("alg"), header.get("typ")
    if not isinstance(kid, str | None) or "crit" in header:
        raise RefusedLogoutToken("header")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise RefusedLogoutToken("algorithm")
    if not isinstance(typ, str | None) or (typ and typ.lower()) not in TYPES:
        raise RefusedLogoutToken("type")
    return LogoutToken(kid, algorithm, claims, f"{parts[0]}.{parts[1]}".encode("ascii"), signature)


def checked(claims: JsonObject, expected: Expected, *, now: int) -> Logout:
    """Return what the verified *claims* say at *now* (milliseconds). Raises `RefusedLogoutToken` as the second table says."""
    for reason, is_met in _CHECKS.items():
        if not is_met(claims, expected, now // 1000):
            raise RefusedLogoutToken(reason)
    sid, subject = claims.get("sid"), claims.get("sub")
    assert isinstance(sid, str | None)  # as the last row says
    assert isinstance(subject, str | None)
    if expected.forget == "sid":
        external = ExternalSession(expected.issuer, sid=sid)
    elif expected.forget == "subject":
        external = ExternalSession(expected.issuer, subject=subject)
    else:
        external = ExternalSession(expected.issuer, sid=sid, subject=subject)
    issued_at = claims["iat"]
    assert isinstance(issued_at, int | float)
    identity = json.dumps(["logout token", expected.issuer, claims["jti"]])
    # Twice the leeway: the store has a clock of its own.
    return Logout(external, sha256(identity.encode()).digest(), int(issued_at + MAX_AGE + 2 * LEEWAY) * 1000)


def _is_number(value: JsonValue) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_text(value: JsonValue) -> bool:
    return isinstance(value, str) and value != ""


def _is_issuer(claims: JsonObject, expected: Expected, _now: int) -> bool:
    return claims.get("iss") == expected.issuer


def _is_audience(claims: JsonObject, expected: Expected, _now: int) -> bool:
    audience = claims.get("aud")
    return expected.audience in (audience if isinstance(audience, list) else [audience])


def _is_new(claims: JsonObject, _expected: Expected, now: int) -> bool:
    issued_at = claims.get("iat")
    return _is_number(issued_at) and now - MAX_AGE <= issued_at <= now + LEEWAY  # type: ignore[operator]  # it is a number


def _has_not_expired(claims: JsonObject, _expected: Expected, now: int) -> bool:
    expires_at = claims.get("exp", now)
    return _is_number(expires_at) and now < expires_at + LEEWAY  # type: ignore[operator]  # it is a number


def _is_logout(claims: JsonObject, _expected: Expected, _now: int) -> bool:
    events = claims.get("events")
    return isinstance(events, dict) and isinstance(events.get(EVENT), dict)


def _is_no_id_token(claims: JsonObject, _expected: Expected, _now: int) -> bool:
    return "nonce" not in claims


def _is_identified(claims: JsonObject, _expected: Expected, _now: int) -> bool:
    return _is_text(claims.get("jti"))


def _names_sessions(claims: JsonObject, expected: Expected, _now: int) -> bool:
    named = {name for name in ("sid", "sub") if name in claims}
    needed = {"sid": {"sid"}, "subject": {"sub"}, "either": set[str]()}[expected.forget]
    return bool(named) and needed <= named and all(_is_text(claims[name]) for name in named)


_CHECKS: dict[str, Callable[[JsonObject, Expected, int], bool]] = {
    "issuer": _is_issuer,
    "audience": _is_audience,
    "issued at": _is_new,
    "expired": _has_not_expired,
    "event": _is_logout,
    "nonce": _is_no_id_token,
    "identifier": _is_identified,
    "session": _names_sessions,
}
"""The rows of the second table, in their order: each says whether the claims are as they have to be."""
