"""Signing keys follow the secret: what an earlier one encrypts is encrypted under the newest, so that the earlier can go.

A process looks at the keys when it reads them first, and from then on once a day. During a change of
the secret, processes with the old list and with the new one run side by side. As they look once a day only, they do not keep
undoing each other's work. Within a day of the change all keys follow the new list. Meanwhile all processes can decrypt
the keys: both secrets are in each list.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence

from fastapi_session.clock import Clock
from fastapi_session.core.key_encryption import NONCE_BYTES, reencrypt
from fastapi_session.core.secret import Secrets
from fastapi_session.engine.background import Background
from fastapi_session.errors import ConfigurationError, StoreUnavailable
from fastapi_session.model import SigningKeyRecord
from fastapi_session.randomness import Random
from fastapi_session.stores.base import SigningKeyStore

REENCRYPTION_INTERVAL = 86_400_000
"""Milliseconds between two checks which secret encrypts the keys."""

logger = logging.getLogger("fastapi_session")


class KeyReencryption:
    """Encrypts the store's keys again if that is needed. Of several processes that do so at once, one succeeds."""

    def __init__(
        self,
        store: SigningKeyStore,
        *,
        secrets: Secrets,
        clock: Clock,
        random: Random,
        background: Background,
    ) -> None:
        self._store = store
        self._secrets = secrets
        self._clock = clock
        self._random = random
        self._background = background
        self._look_at = 0

    def look(self, records: Sequence[SigningKeyRecord]) -> None:
        """Begin to encrypt again those of *records* that an earlier secret encrypts, unless the last look was less than a day ago."""
        now = self._clock()
        if now < self._look_at:
            return
        self._look_at = now + REENCRYPTION_INTERVAL
        earlier = under_earlier_secrets(records, self._secrets)
        if earlier:
            self._background.start(self._reencrypt(earlier))

    async def _reencrypt(self, records: Sequence[SigningKeyRecord]) -> None:
        try:
            async for _ in reencrypted(records, store=self._store, secrets=self._secrets, random=self._random):
                pass
        except (StoreUnavailable, ConfigurationError):
            self._look_at = 0
            logger.warning("signing keys could not be encrypted under the newest secret yet", exc_info=True)


def under_earlier_secrets(records: Sequence[SigningKeyRecord], secrets: Secrets) -> list[SigningKeyRecord]:
    """Return those of *records* whose private part one of *secrets* encrypts that is not the newest."""
    return [each for each in records if each.private_key and secrets.is_earlier(each.secret_kid)]


async def reencrypted(
    records: Sequence[SigningKeyRecord], *, store: SigningKeyStore, secrets: Secrets, random: Random
) -> AsyncIterator[SigningKeyRecord]:
    """Encrypt *records* under the newest of *secrets*, and yield each that was written.

    Raises `StoreUnavailable`, and `ConfigurationError` if a row was damaged.
    """
    for record in records:
        new = reencrypt(record, secrets, nonce=random(NONCE_BYTES))
        # Compare-and-set: another process may have encrypted it meanwhile, perhaps under a newer secret.
        if await store.replace_key(new, expected_secret_kid=record.secret_kid):
            yield new
