"""A key that came with a proof is one of the kinds known, public, bounded and in its one form; or it is none."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import import_key

from fastapi_session.core import base64url
from fastapi_session.core.binding.proof_keys import ProofKey, proof_key
from tests.core.binding.provers import ALGORITHMS, ALL, PRIVATE, number, public_jwk, sign

RSA_NUMBERS = public_jwk(PRIVATE["RS256"])
EC_POINT = public_jwk(PRIVATE["ES256"])
OKP = public_jwk(PRIVATE["EdDSA"])
MODULUS = int.from_bytes(base64url.decode(RSA_NUMBERS["n"]) or b"")


def key(algorithm: str) -> ProofKey:
    read = proof_key(public_jwk(PRIVATE[algorithm]), algorithm, allowed=ALL)
    assert read is not None
    return read


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_key_of_each_algorithm_verifies(algorithm: str) -> None:
    """Of each algorithm a key is read, and knows its own signatures from those of another message."""
    signature = sign(b"message", algorithm)

    assert key(algorithm).is_signature(signature, b"message")
    assert not key(algorithm).is_signature(signature, b"message!")
    assert not key(algorithm).is_signature(signature + b"\0", b"message")
    assert not key(algorithm).is_signature(b"", b"message")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@given(signature=st.one_of(st.binary(max_size=300), st.binary(min_size=64, max_size=64), st.just(bytes(256))))
def test_no_signature_raises(algorithm: str, signature: bytes) -> None:
    """Whatever is presented as a signature is refused without an error."""
    assert not key(algorithm).is_signature(signature, b"message")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_thumbprint_is_the_standard_s(algorithm: str) -> None:
    """The thumbprint is what another library makes of the key, whatever else came with it."""
    jwk = public_jwk(PRIVATE[algorithm])
    more = {**jwk, "kid": "mine", "ext": True, "use": "sig", "key_ops": ["verify"]}

    assert import_key(jwk).thumbprint() == key(algorithm).thumbprint
    assert key(algorithm) == proof_key(more, algorithm, allowed=ALL)
    assert jwk == dict(key(algorithm).public_jwk)


def test_the_example_of_the_standard() -> None:
    """RFC 7638, section 3.1 has a key and its thumbprint."""
    n = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMst"
        "n64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajr"
        "n1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
    )
    read = proof_key({"kty": "RSA", "n": n, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"}, "RS256", allowed=ALL)

    assert read is not None
    assert "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs" == read.thumbprint


@pytest.mark.parametrize("algorithm", ["none", "HS256", "ES384", "RS512", "es256", "", None, 1, ["ES256"]])
def test_other_algorithms(algorithm: Any) -> None:
    """No key is for an algorithm that is not known, a symmetric one or none above all, even if somebody allows it."""
    jwks: list[dict[str, Any]] = [EC_POINT, RSA_NUMBERS, OKP, {"kty": "oct", "k": "AAAA"}, {"kty": "oct"}]
    for jwk in jwks:
        assert proof_key(jwk, algorithm, allowed={*ALL, "none", "HS256", "ES384", "RS512", "es256", ""}) is None


def test_only_what_is_allowed() -> None:
    """A key for an algorithm that is known, but not allowed, is none."""
    assert proof_key(OKP, "EdDSA", allowed={"ES256", "RS256"}) is None


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("name", ["d", "p", "q", "dp", "dq", "qi", "oth", "k"])
def test_a_private_member_refuses(algorithm: str, name: str) -> None:
    """Who sends a private key has none any more, whatever the value is."""
    assert proof_key({**public_jwk(PRIVATE[algorithm]), name: None}, algorithm, allowed=ALL) is None


def _rsa(bits: int, exponent: int = 65_537) -> dict[str, Any]:
    return {"kty": "RSA", "n": number((1 << bits) - 159), "e": number(exponent)}


@pytest.mark.parametrize(
    ("algorithm", "jwk"),
    [
        pytest.param("ES256", None, id="nothing"),
        pytest.param("ES256", [EC_POINT], id="a list"),
        pytest.param("ES256", {}, id="empty"),
        pytest.param("ES256", {**EC_POINT, "kty": "RSA"}, id="kty"),
        pytest.param("ES256", {**EC_POINT, "kty": ["EC"]}, id="kty, a list"),
        pytest.param("ES256", {**EC_POINT, "crv": "P-384"}, id="crv"),
        pytest.param("ES256", {**EC_POINT, "y": EC_POINT["x"]}, id="no point of the curve"),
        pytest.param("ES256", {**EC_POINT, "x": number(0, 32), "y": number(0, 32)}, id="zero"),
        pytest.param("ES256", {**EC_POINT, "x": number((1 << 256) - 1)}, id="beyond the field"),
        pytest.param("ES256", {**EC_POINT, "x": EC_POINT["x"] + "AAAA"}, id="longer"),
        pytest.param("ES256", {**EC_POINT, "x": EC_POINT["x"] + "="}, id="padded"),
        pytest.param("ES256", {**EC_POINT, "x": 1}, id="a number"),
        pytest.param("ES256", {**EC_POINT, "use": "enc"}, id="use"),
        pytest.param("ES256", {**EC_POINT, "use": None}, id="use, null"),
        pytest.param("ES256", {**EC_POINT, "key_ops": ["sign"]}, id="key_ops"),
        pytest.param("ES256", {**EC_POINT, "key_ops": "verify"}, id="key_ops, a text"),
        pytest.param("ES256", {**EC_POINT, "alg": "ES384"}, id="alg"),
        pytest.param("ES256", {**EC_POINT, "alg": ["ES256"]}, id="alg, a list"),
        pytest.param("ES256", RSA_NUMBERS, id="RSA for ECDSA"),
        pytest.param("RS256", EC_POINT, id="EC for RSA"),
        pytest.param("PS256", {**RSA_NUMBERS, "alg": "RS256"}, id="alg of RSA"),
        pytest.param("RS256", _rsa(2047), id="short"),
        pytest.param("RS256", _rsa(8193), id="long"),
        pytest.param("RS256", {**RSA_NUMBERS, "n": number(MODULUS, 257)}, id="n, zeros in front"),
        pytest.param("RS256", {**RSA_NUMBERS, "e": number(65_537, 4)}, id="e, zeros in front"),
        pytest.param("RS256", _rsa(2048, 3), id="e, 3"),
        pytest.param("RS256", _rsa(2048, 65_538), id="e, even"),
        pytest.param("RS256", _rsa(2048, (1 << 32) + 1), id="e, long"),
        pytest.param("RS256", {**RSA_NUMBERS, "e": "AQAB\u00e9"}, id="e, no ASCII"),
        pytest.param("EdDSA", {**OKP, "alg": ["EdDSA"]}, id="alg of Ed25519, a list"),
        pytest.param("EdDSA", {**OKP, "crv": "X25519"}, id="X25519"),
        pytest.param("EdDSA", {**OKP, "crv": "Ed448"}, id="Ed448"),
        pytest.param("Ed25519", {**OKP, "x": OKP["x"][:-1]}, id="Ed25519, short"),
    ],
)
def test_what_is_no_key(algorithm: str, jwk: Any) -> None:
    """A key of another kind, of another strength, in another form or for another use is none."""
    assert proof_key(jwk, algorithm, allowed=ALL) is None


_P = (1 << 255) - 19
_OF_ORDER_8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826


@pytest.mark.parametrize("sign_bit", [0, 1 << 255])
@pytest.mark.parametrize("y", [0, 1, _P - 1, _P, _P + 1, _OF_ORDER_8, _P - _OF_ORDER_8])
def test_a_point_of_small_order(y: int, sign_bit: int) -> None:
    """A point of Ed25519 for which anybody can sign is no key: there is no private one to it."""
    jwk: dict[str, Any] = {**OKP, "x": base64url.encode((y | sign_bit).to_bytes(32, "little"))}

    assert proof_key(jwk, "Ed25519", allowed=ALL) is None


@pytest.mark.parametrize("bits", [2048, 8192])
def test_the_bounds_of_rsa(bits: int) -> None:
    """A modulus of the least and of the most bits is read."""
    assert proof_key(_rsa(bits), "RS256", allowed=ALL) is not None


@pytest.mark.parametrize("named", ["EdDSA", "Ed25519"])
def test_both_names_of_ed25519(named: str) -> None:
    """A key that says one name of Ed25519 is read for the other too."""
    assert proof_key({**OKP, "alg": named}, "EdDSA", allowed=ALL) is not None
    assert proof_key({**OKP, "alg": named}, "Ed25519", allowed=ALL) is not None


def test_the_salt_of_pss() -> None:
    """A signature of PSS with a salt of another length is none: RFC 7518, section 3.5 gives it one."""
    private = PRIVATE["PS256"]
    assert isinstance(private, rsa.RSAPrivateKey)

    assert not key("PS256").is_signature(private.sign(b"message", PSS(MGF1(SHA256()), 20), SHA256()), b"message")


def test_another_curve_s_point() -> None:
    """A point of P-384 is no key, whatever curve is said."""
    point = ec.generate_private_key(ec.SECP384R1()).public_key().public_numbers()

    assert (
        proof_key({"kty": "EC", "crv": "P-256", "x": number(point.x), "y": number(point.y)}, "ES256", allowed=ALL)
        is None
    )


def test_nothing_of_a_key_is_in_its_representation() -> None:
    """What is printed of a key is its thumbprint."""
    assert f"ProofKey(algorithm='ES256', thumbprint='{key('ES256').thumbprint}')" == repr(key("ES256"))
