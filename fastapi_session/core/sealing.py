"""A private key at rest: encrypted under a secret with AES-256-GCM, the identity of its row as associated data."""

from __future__ import annotations

from dataclasses import replace

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from fastapi_session.core.secret import Secret, Secrets
from fastapi_session.errors import ConfigurationError
from fastapi_session.model import SigningKeyRecord

NONCE_BYTES = 12


def encrypt(private_key: bytes, *, kid: str, algorithm: str, secret: Secret, nonce: bytes) -> bytes:
    """Return *private_key* for the row *kid*, encrypted under *secret* with 12 random bytes as *nonce*."""
    return nonce + AESGCM(secret.encrypt).encrypt(nonce, private_key, _associated_data(kid, algorithm))


def decrypt(record: SigningKeyRecord, secrets: Secrets) -> bytes:
    """Return the private key of *record*. Raises `ConfigurationError` where no secret of *secrets* opens it."""
    secret = secrets.get(record.secret_kid)
    if secret is None:
        raise _wrong_secret(record)
    nonce, encrypted = record.private_key[:NONCE_BYTES], record.private_key[NONCE_BYTES:]
    try:
        return AESGCM(secret.encrypt).decrypt(nonce, encrypted, _associated_data(record.kid, record.algorithm))
    except (InvalidTag, ValueError) as error:
        raise _wrong_secret(record) from error


def reseal(record: SigningKeyRecord, secrets: Secrets, *, nonce: bytes) -> SigningKeyRecord:
    """Return *record* with its private key encrypted under the newest secret of *secrets* instead.

    Raises `ConfigurationError` where no secret of *secrets* opens it.
    """
    newest = secrets.newest
    encrypted = encrypt(
        decrypt(record, secrets), kid=record.kid, algorithm=record.algorithm, secret=newest, nonce=nonce
    )
    return replace(record, private_key=encrypted, secret_kid=newest.kid)


def _associated_data(kid: str, algorithm: str) -> bytes:
    return f"fastapi_session/signing-key|{kid}|{algorithm}".encode()


def _wrong_secret(record: SigningKeyRecord) -> ConfigurationError:
    return ConfigurationError(
        f"secret: it does not open the signing key {record.kid} in the store, so it is not the secret that made the "
        "sessions there; give the earlier secret, or a list with the new one first and the earlier one after it"
    )
