"""A private key at rest, and under which secret. What does not open is told in the tests of the signing keys."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fastapi_session.core.sealing import reseal
from fastapi_session.core.secret import Secret, Secrets
from fastapi_session.core.signing_keys import Algorithm, unseal
from fastapi_session.errors import ConfigurationError
from tests.core.keys import RING, key, sealed

NEW = Secret.from_material(b"the secret that follows it one day")
BOTH = Secrets([NEW, *RING])
NONCE = b"m" * 12


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
def test_a_key_follows_the_secret(algorithm: Algorithm) -> None:
    """Sealed anew, the same key opens with the newest secret alone, and with the earlier one no more."""
    reencrypted = reseal(sealed("d-x", algorithm=algorithm), BOTH, nonce=NONCE)
    signature = unseal(reencrypted, Secrets([NEW])).sign(b"message")

    assert key("d-x", algorithm=algorithm).verifies(b"message", signature)
    with pytest.raises(ConfigurationError, match="secret: it does not open the signing key d-x"):
        unseal(reencrypted, RING)


def test_nothing_else_changes() -> None:
    """Sealing anew changes what is encrypted and the name of the secret, under a nonce of its own."""
    record = sealed("d-x")
    reencrypted = reseal(record, BOTH, nonce=NONCE)

    assert replace(record, private_key=reencrypted.private_key, secret_kid=NEW.kid) == reencrypted
    assert reencrypted.private_key.startswith(NONCE)
    assert len(record.private_key) == len(reencrypted.private_key)


@pytest.mark.parametrize("change", [{"kid": "d-y"}, {"algorithm": "RS256"}, {"private_key": bytes(200)}], ids=str)
def test_what_was_tampered_with_is_not_sealed(change: dict[str, Any]) -> None:
    """A row that does not open is not sealed anew under another identity, and neither is one that was sealed anew opened so."""
    with pytest.raises(ConfigurationError):
        reseal(replace(sealed("d-x"), **change), BOTH, nonce=NONCE)
    with pytest.raises(ConfigurationError):
        unseal(replace(reseal(sealed("d-x"), BOTH, nonce=NONCE), **change), BOTH)
