"""The verbs about signing keys, as statements."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi_session.model import SigningKeyRecord
from fastapi_session.stores.rows import KEY_COLUMNS, key_row
from fastapi_session.stores.sql import results, statements
from fastapi_session.stores.sql.asking import Asking


class KeyVerbs(Asking):
    """Keeps signing keys."""

    async def insert_key(self, record: SigningKeyRecord) -> bool:
        """Keep *record* unless its kid, or its family and sequence, exist already. Say whether it was kept."""
        return await self._keeps(statements.INSERT_KEY, statements.columns(KEY_COLUMNS, key_row(record)))

    async def signing_keys(self) -> Sequence[SigningKeyRecord]:
        """Return every key, by family and sequence."""
        return self._readable.signing_keys(await self._read(statements.SIGNING_KEYS, {}, results.signing_keys))

    async def replace_key(self, record: SigningKeyRecord, *, expected_secret_kid: int) -> bool:
        """Write *record* over the key of its kid, if that one is encrypted under *expected_secret_kid*."""
        row = statements.columns(KEY_COLUMNS, key_row(record))
        condition = {"given_kid": record.kid, "given_secret_kid": expected_secret_kid}
        return await self._changes(statements.REPLACE_KEY, {**row, **condition})

    async def delete_key(self, kid: str) -> bool:
        """Delete the key, and say whether it was there."""
        return await self._changes_noted(statements.DELETE_KEY, {"given_kid": kid}, kind="key_deleted", subject=kid)
