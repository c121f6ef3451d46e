"""A private key at rest: encrypted under a secret, opened by that alone, and encrypted anew when another one follows it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from fastapi_session.core.key_encryption import decrypt, generate_private_key, reencrypt
from fastapi_session.core.secret import Secret, Secrets
from fastapi_session.core.signatures import is_signature, sign
from fastapi_session.core.signing_keys import Algorithm
from fastapi_session.errors import ConfigurationError
from tests.core.keys import PRIVATE, RING, key, key_record

NEW = Secret.from_material(b"the secret that follows it one day")
BOTH = Secrets([NEW, *RING])
NONCE = b"m" * 12


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
def test_encrypted_and_decrypted(algorithm: Algorithm) -> None:
    """A key comes out of its row as it went in: what it signs, the public part of the original verifies, and no other."""
    again = decrypt(key_record("d-x", algorithm=algorithm), RING)
    signature = sign(b"message", again.private)

    assert is_signature(signature, b"message", PRIVATE[algorithm].public_key())
    assert not is_signature(signature, b"massage", PRIVATE[algorithm].public_key())
    assert not is_signature(signature, b"message", generate_private_key("ES256").public_key())


def test_a_row_tells_no_secret() -> None:
    """Neither the row's text form nor its public part tells the private key, which is encrypted in it."""
    record = key_record("d-x")
    private = PRIVATE["ES256"]
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    number = private.private_numbers().private_value.to_bytes(32, "big")

    assert number not in record.private_key
    assert {"kty", "crv", "x", "y", "alg"} == record.public_jwk.keys()
    assert "private" not in repr(key("d-x"))


@pytest.mark.parametrize(
    "change",
    [
        {"kid": "d-other"},
        {"algorithm": "RS256"},
        {"private_key": b""},
        {"private_key": b"short"},
        {"private_key": bytes(200)},
    ],
    ids=str,
)
def test_a_row_that_was_tampered_with(change: dict[str, Any]) -> None:
    """A row under another name, for another algorithm, or with other bytes does not open."""
    with pytest.raises(ConfigurationError, match="secret: it does not open the signing key"):
        decrypt(replace(key_record("d-x"), **change), RING)


def test_every_bit_of_an_encrypted_key_counts() -> None:
    """One flipped bit anywhere, in nonce, cipher text or tag, and the key does not open."""
    record = key_record("d-x")
    for position in range(len(record.private_key)):
        changed = bytearray(record.private_key)
        changed[position] ^= 1
        with pytest.raises(ConfigurationError):
            decrypt(replace(record, private_key=bytes(changed)), RING)


def test_the_secret_that_encrypted_decrypts() -> None:
    """Any secret of the list decrypts what it encrypted, the newest one encrypts, and a stranger's opens nothing."""
    new = Secret.from_material(b"another secret that is long enough")
    both = Secrets([new, *RING])

    assert "d-x" == decrypt(key_record("d-x"), both).kid
    assert new.kid == key_record("d-x", secrets=both).secret_kid
    with pytest.raises(ConfigurationError, match="a list with the new one first"):
        decrypt(key_record("d-x"), Secrets([new]))


def test_keys_are_strong() -> None:
    """RSA keys have 3072 bits and the usual exponent, the others are on P-256."""
    private = PRIVATE["RS256"]
    curve = PRIVATE["ES256"]
    assert isinstance(private, rsa.RSAPrivateKey)
    assert isinstance(curve, ec.EllipticCurvePrivateKey)

    assert (3072, 65537) == (private.key_size, private.private_numbers().public_numbers.e)
    assert "secp256r1" == curve.curve.name


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
def test_a_key_follows_the_secret(algorithm: Algorithm) -> None:
    """Encrypted anew, the same key opens with the newest secret alone, and with the earlier one no more."""
    reencrypted = reencrypt(key_record("d-x", algorithm=algorithm), BOTH, nonce=NONCE)
    signature = sign(b"message", decrypt(reencrypted, Secrets([NEW])).private)

    assert is_signature(signature, b"message", PRIVATE[algorithm].public_key())
    with pytest.raises(ConfigurationError, match="secret: it does not open the signing key d-x"):
        decrypt(reencrypted, RING)


def test_nothing_else_changes() -> None:
    """Encrypting anew changes what is encrypted and the name of the secret, under a nonce of its own."""
    record = key_record("d-x")
    reencrypted = reencrypt(record, BOTH, nonce=NONCE)

    assert replace(record, private_key=reencrypted.private_key, secret_kid=NEW.kid) == reencrypted
    assert reencrypted.private_key.startswith(NONCE)
    assert len(record.private_key) == len(reencrypted.private_key)


@pytest.mark.parametrize("change", [{"kid": "d-y"}, {"algorithm": "RS256"}, {"private_key": bytes(200)}], ids=str)
def test_what_was_tampered_with_is_not_key_record(change: dict[str, Any]) -> None:
    """A row that does not open is not encrypted anew under another identity, and one that was encrypted anew does not open so."""
    with pytest.raises(ConfigurationError):
        reencrypt(replace(key_record("d-x"), **change), BOTH, nonce=NONCE)
    with pytest.raises(ConfigurationError):
        decrypt(replace(reencrypt(key_record("d-x"), BOTH, nonce=NONCE), **change), BOTH)
