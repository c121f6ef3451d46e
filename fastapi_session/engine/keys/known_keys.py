"""The signing keys of a store as an operator reads them: nothing is made, and none is left out that cannot be opened."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from fastapi_session.core.key_encryption import opened
from fastapi_session.core.secret import Secrets
from fastapi_session.core.signing_keys import (
    FOREIGN,
    ROTATING,
    STATIC,
    Algorithm,
    Family,
    KeyState,
    SigningKeys,
    VerifyingKey,
)
from fastapi_session.errors import ConfigurationError
from fastapi_session.model import SigningKeyRecord, moment

_FAMILIES: Mapping[str, str] = {ROTATING: "rotating", STATIC: "static", FOREIGN: "foreign"}
_SIGNING: tuple[Family, ...] = (ROTATING, STATIC)

KeySecret = Literal["newest", "earlier", "not given", "none"]
"""Which of the configured secrets encrypts a key; "none" one that has no private part here."""


@dataclass(frozen=True, slots=True)
class KeyInformation:
    """What is known of a signing key: nothing private of it.

    *state* is "unreadable" if no secret opens it. *verifies_until* is `None` while that is not known, or no successor is.
    """

    kid: str
    family: str
    algorithm: str
    state: KeyState | Literal["unreadable"]
    signs: bool
    created_at: datetime
    signs_from: datetime
    verifies_until: datetime | None
    secret: KeySecret


def known_keys(records: Iterable[SigningKeyRecord], secrets: Secrets) -> SigningKeys:
    """Return those of *records* that one of *secrets* opens, as keys."""
    return SigningKeys(key for record in records if (key := _opened(record, secrets)) is not None)


def described_keys(
    records: Sequence[SigningKeyRecord], secrets: Secrets, *, now: int, algorithm: Algorithm
) -> list[KeyInformation]:
    """Return what is known of each key of *records* at *now* (milliseconds), where *algorithm* is configured."""
    keys = known_keys(records, secrets)
    found = [keys.signing(family, now=now, algorithm=algorithm) for family in _SIGNING]
    signing = {key.kid for key in found if key is not None}
    return [
        KeyInformation(
            kid=record.kid,
            family=_FAMILIES.get(record.family, record.family),
            algorithm=record.algorithm,
            state=keys.state(record.kid, now=now) or "unreadable",
            signs=record.kid in signing,
            created_at=moment(record.created_at),
            signs_from=moment(record.activates_at),
            verifies_until=_moment(keys.verifies_until.get(record.kid, math.inf)),
            secret=_secret(record, secrets),
        )
        for record in records
    ]


def _opened(record: SigningKeyRecord, secrets: Secrets) -> VerifyingKey | None:
    with suppress(ConfigurationError):
        return opened(record, secrets)
    return None


def _moment(milliseconds: float) -> datetime | None:
    return None if math.isinf(milliseconds) else moment(int(milliseconds))


def _secret(record: SigningKeyRecord, secrets: Secrets) -> KeySecret:
    """Say which of *secrets* encrypts the private part."""
    if not record.private_key:
        return "none"
    if record.secret_kid == secrets.newest.kid:
        return "newest"
    return "earlier" if secrets.is_earlier(record.secret_kid) else "not given"
