"""Signing keys at rest: made, and kept in rows whose private part is encrypted under a secret.

The cipher is AES-256-GCM. Its associated data are the kid and the algorithm of the row, so that an encrypted key cannot be moved to another row.
"""

from __future__ import annotations

from dataclasses import replace

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from jose import jwk
from jose.exceptions import JOSEError

from fastapi_session.core.secret import Secret, Secrets
from fastapi_session.core.signatures import PrivateKey, PublicKey
from fastapi_session.core.signing_keys import FOREIGN, Algorithm, DueKey, KeyPolicy, SigningKey, VerifyingKey
from fastapi_session.errors import ConfigurationError
from fastapi_session.model import SigningKeyRecord

NONCE_BYTES = 12

_RSA_BITS = 3072


def generate_private_key(algorithm: Algorithm) -> PrivateKey:
    """Make a new key pair: P-256 in microseconds, RSA 3072 in a tenth of a second or more."""
    if algorithm == "ES256":
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(public_exponent=65537, key_size=_RSA_BITS)


def encrypt(
    private: PrivateKey, due: DueKey, *, kid: str, now: int, policy: KeyPolicy, secrets: Secrets, nonce: bytes
) -> SigningKeyRecord:
    """Return the row of a new key, its private part encrypted under the newest secret with 12 random bytes as *nonce*."""
    der = private.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return SigningKeyRecord(
        kid=kid,
        family=due.family,
        sequence=due.sequence,
        algorithm=policy.algorithm,
        public_jwk=jwk.construct(private.public_key(), policy.algorithm).to_dict(),
        private_key=_encrypted(der, kid=kid, algorithm=policy.algorithm, secret=secrets.newest, nonce=nonce),
        secret_kid=secrets.newest.kid,
        created_at=now,
        activates_at=due.activates_at,
        token_lifetime=policy.token_lifetime,
    )


def opened(record: SigningKeyRecord, secrets: Secrets) -> VerifyingKey:
    """Return the key of *record*, ready for use: to sign too, unless it is one of another system. Raises as `decrypt`."""
    return verifying_key(record) if record.family == FOREIGN else decrypt(record, secrets)


def verifying_key(record: SigningKeyRecord) -> VerifyingKey:
    """Return the key of *record* by its public part alone. Raises `ValueError` if that is no key for its algorithm."""
    try:
        public = jwk.construct({**record.public_jwk}, record.algorithm).prepared_key
    except JOSEError as error:
        raise ValueError("it is no JWK") from error
    if not isinstance(public, PublicKey):
        raise ValueError("it is no public key of RSA or of P-256")  # noqa: TRY004 - a JWK of another kind
    return VerifyingKey(kid=record.kid, algorithm=record.algorithm, record=record, public=public)


def decrypt(record: SigningKeyRecord, secrets: Secrets) -> SigningKey:
    """Return the key of *record*, ready to sign. Raises `ConfigurationError` if no secret of *secrets* opens it."""
    der = decrypted(record, secrets)
    # What AES-GCM has authenticated needs no second check, which takes a tenth of a second with the GIL held.
    private = serialization.load_der_private_key(der, password=None, unsafe_skip_rsa_key_validation=True)
    assert isinstance(private, PrivateKey)  # `encrypt` writes keys of no other kind
    return SigningKey(
        kid=record.kid, algorithm=record.algorithm, record=record, private=private, public=private.public_key()
    )


def reencrypt(record: SigningKeyRecord, secrets: Secrets, *, nonce: bytes) -> SigningKeyRecord:
    """Return *record* with its private part encrypted under the newest secret of *secrets* instead.

    Raises `ConfigurationError` if no secret of *secrets* opens it.
    """
    der, newest = decrypted(record, secrets), secrets.newest
    private_key = _encrypted(der, kid=record.kid, algorithm=record.algorithm, secret=newest, nonce=nonce)
    return replace(record, private_key=private_key, secret_kid=newest.kid)


def decrypted(record: SigningKeyRecord, secrets: Secrets) -> bytes:
    """Return the private part of *record*, as DER. Raises `ConfigurationError` if no secret of *secrets* opens it."""
    secret = secrets.get(record.secret_kid)
    if secret is None:
        raise _wrong_secret(record)
    nonce, encrypted = record.private_key[:NONCE_BYTES], record.private_key[NONCE_BYTES:]
    try:
        return AESGCM(secret.encrypt).decrypt(nonce, encrypted, _associated_data(record.kid, record.algorithm))
    except (InvalidTag, ValueError) as error:
        raise _wrong_secret(record) from error


def _encrypted(der: bytes, *, kid: str, algorithm: str, secret: Secret, nonce: bytes) -> bytes:
    # The nonce is not secret, and GCM needs the same one to decrypt: it is kept before what it encrypted.
    return nonce + AESGCM(secret.encrypt).encrypt(nonce, der, _associated_data(kid, algorithm))


def _associated_data(kid: str, algorithm: str) -> bytes:
    return f"fastapi_session/signing-key|{kid}|{algorithm}".encode()


def _wrong_secret(record: SigningKeyRecord) -> ConfigurationError:
    return ConfigurationError(
        f"secret: it does not open the signing key {record.kid} in the store, so it is not the secret that made the "
        "sessions there; give the earlier secret, or a list with the new one first and the earlier one after it"
    )
