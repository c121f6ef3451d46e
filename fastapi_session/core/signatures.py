"""Raw signatures of a JWS, by keys of cryptography.

| algorithm | key | signature | RFC 7518 |
|---|---|---|---|
| ES256 | ECDSA on P-256 | SHA-256; R and S, 32 bytes each, big endian | section 3.4 |
| RS256 | RSA | SHA-256, PKCS #1 version 1.5 | section 3.3 |
"""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey

# Once: each signature would make them anew.
_SHA256, _ECDSA, _PKCS1 = SHA256(), ec.ECDSA(SHA256()), PKCS1v15()
_HALF = 32
"""Bytes of R, and of S."""


def sign(message: bytes, key: PrivateKey) -> bytes:
    """Return the signature of *message*, by the algorithm that *key* is for."""
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(message, _PKCS1, _SHA256)
    # cryptography speaks DER, a JWS has the two numbers side by side.
    r, s = decode_dss_signature(key.sign(message, _ECDSA))
    return r.to_bytes(_HALF) + s.to_bytes(_HALF)


def is_signature(signature: bytes, message: bytes, key: PublicKey) -> bool:
    """Say whether *signature* is that of *message* by the private part of *key*. No input raises."""
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, message, _PKCS1, _SHA256)
        elif len(signature) == 2 * _HALF:
            r, s = int.from_bytes(signature[:_HALF]), int.from_bytes(signature[_HALF:])
            key.verify(encode_dss_signature(r, s), message, _ECDSA)
        else:
            return False  # numbers of any length could be read, and one signature would be many texts
    except (InvalidSignature, ValueError):
        return False
    return True
