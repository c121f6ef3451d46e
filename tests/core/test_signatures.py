"""Signatures are what the JWS standard says, and whatever is presented as one is either that or refused."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st
from jose import jwk

from fastapi_session.core.signatures import is_signature, sign
from fastapi_session.core.signing_keys import Algorithm
from tests.core.keys import PRIVATE

ALGORITHMS: list[Algorithm] = ["ES256", "RS256"]
LENGTHS = {"ES256": 64, "RS256": 384}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@given(message=st.binary(max_size=200))
def test_another_library_agrees(algorithm: Algorithm, message: bytes) -> None:
    """python-jose accepts what is signed here, and what it signs is accepted here."""
    private = PRIVATE[algorithm]
    other = jwk.construct(private, algorithm)

    assert other.public_key().verify(message, sign(message, private))
    assert is_signature(other.sign(message), message, private.public_key())


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@given(message=st.binary(max_size=50), bit=st.integers(0, 8 * 64 - 1))
def test_a_signature_with_another_bit_is_none(algorithm: Algorithm, message: bytes, bit: int) -> None:
    """A signature in which one bit was changed is refused, and so is that of another message."""
    signature = sign(message, PRIVATE[algorithm])
    changed = bytearray(signature)
    changed[bit // 8] ^= 1 << bit % 8

    assert LENGTHS[algorithm] == len(signature)
    assert not is_signature(bytes(changed), message, PRIVATE[algorithm].public_key())
    assert not is_signature(signature, message + b"!", PRIVATE[algorithm].public_key())


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@given(signature=st.one_of(st.binary(max_size=100), st.binary(min_size=64, max_size=64), st.just(bytes(64))))
def test_no_input_raises(algorithm: Algorithm, signature: bytes) -> None:
    """Whatever is presented as a signature is refused without an error."""
    assert not is_signature(signature, b"message", PRIVATE[algorithm].public_key())


@given(number=st.integers(0, 255))
def test_halves_keep_their_zeros(number: int) -> None:
    """R and S are 32 bytes each also where they begin with zeros, as one of 128 signatures does."""
    private = ec.derive_private_key(number + 1, ec.SECP256R1())
    signatures = [sign(bytes([number]), private) for _ in range(4)]

    assert [64] * 4 == [len(signature) for signature in signatures]
    assert all(is_signature(signature, bytes([number]), private.public_key()) for signature in signatures)


def test_one_signature_is_one_text() -> None:
    """R and S with a zero before them are the same numbers, and no signature: RFC 7518, section 3.4 gives them one length."""
    signature = sign(b"message", PRIVATE["ES256"])
    r, s = signature[:32], signature[32:]

    assert is_signature(r + s, b"message", PRIVATE["ES256"].public_key())
    assert not is_signature(r + b"\0" + s, b"message", PRIVATE["ES256"].public_key())
