"""Keeping the public keys of another system, so that its access tokens are believed here until they have expired.

| a key | then |
|---|---|
| was never known to this store | it is kept, and verifies for as long as an access token of that system is believed at most |
| was known, whatever became of it | nothing: it ends when it was to end, and one that was revoked stays so |
| is none, or is not called as those of that system are | it is left out, and logged: clients with a token of it refresh once |

So a key does not come back by a restart, although its private part is elsewhere and may outlive it there.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence

from fastapi_session.clock import Clock
from fastapi_session.core.key_encryption import verifying_key
from fastapi_session.core.signing_keys import FOREIGN, is_foreign_kid
from fastapi_session.foreign_sessions import ForeignKey
from fastapi_session.model import SigningKeyRecord
from fastapi_session.stores.base import Store

REMEMBERED = 100 * 365 * 86_400_000
"""Milliseconds for which a key is known to have been there."""

logger = logging.getLogger("fastapi_session")


async def keep_foreign_keys(store: Store, keys: Sequence[ForeignKey], *, validity: int, clock: Clock) -> None:
    """Keep *keys* in *store* by the table above; *validity* is in milliseconds. Raises `StoreUnavailable`."""
    now = clock()
    for key in keys:
        record = _record(key, validity=validity, now=now)
        if not _is_usable(record):
            logger.warning("the key %s of another system cannot be used: its access tokens are not believed", key.kid)
        # First what is remembered: if this ends in between, a key is not believed, and clients refresh once.
        elif validity and await store.once(_digest(key), until=now + REMEMBERED):
            await store.insert_key(record)


def _record(key: ForeignKey, *, validity: int, now: int) -> SigningKeyRecord:
    return SigningKeyRecord(
        kid=key.kid,
        family=FOREIGN,
        sequence=int.from_bytes(_digest(key)[:4]) >> 1,  # which says nothing; the store wants one that no other key has
        algorithm=key.algorithm,
        public_jwk=key.public_jwk,
        private_key=b"",
        secret_kid=0,
        created_at=now,
        activates_at=now,
        token_lifetime=validity,
    )


def _is_usable(record: SigningKeyRecord) -> bool:
    try:
        verifying_key(record)
    except ValueError:
        return False
    return is_foreign_kid(record.kid)


def _digest(key: ForeignKey) -> bytes:
    return hashlib.sha256(f"fastapi_session/foreign-key|{key.kid}".encode()).digest()
