"""An identity provider's keys and logout tokens, made by joserfc."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from joserfc import jws
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from fastapi_session.core import base64url
from fastapi_session.core.logout_token import EVENT

ISSUER, CLIENT = "https://id.example.com", "my-application"
NOW = 2_000_000_000
"""Seconds."""

ALL = ["HS256", "RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "ES512", "Ed25519"]
CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}


@cache
def provider_key(algorithm: str = "RS256") -> Any:
    """Return a key for *algorithm*, whose name is the algorithm's: the same one each time."""
    if algorithm in CURVES:
        return ECKey.generate_key(CURVES[algorithm], {"kid": algorithm})
    if algorithm == "Ed25519":
        return OKPKey.generate_key("Ed25519", {"kid": algorithm})
    if algorithm == "HS256":
        return OctKey.generate_key(256, {"kid": algorithm})
    return RSAKey.generate_key(2048, {"kid": algorithm})


def public(key: Any, **said: Any) -> dict[str, Any]:
    """Return *key* as it is published, with what is *said*."""
    return {**key.as_dict(private=False), **said}


def jwks(*algorithms: str) -> dict[str, Any]:
    """Return the JWK Set of the keys for *algorithms*."""
    return {"keys": [public(provider_key(each)) for each in algorithms or ["RS256"]]}


def claims(**said: Any) -> dict[str, Any]:
    """Return the claims of a logout token that is believed, but for what is *said*; what is `...` is left out."""
    usual = {
        "iss": ISSUER,
        "aud": CLIENT,
        "iat": NOW,
        "exp": NOW + 120,
        "jti": "jti-1",
        "sid": "laptop",
        "sub": "4711",
        "events": {EVENT: {}},
    }
    return {name: value for name, value in {**usual, **said}.items() if value is not ...}


def signed(payload: Mapping[str, Any] | bytes, *, key: Any = None, **header: Any) -> str:
    """Return *payload* signed by *key*, as a provider does: by RS256, with what is said in the *header*; `...` leaves it out."""
    said = {"alg": "RS256", "kid": "RS256", "typ": "logout+jwt", **header}
    said = {name: value for name, value in said.items() if value is not ...}
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    registry = jws.JWSRegistry(algorithms=ALL, strict_check_header=False)
    return jws.serialize_compact(said, body, key or provider_key(said["alg"]), registry=registry)


def headed(header: object) -> str:
    """Return a token with any *header*, also one that joserfc would not write."""
    return f"{base64url.encode(json.dumps(header).encode())}.{signed(claims()).partition('.')[2]}"
