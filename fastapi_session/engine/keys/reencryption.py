"""Signing keys follow the secret: what an earlier one encrypts is encrypted under the newest, so that the earlier can go.

A process looks at the keys when it reads them first, and from then on once a day. So while processes whose lists begin with
different secrets run side by side, they do not keep undoing each other's work, and within a day of that the list that is
left has prevailed. All of them open the keys meanwhile: each of their lists has both secrets.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from fastapi_session.clock import Clock
from fastapi_session.core.key_encryption import NONCE_BYTES, reencrypt
from fastapi_session.core.secret import Secrets
from fastapi_session.engine.background import Background
from fastapi_session.errors import ConfigurationError, StoreUnavailable
from fastapi_session.model import SigningKeyRecord
from fastapi_session.randomness import Random
from fastapi_session.stores.base import SigningKeyStore

REENCRYPTION_INTERVAL = 86_400_000
"""Milliseconds between two looks at what encrypts the keys."""

logger = logging.getLogger("fastapi_session")


class KeyReencryption:
    """Encrypts one process's keys anew if that is needed. Of several processes that do so at once, one succeeds."""

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
        """Begin to encrypt anew those of *records* that an earlier secret encrypts, unless it is too soon to look again."""
        now = self._clock()
        if now < self._look_at:
            return
        self._look_at = now + REENCRYPTION_INTERVAL
        earlier = [record for record in records if self._secrets.is_earlier(record.secret_kid)]
        if earlier:
            self._background.start(self._reencrypt(earlier))

    async def _reencrypt(self, records: Sequence[SigningKeyRecord]) -> None:
        try:
            for record in records:
                reencrypted = reencrypt(record, self._secrets, nonce=self._random(NONCE_BYTES))
                # Compare-and-set: another process may have encrypted it meanwhile, perhaps under a newer secret.
                await self._store.replace_key(reencrypted, expected_secret_kid=record.secret_kid)
        except (StoreUnavailable, ConfigurationError):
            self._look_at = 0
            logger.warning("signing keys could not be encrypted under the newest secret yet", exc_info=True)
