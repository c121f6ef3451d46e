"""The public keys by which access tokens of SuperTokens verify. Of a stored pair the private half is not even decoded.

A pair is stored as `public|private`, by older cores as `public;private`: base64 of X.509 and PKCS #8.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Mapping, Sequence
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from fastapi_session.core import base64url
from fastapi_session.errors import ConfigurationError
from fastapi_session.foreign_sessions import ForeignKey

ALGORITHM = "RS256"
_SEPARATOR = re.compile(r"[|;]")


def dynamic_key(created_at: int, pair: str | None) -> ForeignKey | None:
    """Return the key of a *pair* that the core changes from time to time, and made at *created_at* (milliseconds)."""
    return static_key(f"d-{created_at}", pair, ALGORITHM)


def static_key(kid: str, pair: str | None, algorithm: str) -> ForeignKey | None:
    """Return the key of a *pair* that stays; `None` if it is no RSA key, as one that only signs what the core itself reads."""
    public, *private = _SEPARATOR.split(pair or "", maxsplit=1)
    if algorithm != ALGORITHM or not private:
        return None
    try:
        key = load_der_public_key(b64decode(public, validate=True))
    except (binascii.Error, ValueError, UnsupportedAlgorithm):
        return None
    if not isinstance(key, RSAPublicKey):
        return None
    numbers = key.public_numbers()
    return ForeignKey(kid, ALGORITHM, {"kty": "RSA", "n": _number(numbers.n), "e": _number(numbers.e)})


def keys_of(document: object) -> Sequence[ForeignKey]:
    """Return the keys of a JWK Set, such as a core has at `/.well-known/jwks.json`.

    Raises `ConfigurationError` if *document* is none.
    """
    keys = document.get("keys") if isinstance(document, Mapping) else None
    if not isinstance(keys, list | tuple):
        raise ConfigurationError(
            'public_keys: give a JWK Set, as the core has it at /.well-known/jwks.json: {"keys": [...]}'
        )
    return [_of_jwk(each) for each in keys]


def _of_jwk(key: Any) -> ForeignKey:
    wrong = not isinstance(key, Mapping) or any(not isinstance(key.get(name), str) for name in ("kid", "n", "e"))
    if wrong or key.get("kty") != "RSA" or key.get("alg", ALGORITHM) != ALGORITHM:
        raise ConfigurationError("public_keys: give RSA keys for RS256 alone, each with kid, kty, n and e")
    return ForeignKey(key["kid"], ALGORITHM, {"kty": "RSA", "n": key["n"], "e": key["e"]})


def _number(value: int) -> str:
    """Return *value* as RFC 7518, section 2, writes it (Base64urlUInt)."""
    return base64url.encode(value.to_bytes((value.bit_length() + 7) // 8, "big"))
