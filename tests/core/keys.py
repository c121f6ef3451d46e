"""Signing keys to test with: made once, because RSA takes its time."""

from __future__ import annotations

from typing import Any

from fastapi_session.core.key_encryption import decrypt, encrypt, generate_private_key
from fastapi_session.core.secret import Secret, Secrets
from fastapi_session.core.signatures import PrivateKey
from fastapi_session.core.signing_keys import Algorithm, DueKey, Family, KeyPolicy, SigningKey
from fastapi_session.model import SigningKeyRecord
from tests.milliseconds import HOUR, WEEK

NOW = 2_000_000_000_000
RING = Secrets([Secret.from_material(b"the secret of the keys under test")])
POLICY = KeyPolicy(algorithm="ES256", rotation_interval=WEEK, publish_lead=HOUR // 6, token_lifetime=HOUR)

PRIVATE: dict[Algorithm, PrivateKey] = {"ES256": generate_private_key("ES256"), "RS256": generate_private_key("RS256")}


def policy(algorithm: Algorithm = "ES256", **fields: Any) -> KeyPolicy:
    """Return the policy of a deployment that signs with *algorithm*."""
    chosen: dict[str, Any] = {
        "rotation_interval": POLICY.rotation_interval,
        "publish_lead": POLICY.publish_lead,
        "token_lifetime": POLICY.token_lifetime,
    }
    return KeyPolicy(algorithm=algorithm, **{**chosen, **fields})


def key_record(
    kid: str = "d-0",
    *,
    algorithm: Algorithm = "ES256",
    private: PrivateKey | None = None,
    secrets: Secrets = RING,
    family: Family = "d",
    sequence: int = 0,
    activates_at: int = NOW,
    token_lifetime: int = HOUR,
) -> SigningKeyRecord:
    """Return the row of a key."""
    return encrypt(
        private or PRIVATE[algorithm],
        DueKey(family, sequence, activates_at),
        kid=kid,
        now=activates_at,
        policy=policy(algorithm, token_lifetime=token_lifetime),
        secrets=secrets,
        nonce=b"n" * 12,
    )


def key(kid: str = "d-0", **fields: Any) -> SigningKey:
    """Return a key that is ready to sign."""
    return decrypt(key_record(kid, **fields), RING)
