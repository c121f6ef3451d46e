"""A key by which a program proves that its session is its own (DPoP, RFC 9449)."""

from __future__ import annotations

from collections.abc import Callable
from secrets import token_bytes
from typing import Literal

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS
from cryptography.hazmat.primitives.hashes import SHA256

from fastapi_session.clock import Clock, system_clock
from fastapi_session.core import base64url, jws, signatures
from fastapi_session.core.binding.bound_keys import dpop_key
from fastapi_session.core.binding.dpop import ALGORITHMS, TYPE, token_hash
from fastapi_session.core.binding.proof_keys import proof_key
from fastapi_session.json_types import JsonObject
from fastapi_session.randomness import Random

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey
"""A private key of cryptography: of P-256, of Ed25519, or of RSA with 2048 bits or more."""
ProofAlgorithm = Literal["ES256", "EdDSA", "Ed25519", "PS256", "RS256"]

_SHA256 = SHA256()
_PSS = PSS(mgf=MGF1(_SHA256), salt_length=_SHA256.digest_size)


class DpopKey:
    """The key of a client: *private*, or a new one of P-256, which is gone with this object.

    *algorithm* is by which it signs, by default `ES256`, `Ed25519` or `PS256`, as the key is. *clock* and *random* are for tests.
    Raises `ValueError` for a key or an algorithm that no proof can be of.
    """

    def __init__(
        self,
        private: PrivateKey | None = None,
        *,
        algorithm: ProofAlgorithm | None = None,
        clock: Clock = system_clock,
        random: Random = token_bytes,
    ) -> None:
        self._private: PrivateKey = ec.generate_private_key(ec.SECP256R1()) if private is None else private
        jwk, signs = _public_part(self._private)
        self.algorithm: str = algorithm or next(iter(signs), "")
        known = proof_key(jwk, self.algorithm, allowed=ALGORITHMS)
        if known is None:
            raise ValueError(
                "DpopKey: give a private key of cryptography, of P-256, of Ed25519 or of RSA with 2048 bits, and an algorithm of it"
            )
        self.thumbprint = known.thumbprint
        self._sign: Callable[[bytes], bytes] = signs[self.algorithm]
        self._header = jws.segment({"typ": TYPE, "alg": self.algorithm, "jwk": {**known.public_jwk}})
        self._clock = clock
        self._random = random

    def __repr__(self) -> str:
        return f"DpopKey(algorithm={self.algorithm!r}, thumbprint={self.thumbprint!r})"

    @property
    def bound_key(self) -> str:
        """What `Sessions.create(..., bound_key=...)` takes, to bind a session to it."""
        return dpop_key(self.thumbprint)

    def with_clock(self, clock: Clock) -> DpopKey:
        """Return the same key, whose proofs are made at the time of *clock* (milliseconds since the epoch)."""
        return DpopKey(self._private, algorithm=self.algorithm, clock=clock, random=self._random)  # type: ignore[arg-type]  # it is one

    def proof(self, method: str, url: str, *, access_token: str | None = None, nonce: str | None = None) -> str:
        """Return a proof for one request by *method* to *url*, for the header `DPoP`.

        *access_token* is the one that the request brings, `None` for a sign-in and for a refresh. *nonce* is what the server gave
        last in `DPoP-Nonce`, if it did.
        """
        claims: JsonObject = {
            "htm": method,
            "htu": url.partition("#")[0].partition("?")[0],
            "iat": self._clock() // 1000,
            "jti": base64url.encode(self._random(16)),
        }
        if access_token is not None:
            claims["ath"] = token_hash(access_token)
        if nonce is not None:
            claims["nonce"] = nonce
        signing_input = f"{self._header}.{jws.segment(claims)}"
        return f"{signing_input}.{base64url.encode(self._sign(signing_input.encode('ascii')))}"


def _public_part(private: object) -> tuple[JsonObject, dict[str, Callable[[bytes], bytes]]]:
    """Return the public JWK of *private*, and how it signs by each of its algorithms, the usual one first; nothing if it is no key."""
    if isinstance(private, ec.EllipticCurvePrivateKey):
        if not isinstance(private.curve, ec.SECP256R1):
            return {}, {}
        point = private.public_key().public_numbers()
        jwk: JsonObject = {"kty": "EC", "crv": "P-256", "x": _number(point.x, 32), "y": _number(point.y, 32)}
        return jwk, {"ES256": lambda message: signatures.sign(message, private)}
    if isinstance(private, ed25519.Ed25519PrivateKey):
        x = base64url.encode(private.public_key().public_bytes_raw())
        return {"kty": "OKP", "crv": "Ed25519", "x": x}, {"Ed25519": private.sign, "EdDSA": private.sign}
    if not isinstance(private, rsa.RSAPrivateKey):  # such as the text of a PEM file
        return {}, {}
    numbers = private.public_key().public_numbers()
    return {"kty": "RSA", "n": _number(numbers.n), "e": _number(numbers.e)}, {
        "PS256": lambda message: private.sign(message, _PSS, _SHA256),
        "RS256": lambda message: signatures.sign(message, private),
    }


def _number(value: int, length: int | None = None) -> str:
    return base64url.encode(value.to_bytes((value.bit_length() + 7) // 8 if length is None else length))
