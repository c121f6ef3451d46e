"""A public key that came with a proof, as a JWK (RFC 7517), and whether a signature is by its private part.

| algorithm | key | signature | standard |
|---|---|---|---|
| ES256 | EC, P-256 | ECDSA with SHA-256 | RFC 7518, section 3.4 |
| RS256 | RSA of 2048 to 8192 bits | PKCS #1 version 1.5 with SHA-256 | RFC 7518, section 3.3 |
| PS256 | the same | PSS with SHA-256, salted by 32 bytes | RFC 7518, section 3.5 |
| Ed25519, EdDSA | OKP, Ed25519 | Ed25519 | RFC 9864, section 2.2; RFC 8037, section 3.1 |

Anybody can send a key, so what is read is bounded, and one key has one form:

| part of a JWK | refused |
|---|---|
| its private and symmetric members | any: whoever sends its private key has none |
| its public members | another type than text, another length than the curve's, zeros in front of an RSA number |
| the modulus and exponent of RSA | other than the table says; an exponent that is even, below 65,537 or beyond 32 bits: verifying takes longer with its length |
| the point of Ed25519 | of small order: anybody can sign for it, without a private key |
| `use`, `key_ops`, `alg` | if they are there and say that it is for something else |

All else that a JWK may have is not looked at.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from types import MappingProxyType
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS
from cryptography.hazmat.primitives.hashes import SHA256

from fastapi_session.core import base64url, signatures
from fastapi_session.json_types import JsonObject, JsonValue

ED25519 = frozenset({"EdDSA", "Ed25519"})
"""Two names of one algorithm: the first is that of RFC 8037, and with another curve it would be another one."""

_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
"""Private members of all kinds of keys, and the whole of a symmetric one (RFC 7518, section 6)."""

_PUBLIC = {"EC": ("crv", "kty", "x", "y"), "RSA": ("e", "kty", "n"), "OKP": ("crv", "kty", "x")}
"""Members of a public key, by `kty`: those of which RFC 7638 makes the thumbprint."""

_COORDINATE = 32
"""Bytes of a coordinate of P-256, and of a public key of Ed25519."""
_LEAST_BITS, _MOST_BITS = 2048, 8192
_LEAST_EXPONENT, _BEYOND_EXPONENTS = 65_537, 1 << 32

_FIELD = (1 << 255) - 19
_OF_ORDER_8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_OF_SMALL_ORDER = frozenset({0, 1, _FIELD - 1, _FIELD, _FIELD + 1, _OF_ORDER_8, _FIELD - _OF_ORDER_8})
"""The y of all points of Ed25519 whose order is at most 8, and the two that can be written in another way (RFC 8032, section 5.1.3)."""
_WITHOUT_SIGN = (1 << 255) - 1

# Once: json.dumps and each signature would make them anew.
_ORDERED_JSON = json.JSONEncoder(separators=(",", ":"), sort_keys=True)
_SHA256 = SHA256()
_PSS = PSS(mgf=MGF1(_SHA256), salt_length=_SHA256.digest_size)


@dataclass(frozen=True, slots=True)
class ProofKey:
    """A public key, for one *algorithm*: its *thumbprint* (RFC 7638, SHA-256), and its public members alone."""

    algorithm: str
    thumbprint: str
    public_jwk: Mapping[str, str] = field(repr=False, hash=False)
    _key: Any = field(repr=False, hash=False, compare=False)

    def is_signature(self, signature: bytes, message: bytes) -> bool:
        """Say whether *signature* is that of *message* by the private part of this key. No input raises."""
        return _VERIFIERS[self.algorithm](signature, message, self._key)


def proof_key(jwk: JsonValue, algorithm: JsonValue, *, allowed: Collection[str]) -> ProofKey | None:
    """Return the key that *jwk* says, for *algorithm*, which has to be one of those *allowed*. `None` for any other."""
    if not isinstance(jwk, dict) or not isinstance(algorithm, str) or algorithm not in allowed:
        return None
    reader = _READERS.get(algorithm)
    if reader is None or not _is_public(jwk) or not _is_for(jwk, algorithm):
        return None
    try:
        read = reader[1](jwk) if jwk.get("kty") == reader[0] else None
    except ValueError:  # of cryptography: not on the curve, or no modulus
        return None
    if read is None:
        return None
    public = {name: str(jwk[name]) for name in _PUBLIC[reader[0]]}
    return ProofKey(algorithm, _thumbprint(public), MappingProxyType(public), read)


def _thumbprint(public: dict[str, str]) -> str:
    # RFC 7638, section 3: the members that a key has to have, in this order and no others.
    return base64url.encode(sha256(_ORDERED_JSON.encode(public).encode("ascii")).digest())


def _is_public(jwk: JsonObject) -> bool:
    return _PRIVATE.isdisjoint(jwk)


def _is_for(jwk: JsonObject, algorithm: str) -> bool:
    operations, named = jwk.get("key_ops", ["verify"]), jwk.get("alg", algorithm)
    return (
        jwk.get("use", "sig") == "sig"
        and isinstance(operations, list)
        and "verify" in operations
        and (named == algorithm or (algorithm in ED25519 and isinstance(named, str) and named in ED25519))
    )


def _bytes(jwk: JsonObject, name: str) -> bytes:
    value = jwk.get(name)
    return (base64url.decode(value) or b"") if isinstance(value, str) else b""


def _read_p256(jwk: JsonObject) -> ec.EllipticCurvePublicKey | None:
    x, y = _bytes(jwk, "x"), _bytes(jwk, "y")
    if jwk.get("crv") != "P-256" or (len(x), len(y)) != (_COORDINATE, _COORDINATE):
        return None
    return ec.EllipticCurvePublicNumbers(int.from_bytes(x), int.from_bytes(y), ec.SECP256R1()).public_key()


def _read_rsa(jwk: JsonObject) -> rsa.RSAPublicKey | None:
    modulus, exponent = _bytes(jwk, "n"), _bytes(jwk, "e")
    # RFC 7518, section 2: a number has as few bytes as it needs, so that it is one text.
    if modulus[:1] in {b"", b"\0"} or exponent[:1] in {b"", b"\0"} or len(modulus) * 8 > _MOST_BITS:
        return None
    n, e = int.from_bytes(modulus), int.from_bytes(exponent)
    if n.bit_length() < _LEAST_BITS or not _LEAST_EXPONENT <= e < _BEYOND_EXPONENTS:
        return None
    return rsa.RSAPublicNumbers(e, n).public_key()


def _read_ed25519(jwk: JsonObject) -> ed25519.Ed25519PublicKey | None:
    x = _bytes(jwk, "x")
    if jwk.get("crv") != "Ed25519" or len(x) != _COORDINATE:
        return None
    if int.from_bytes(x, "little") & _WITHOUT_SIGN in _OF_SMALL_ORDER:
        return None
    return ed25519.Ed25519PublicKey.from_public_bytes(x)


_READERS: dict[str, tuple[str, Callable[[JsonObject], Any]]] = {
    "ES256": ("EC", _read_p256),
    "RS256": ("RSA", _read_rsa),
    "PS256": ("RSA", _read_rsa),
    **dict.fromkeys(ED25519, ("OKP", _read_ed25519)),
}
"""The `kty` of an algorithm, and what reads a key of that."""


def _is_pss(signature: bytes, message: bytes, key: rsa.RSAPublicKey) -> bool:
    try:
        key.verify(signature, message, _PSS, _SHA256)
    except (InvalidSignature, ValueError):
        return False
    return True


def _is_ed25519(signature: bytes, message: bytes, key: ed25519.Ed25519PublicKey) -> bool:
    try:
        key.verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


_VERIFIERS: dict[str, Callable[[bytes, bytes, Any], bool]] = {
    "ES256": signatures.is_signature,
    "RS256": signatures.is_signature,
    "PS256": _is_pss,
    **dict.fromkeys(ED25519, _is_ed25519),
}
