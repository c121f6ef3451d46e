"""The verbs of a store of signing keys, as statements."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from fastapi_session.model import SigningKeyRecord
from fastapi_session.stores.rows import KEY_COLUMNS, key_row
from fastapi_session.stores.sql import answers, statements
from fastapi_session.stores.sql.notices import SqlNotices


class SqlKeys(SqlNotices):
    """Keeps signing keys beside the revocation feed."""

    async def insert_key(self, record: SigningKeyRecord) -> bool:
        """Keep *record* unless its kid, or its family and sequence, exist already. Say whether it was kept."""
        row = statements.columns(KEY_COLUMNS, key_row(record))

        def work(connection: Connection) -> bool:
            try:
                with self._savepoint(connection):
                    answers.ensure_kept(connection.execute(statements.INSERT_KEY, row))
            except IntegrityError:
                return False
            return True

        return await self._connections.run(work, alone=True)

    async def signing_keys(self) -> Sequence[SigningKeyRecord]:
        """Return every key, by family and sequence."""
        return self._readable.signing_keys(await self._read(statements.SIGNING_KEYS, {}, answers.signing_keys))

    async def replace_key(self, record: SigningKeyRecord, *, expected_secret_kid: int) -> bool:
        """Write *record* over the key of its kid, if that one is encrypted under *expected_secret_kid*."""
        row = statements.columns(KEY_COLUMNS, key_row(record))
        condition = {"given_kid": record.kid, "given_secret_kid": expected_secret_kid}
        return await self._changes(statements.REPLACE_KEY, {**row, **condition})

    async def delete_key(self, kid: str) -> bool:
        """Delete the key, and say whether it was there."""
        return await self._changes_noted(statements.DELETE_KEY, {"given_kid": kid}, kind="key_deleted", subject=kid)

    def _savepoint(self, _connection: Connection) -> AbstractContextManager[object]:
        """Return what undoes a statement that fails, and nothing else. One that is alone needs nothing for that."""
        return nullcontext()
