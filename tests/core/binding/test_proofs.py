"""A proof is read if it is strict, of its type, and signed by the key that it brings or that is known; else not at all."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from fastapi_session.core import base64url, jws
from fastapi_session.core.binding.proof_keys import ProofKey, proof_key
from fastapi_session.core.binding.proofs import LONGEST, Proof, read_proof
from fastapi_session.json_types import JsonObject
from tests.core.binding.provers import ALGORITHMS, ALL, PRIVATE, proof, public_jwk, sign

CLAIMS: JsonObject = {"jti": "j", "n": 1}


def read(text: str, **fields: Any) -> Proof | None:
    return read_proof(text, **{"typ": "test+jwt", "allowed": ALL, **fields})


def key(algorithm: str = "ES256") -> ProofKey:
    known = proof_key(public_jwk(PRIVATE[algorithm]), algorithm, allowed=ALL)
    assert known is not None
    return known


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_proof_is_read(algorithm: str) -> None:
    """A proof by each algorithm says its claims and its key, the first time and the second."""
    for _ in range(2):
        assert Proof(key(algorithm), CLAIMS) == read(proof(CLAIMS, algorithm))


def test_other_names_of_the_header() -> None:
    """What else a header says is not looked at: neither a name of the key nor an address from which it could be had."""
    assert read(proof(CLAIMS, kid="mine", jku="https://thief.example/keys", x5c=["AAAA"])) is not None


def _signed(header: str, claims: str) -> str:
    signing_input = f"{header}.{claims}"
    return f"{signing_input}.{base64url.encode(sign(signing_input.encode(), 'ES256'))}"


HEADER, _, SIGNATURE = proof(CLAIMS).split(".")
SEGMENT = jws.segment(CLAIMS)
TWICE = base64url.encode(b'{"jti":"a","jti":"b"}')


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("a.b", id="two segments"),
        pytest.param(f"{proof(CLAIMS)}.", id="four segments"),
        pytest.param(f" {proof(CLAIMS)}", id="a blank"),
        pytest.param(f'"{proof(CLAIMS)}"', id="quoted"),
        pytest.param(f"{proof(CLAIMS)}=", id="padded"),
        pytest.param(f"{proof(CLAIMS)[:-1]}\u00e9", id="no ASCII"),
        pytest.param(f"{HEADER}.{SEGMENT}\u00e9.{SIGNATURE}", id="no ASCII in the claims"),
        pytest.param(proof(CLAIMS, typ="other+jwt"), id="another typ"),
        pytest.param(proof(CLAIMS, typ="TEST+JWT"), id="typ in capitals"),
        pytest.param(proof(CLAIMS, typ=None), id="no typ"),
        pytest.param(proof(CLAIMS, typ=["test+jwt"]), id="typ, a list"),
        pytest.param(proof(CLAIMS, alg="none"), id="alg none"),
        pytest.param(proof(CLAIMS, alg="HS256"), id="alg HS256"),
        pytest.param(proof(CLAIMS, alg="RS256"), id="another alg than the key's"),
        pytest.param(proof(CLAIMS, alg=None), id="no alg"),
        pytest.param(proof(CLAIMS, jwk=None), id="no jwk"),
        pytest.param(proof(CLAIMS, jwk=public_jwk(ec.generate_private_key(ec.SECP256R1()))), id="the jwk of another"),
        pytest.param(proof(CLAIMS, jwk={**public_jwk(PRIVATE["ES256"]), "d": "AAAA"}), id="a private jwk"),
        pytest.param(proof(CLAIMS, crit=["exp"]), id="crit"),
        pytest.param(proof(CLAIMS, crit=[]), id="crit, empty"),
        pytest.param(_signed(HEADER, base64url.encode(b"[]")), id="claims, a list"),
        pytest.param(_signed(HEADER, TWICE), id="a claim twice"),
        pytest.param(_signed(HEADER, f"{SEGMENT}="), id="claims, padded"),
        pytest.param(_signed(base64url.encode(b'{"typ":1,"typ":2}'), SEGMENT), id="a name twice in the header"),
        pytest.param(f"{HEADER}.{SEGMENT}.", id="no signature"),
        pytest.param(f"{HEADER}.{jws.segment({**CLAIMS, 'n': 2})}.{SIGNATURE}", id="other claims"),
    ],
)
def test_what_is_no_proof(text: str) -> None:
    """What is not strict, of another type, without a key of its own or not signed by it is no proof."""
    assert read(text) is None


def test_the_longest() -> None:
    """What is longer than any proof has to be is not even decoded."""
    longest = "j" * 6_000
    while len(proof({"jti": longest})) > LONGEST:
        longest = longest[:-1]
    beyond = proof({"jti": longest + "jj"})

    assert LONGEST - 4 <= len(proof({"jti": longest})) <= LONGEST < len(beyond)
    assert read(proof({"jti": longest})) is not None
    assert read(beyond) is None


def test_a_key_that_is_known() -> None:
    """A proof by a key that is known need not bring it, and may; it cannot bring another one or name another algorithm."""
    other = ec.generate_private_key(ec.SECP256R1())

    assert Proof(key(), CLAIMS) == read(proof(CLAIMS, jwk=None), key=key())
    assert Proof(key(), CLAIMS) == read(proof(CLAIMS), key=key())
    assert read(proof(CLAIMS, private=other), key=key()) is None
    assert read(proof(CLAIMS, private=other, jwk=None), key=key()) is None
    assert read(proof(CLAIMS, private=other, jwk=public_jwk(PRIVATE["ES256"])), key=key()) is None
    assert read(proof(CLAIMS, jwk=public_jwk(other)), key=key()) is None
    assert read(proof(CLAIMS, jwk={**public_jwk(PRIVATE["ES256"]), "d": "AAAA"}), key=key()) is None
    assert read(proof(CLAIMS, "PS256", jwk=None), key=key("RS256")) is None
    assert read(proof(CLAIMS, "RS256", alg="PS256", jwk=None), key=key("RS256")) is None


def test_an_algorithm_that_is_not_allowed() -> None:
    """A proof by an algorithm that is not allowed here is none, though it is elsewhere."""
    assert read(proof(CLAIMS, "EdDSA")) is not None
    assert read(proof(CLAIMS, "EdDSA"), allowed=frozenset({"ES256", "RS256"})) is None


@given(text=st.text(alphabet=st.sampled_from(".eyJ0-_ \u00e9={\x00"), max_size=60))
def test_no_text_raises(text: str) -> None:
    """Whatever is presented as a proof is refused without an error."""
    assert read(text) is None


def test_claims_are_not_in_the_representation() -> None:
    """What is printed of a proof is whose it is."""
    assert f"Proof(key={key()!r})" == repr(read(proof(CLAIMS)))
