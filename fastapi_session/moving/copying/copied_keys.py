"""Signing keys go over as they are, encrypted: both stores need the same secret.

| the new store | then |
|---|---|
| has the key | nothing |
| does not have it, and it never went over | it is inserted |
| does not have it, and it went over before | nothing: it was revoked there, or its last token has expired |

If another key has its place in the order of keys, since both stores made one at the same time or the application was tried on the
new store before, it goes to the end: then the newest of the old store signs, and each verifies what it has signed.
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

from fastapi_session.core.key_encryption import decrypted
from fastapi_session.core.secret import Secrets
from fastapi_session.errors import ConfigurationError, StoreUnavailable
from fastapi_session.model import SigningKeyRecord
from fastapi_session.moving.copying.places import Places
from fastapi_session.stores.taking_in import MOVING_KEPT

_ATTEMPTS = 5
_MARK = b"copied key......"


class CopiedKeys:
    """Copies the signing keys from the old store of *places* to the new one."""

    def __init__(self, places: Places) -> None:
        self._old = places.old
        self._new = places.new

    async def ensure_opened_by(self, secrets: Secrets) -> None:
        """Raise `ConfigurationError` if *secrets* do not open a key of one of the stores."""
        for name, store in (("FROM", self._old), ("TO", self._new)):
            for record in await store.signing_keys():
                _ensure_opened(record, secrets, name)

    async def ensure_there(self) -> None:
        """Raise `ConfigurationError` if no application has run on the old store: the first thing that it makes there are keys."""
        if not await self._old.signing_keys():
            raise ConfigurationError(
                "FROM has no signing keys, so no application has run on it: is it the right one, and not TO?"
            )

    async def copy(self, *, now: int) -> int:
        """Copy the keys that are not there yet, and return how many. *now* is milliseconds of the new store's clock."""
        there = {record.kid for record in await self._new.signing_keys()}
        copied = 0
        for record in await self._old.signing_keys():
            gone_over = _mark_of(record.kid)
            if record.kid not in there and not await self._new.is_remembered(gone_over):
                await self._insert(record)
                copied += 1
            await self._new.once(gone_over, until=now + MOVING_KEPT)
        return copied

    async def _insert(self, record: SigningKeyRecord) -> None:
        for _ in range(_ATTEMPTS):
            if await self._new.insert_key(record):
                return
            found = await self._new.signing_keys()
            if any(each.kid == record.kid for each in found):  # another copy was faster
                return
            taken = [each.sequence for each in found if each.family == record.family]
            record = replace(record, sequence=max(taken, default=record.sequence) + 1)
        raise StoreUnavailable(f"TO keeps no place for the signing key {record.kid}, try again")


def is_mark(digest: bytes) -> bool:
    """Say whether *digest* is one under which a store remembers that a key went over to it."""
    return digest.startswith(_MARK)


def _mark_of(kid: str) -> bytes:
    return _MARK + sha256(kid.encode()).digest()[:16]


def _ensure_opened(record: SigningKeyRecord, secrets: Secrets, name: str) -> None:
    try:
        decrypted(record, secrets)
    except ConfigurationError as error:
        raise ConfigurationError(f"{name}: {error}") from error
