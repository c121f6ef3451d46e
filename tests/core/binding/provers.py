"""Keys of clients, of every kind that can prove possession, and what they sign."""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from fastapi_session.core import base64url, jws
from fastapi_session.core.binding.proof_keys import proof_key

Private = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey

ALGORITHMS = ["ES256", "RS256", "PS256", "EdDSA", "Ed25519"]
ALL = frozenset(ALGORITHMS)

# Made once, because RSA takes its time.
_RSA = rsa.generate_private_key(65_537, 2048)
_ED25519 = ed25519.Ed25519PrivateKey.generate()
PRIVATE: dict[str, Private] = {
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "RS256": _RSA,
    "PS256": _RSA,
    "EdDSA": _ED25519,
    "Ed25519": _ED25519,
}


def number(value: int, length: int | None = None) -> str:
    """Return *value* as a JWK has it, in as few bytes as it needs unless a *length* is given."""
    return base64url.encode(value.to_bytes(length or (value.bit_length() + 7) // 8))


def public_jwk(private: Private) -> dict[str, Any]:
    """Return the public part of a key as a JWK."""
    match private:
        case rsa.RSAPrivateKey():
            numbers = private.public_key().public_numbers()
            return {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)}
        case ed25519.Ed25519PrivateKey():
            return {"kty": "OKP", "crv": "Ed25519", "x": base64url.encode(private.public_key().public_bytes_raw())}
        case _:
            point = private.public_key().public_numbers()
            return {"kty": "EC", "crv": "P-256", "x": number(point.x, 32), "y": number(point.y, 32)}


def sign(message: bytes, algorithm: str, private: Private | None = None) -> bytes:
    """Return the signature of *message* as a JWS has it."""
    match private or PRIVATE[algorithm]:
        case rsa.RSAPrivateKey() as key if algorithm == "PS256":
            return key.sign(message, PSS(MGF1(SHA256()), 32), SHA256())
        case rsa.RSAPrivateKey() as key:
            return key.sign(message, PKCS1v15(), SHA256())
        case ed25519.Ed25519PrivateKey() as key:
            return key.sign(message)
        case ec.EllipticCurvePrivateKey() as key:
            r, s = decode_dss_signature(key.sign(message, ec.ECDSA(SHA256())))
            return r.to_bytes(32) + s.to_bytes(32)


def jkt(algorithm: str = "ES256") -> str:
    """Return the thumbprint of the key of *algorithm*."""
    known = proof_key(public_jwk(PRIVATE[algorithm]), algorithm, allowed=ALL)
    assert known is not None
    return known.thumbprint


def proof(claims: Any, algorithm: str = "ES256", *, private: Private | None = None, **header: Any) -> str:
    """Return *claims* as a proof of the type `test+jwt`, signed by *private*. A *header* of `None` leaves that name out."""
    key = private or PRIVATE[algorithm]
    said = {"typ": "test+jwt", "alg": algorithm, "jwk": public_jwk(key), **header}
    signing_input = f"{jws.segment({k: v for k, v in said.items() if v is not None})}.{jws.segment(claims)}"
    return f"{signing_input}.{base64url.encode(sign(signing_input.encode(), algorithm, key))}"
