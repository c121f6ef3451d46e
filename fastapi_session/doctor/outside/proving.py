"""A key of the doctor's own, and proofs by it: as a program proves its key (DPoP, RFC 9449), and as a browser does."""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import ec

from fastapi_session.core import base64url, jws
from fastapi_session.core.binding import dpop
from fastapi_session.core.binding.bound_keys import dpop_key
from fastapi_session.core.binding.proof_keys import proof_key
from fastapi_session.core.signatures import sign
from fastapi_session.engine.binding.device_binding import PROOF_TYPE
from fastapi_session.json_types import JsonObject
from fastapi_session.randomness import Random

_ALGORITHM = "ES256"
_COORDINATE = 32


def _new() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@dataclass(frozen=True, slots=True)
class ProvingKey:
    """A key of P-256, which is gone with this object."""

    _private: ec.EllipticCurvePrivateKey = field(repr=False, default_factory=_new)

    @property
    def bound_key(self) -> str:
        """What a session is bound to that has to be proved by DPoP."""
        known = proof_key(self._jwk(), _ALGORITHM, allowed=dpop.ALGORITHMS)
        return dpop_key(known.thumbprint if known else "")

    def dpop_proof(self, url: str, *, now: int, random: Random, nonce: str | None) -> str:
        """Return a proof for a POST to *url* that brings no access token, made at *now* (milliseconds)."""
        claims: JsonObject = {"htm": "POST", "htu": url, "iat": now // 1000, "jti": base64url.encode(random(16))}
        return self._signed(dpop.TYPE, claims | ({} if nonce is None else {"nonce": nonce}))

    def device_proof(self, challenge: str) -> str:
        """Return what a browser sends that binds a session to its key."""
        return self._signed(PROOF_TYPE, {"jti": challenge})

    def _signed(self, kind: str, claims: JsonObject) -> str:
        header: JsonObject = {"typ": kind, "alg": _ALGORITHM, "jwk": self._jwk()}
        signing_input = f"{jws.segment(header)}.{jws.segment(claims)}"
        return f"{signing_input}.{base64url.encode(sign(signing_input.encode('ascii'), self._private))}"

    def _jwk(self) -> JsonObject:
        point = self._private.public_key().public_numbers()
        x, y = (base64url.encode(number.to_bytes(_COORDINATE)) for number in (point.x, point.y))
        return {"kty": "EC", "crv": "P-256", "x": x, "y": y}
