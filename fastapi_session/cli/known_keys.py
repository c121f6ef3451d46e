"""The signing keys of a store as a command reads them: nothing is made, and none is left out that cannot be opened."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from fastapi_session.core.key_encryption import opened
from fastapi_session.core.secret import Secrets
from fastapi_session.core.signing_keys import SigningKeys, VerifyingKey
from fastapi_session.errors import ConfigurationError
from fastapi_session.model import SigningKeyRecord


def known_keys(records: Iterable[SigningKeyRecord], secrets: Secrets) -> SigningKeys:
    """Return those of *records* that one of *secrets* opens, as keys."""
    return SigningKeys(key for record in records if (key := _opened(record, secrets)) is not None)


def _opened(record: SigningKeyRecord, secrets: Secrets) -> VerifyingKey | None:
    with suppress(ConfigurationError):
        return opened(record, secrets)
    return None
