"""The verbs about signing keys, as scripts."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter

from fastapi_session.model import SigningKeyRecord
from fastapi_session.stores.redis import key_scripts
from fastapi_session.stores.redis.asking import Asking
from fastapi_session.stores.redis.fields import field, key_row_of, key_text
from fastapi_session.stores.redis.pipelines import as_text


class KeyVerbs(Asking):
    """Keeps signing keys."""

    async def insert_key(self, record: SigningKeyRecord) -> bool:
        """Keep *record* unless its kid, or its family and sequence, exist already. Say whether it was kept."""
        place = f"{record.family} {record.sequence}"
        [inserted] = await self._run(
            key_scripts.INSERT_KEY, self._keys.signing_keys, record.kid, place, key_text(record)
        )
        return bool(inserted)

    async def signing_keys(self) -> Sequence[SigningKeyRecord]:
        """Return every key, by family and sequence."""
        [rows] = await self._run(key_scripts.SIGNING_KEYS, self._keys.signing_keys)
        keys = self._readable.signing_keys(key_row_of(as_text(row)) for row in rows)
        return sorted(keys, key=attrgetter("family", "sequence"))

    async def replace_key(self, record: SigningKeyRecord, *, expected_secret_kid: int) -> bool:
        """Write *record* over the key of its kid, if that one is encrypted under *expected_secret_kid*."""
        [replaced] = await self._run(
            key_scripts.REPLACE_KEY, self._keys.signing_keys, record.kid, key_text(record), field(expected_secret_kid)
        )
        return bool(replaced)

    async def delete_key(self, kid: str) -> bool:
        """Delete the key, and say whether it was there."""
        [deleted] = await self._run(key_scripts.DELETE_KEY, self._keys.signing_keys, kid, field(kid))
        return bool(deleted)
