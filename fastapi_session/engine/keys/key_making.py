"""Making signing keys: the key pair, its encrypted row for the store, and the key again from that row."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from fastapi_session.clock import Clock
from fastapi_session.core import key_encryption
from fastapi_session.core.key_encryption import NONCE_BYTES
from fastapi_session.core.secret import Secrets
from fastapi_session.core.signatures import PrivateKey
from fastapi_session.core.signing_keys import DueKey, KeyPolicy, SigningKey, VerifyingKey, new_kid
from fastapi_session.model import SigningKeyRecord
from fastapi_session.randomness import Random


class KeyMaking:
    """Makes keys as *policy* says, and encrypts them under the newest secret of *secrets*."""

    def __init__(self, *, secrets: Secrets, policy: KeyPolicy, clock: Clock, random: Random) -> None:
        self._secrets = secrets
        self._policy = policy
        self._clock = clock
        self._random = random

    async def pair(self) -> PrivateKey:
        """Return a new key pair."""
        # On a thread, since that of RSA takes a tenth of a second or more.
        return await asyncio.to_thread(key_encryption.generate_private_key, self._policy.algorithm)

    def record(self, private: PrivateKey, due: DueKey) -> SigningKeyRecord:
        """Return the row of *private*, with the family and sequence of *due* and a new kid."""
        return key_encryption.encrypt(
            private,
            due,
            kid=new_kid(due.family, self._random(16)),
            now=self._clock(),
            policy=self._policy,
            secrets=self._secrets,
            nonce=self._random(NONCE_BYTES),
        )

    def opened(self, records: Iterable[SigningKeyRecord]) -> list[VerifyingKey]:
        """Return the keys of *records*, ready for use. Raises `ConfigurationError` if no secret opens one."""
        return [key_encryption.opened(record, self._secrets) for record in records]

    def made(self, record: SigningKeyRecord) -> SigningKey:
        """Return the key of a *record* that this process has just made."""
        return key_encryption.decrypt(record, self._secrets)
