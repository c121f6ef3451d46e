"""A program's key proves what it says: the server believes its proofs, and so does another library."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from joserfc import jws
from joserfc.jwk import import_key

from fastapi_session.client.dpop import DpopKey
from fastapi_session.core import base64url
from fastapi_session.core.binding.dpop import ALGORITHMS, Expected, checked_proof
from fastapi_session.origin import Origin
from tests.core.binding.provers import PRIVATE

NOW = 2_000_000_000_000
URL = "https://api.example/pay?a=1#b"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_proof_holds(algorithm: Any) -> None:
    """By each algorithm a proof is that of the request, the token and the nonce, and of no other key."""
    key = DpopKey(PRIVATE[algorithm], algorithm=algorithm, clock=lambda: NOW)
    text = key.proof("POST", URL, access_token="t", nonce="n")
    expected = Expected("POST", "", Origin("https", "api.example", ""), "/pay", "t", {"n"})

    assert (key.thumbprint, "n") == ((found := checked_proof([text], expected, now=NOW)).jkt, found.nonce)
    assert f"dpop:{key.thumbprint}" == key.bound_key


@pytest.mark.parametrize("algorithm", ["ES256", "Ed25519", "PS256", "RS256"])
def test_another_library_agrees(algorithm: Any) -> None:
    """joserfc verifies a proof by the key in its header, and makes the same thumbprint of that."""
    key = DpopKey(PRIVATE[algorithm], algorithm=algorithm)
    text = key.proof("GET", URL)
    header = json.loads(base64url.decode(text.partition(".")[0]) or b"")
    public = import_key(header["jwk"])
    registry = jws.JWSRegistry(algorithms=[algorithm])
    registry.max_header_length = 4_096  # joserfc's own bound is less than the key of RSA has

    assert {"typ": "dpop+jwt", "alg": algorithm, "jwk": header["jwk"]} == header
    assert key.thumbprint == public.thumbprint()
    said = json.loads(jws.deserialize_compact(text, public, registry=registry).payload)
    assert {"htm": "GET", "htu": "https://api.example/pay"} == {name: said[name] for name in ("htm", "htu")}
    assert {"htm", "htu", "iat", "jti"} == set(said)


@pytest.mark.parametrize(
    ("private", "algorithm"),
    [
        (None, "ES256"),
        (ed25519.Ed25519PrivateKey.generate(), "Ed25519"),
        (PRIVATE["RS256"], "PS256"),
    ],
)
def test_the_usual_algorithm(private: Any, algorithm: str) -> None:
    """Without an algorithm a key signs by the usual one of its kind, and without a key one is made."""
    assert algorithm == DpopKey(private).algorithm


@pytest.mark.parametrize(
    ("private", "algorithm"),
    [
        (ec.generate_private_key(ec.SECP384R1()), None),
        (rsa.generate_private_key(65_537, 1024), None),
        (PRIVATE["ES256"], "RS256"),
        (PRIVATE["RS256"], "ES256"),
        (PRIVATE["ES256"], "HS256"),
        ("-----BEGIN PRIVATE KEY-----", None),
    ],
)
def test_a_key_that_proves_nothing(private: Any, algorithm: Any) -> None:
    """A key of another kind, a short one, and an algorithm of another kind are refused at once."""
    with pytest.raises(ValueError, match="DpopKey: give a private key"):
        DpopKey(private, algorithm=algorithm)


def test_proofs_are_told_apart() -> None:
    """No two proofs have the same identifier."""
    key = DpopKey()

    assert 100 == len({key.proof("GET", URL) for _ in range(100)})
    assert DpopKey().thumbprint != key.thumbprint
    assert key.thumbprint == key.with_clock(lambda: NOW).thumbprint


def test_a_key_is_not_printed() -> None:
    """What is printed of a key is public."""
    key = DpopKey()

    assert f"DpopKey(algorithm='ES256', thumbprint='{key.thumbprint}')" == repr(key)
