"""Signing keys that were made in a transaction of the user's, until that has committed or was rolled back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from fastapi_session.core.signing_keys import Family, SigningKey
from fastapi_session.model import SigningKeyRecord
from fastapi_session.stores.base import JoinedStore


class UncommittedKeys:
    """Keys that sign in their own transaction alone, since a rollback undoes them and what they signed.

    *adopt* is called with each that has been committed.
    """

    def __init__(self, *, adopt: Callable[[SigningKey], None]) -> None:
        self._adopt = adopt
        self._keys: dict[str, SigningKey] = {}

    def left_out(self, records: Iterable[SigningKeyRecord]) -> list[SigningKeyRecord]:
        """Return *records* without those of these keys: a reading in the transaction that made one contains it."""
        return [record for record in records if record.kid not in self._keys]

    async def made_in(self, store: JoinedStore, family: Family) -> SigningKey | None:
        """Return the key of *family* that the transaction of *store* has made, if it has. Raises `StoreUnavailable`."""
        for record in await store.signing_keys():
            if record.family == family and record.kid in self._keys:
                return self._keys[record.kid]
        return None

    def keep(self, key: SigningKey, *, made_in: JoinedStore) -> None:
        """Keep *key*, which was *made_in* this transaction, until that has ended."""
        self._keys[key.kid] = key
        made_in.on_end(partial(self._settle, key))

    def _settle(self, key: SigningKey, has_committed: bool) -> None:  # noqa: FBT001 - as stores call it
        del self._keys[key.kid]
        if has_committed:
            self._adopt(key)
