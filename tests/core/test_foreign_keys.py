"""Of a provider's JWK Set one key verifies a signature: the one that was named, if it is for that."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jose import jwk

from fastapi_session.core.foreign_keys import ForeignKeys
from tests.core.provider import jwks, provider_key, public

_WEAK = rsa.generate_private_key(public_exponent=65537, key_size=1024).public_key()
WEAK = {**jwk.construct(_WEAK, "RS256").to_dict(), "kid": "RS256"}
RSA, P_256 = provider_key("RS256"), provider_key("ES256")

FITS: list[tuple[str, dict[str, Any], bool]] = [
    ("RS256", public(RSA), True),
    ("RS256", public(RSA, use="sig", alg="RS256", key_ops=["verify"]), True),
    ("RS256", {**RSA.as_dict(private=True)}, True),
    ("RS384", public(RSA), True),
    ("RS256", public(RSA, kid="other"), False),
    ("RS256", public(RSA, kid=["RS256"]), False),
    ("RS256", public(RSA, use="enc"), False),
    ("RS256", public(RSA, key_ops=["wrapKey"]), False),
    ("RS256", public(RSA, key_ops="verify"), False),
    ("RS256", public(RSA, alg="RS384"), False),
    ("RS256", public(RSA, alg="RSA-OAEP"), False),
    ("RS256", public(RSA, n=7), False),
    ("RS256", public(RSA, n="\u00e4"), False),
    ("RS256", public(RSA, n="AQ"), False),
    ("RS256", public(RSA, e=""), False),
    ("RS256", public(RSA, kty="EC"), False),
    ("RS256", WEAK, False),
    ("PS256", public(RSA), False),
    ("HS256", public(RSA), False),
    ("HS256", public(provider_key("HS256")), False),
    ("none", public(RSA), False),
    ("ES256", public(RSA), False),
    ("ES256", public(P_256, kid="RS256"), True),
    ("ES384", public(P_256, kid="RS256"), False),
    ("ES256", public(P_256, kid="RS256", crv="P-384"), False),
    ("ES256", public(P_256, kid="RS256", x="AQ"), False),
    ("ES256", public(provider_key("ES384"), kid="RS256"), False),
    ("Ed25519", public(provider_key("Ed25519"), kid="RS256"), False),
]


@pytest.mark.parametrize(("algorithm", "key", "fits"), FITS, ids=range(len(FITS)))
def test_what_a_key_is_for(algorithm: str, key: dict[str, Any], fits: bool) -> None:
    """A key is used if it is for the algorithm, as its type, curve, size, use and name say."""
    assert fits == (ForeignKeys({"keys": [key]}).find("RS256", algorithm) is not None)


def test_a_key_without_a_name_in_the_token() -> None:
    """If the token names none, the only one that fits is used, and of two none."""
    keys = jwks("RS256", "ES256", "ES384")
    twice = {"keys": [*keys["keys"], public(RSA, kid="second")]}

    assert [True, True, False] == [
        ForeignKeys(keys).find(None, each) is not None for each in ("RS256", "ES256", "ES512")
    ]
    assert ForeignKeys(twice).find(None, "RS256") is None
    assert ForeignKeys(twice).find("second", "RS256") is not None


def test_what_is_in_a_set_besides() -> None:
    """What is no key, or cannot be read, is left out and harms no other one."""
    odd: list[Any] = [None, 7, "key", [], {}, {"kty": "oct", "k": "AQ"}, public(RSA, kid="odd", n="AQ")]

    assert ForeignKeys({"keys": [*odd, public(RSA)]}).find("RS256", "RS256") is not None
    assert ForeignKeys({"keys": [*odd, public(RSA)]}).find("odd", "RS256") is None


@pytest.mark.parametrize("document", [None, [], "", {}, {"keys": None}, {"keys": {}}, {"keys": "keys"}])
def test_what_is_no_set(document: object) -> None:
    """Anything but a JWK Set is told, and not taken for an empty one."""
    with pytest.raises(ValueError, match="JWK Set"):
        ForeignKeys(document)


@pytest.mark.parametrize("signature", [b"", b"x", b"x" * 64, b"\0" * 256, b"\xff" * 10_000])
@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "ES512"])
def test_what_is_no_signature(algorithm: str, signature: bytes) -> None:
    """Whatever bytes are no signature are none, and raise nothing."""
    key = ForeignKeys(jwks(algorithm)).find(algorithm, algorithm)

    assert key is not None
    assert not key.has_signed(b"message", signature)
