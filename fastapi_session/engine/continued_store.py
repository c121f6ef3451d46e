"""The store as it is when sessions of another system go on here: what is asked for and missing is taken in first.

| asked for | taken in before |
|---|---|
| a session by its handle, if it is not there, or has expired while it waited | that one |
| the sessions of a user, to be returned, ended or counted by a limit | all of that user |
| anything else | nothing |

So they can be known and ended here from the first moment on, whether their clients have come yet or not. Only who moves has such a store.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from fastapi_session.audit import Audit, InsertionAudit
from fastapi_session.insertion import Insertion, Limit
from fastapi_session.model import Json, Lineage, Predecessor, Reading, Rotation, SessionRecord
from fastapi_session.stores.base import SessionStore


class Elsewhere(Protocol):
    """Where sessions are that are not here yet. Both raise `StoreUnavailable` if it cannot be asked."""

    async def take_in_one(self, session_id: str, tenant_id: str) -> None:
        """Take in the session, if it is there."""

    async def take_in_those_of(self, user_id: str, tenant_id: str | None) -> None:
        """Take in the sessions of a user, of every tenant if none is given."""


class ContinuedStore:
    """A *store* of sessions some of which are still *elsewhere*."""

    def __init__(self, store: SessionStore, *, elsewhere: Elsewhere) -> None:
        self._store = store
        self._elsewhere = elsewhere

    async def taken_in(self, session_id: str, tenant_id: str) -> Reading:
        """Return what `get` does, of a session that was missing or had expired, once it has been looked for elsewhere."""
        await self._elsewhere.take_in_one(session_id, tenant_id)
        return await self._store.get(session_id)

    @property
    def keeps_limits(self) -> bool:
        """As the store says."""
        return self._store.keeps_limits

    async def open(self) -> None:
        """Open the store."""
        await self._store.open()

    async def close(self) -> None:
        """Close the store."""
        await self._store.close()

    async def insert(
        self,
        record: SessionRecord,
        *,
        replacing: Sequence[str] = (),
        succeeding: Predecessor | None = None,
        limit: Limit | None = None,
        audit: InsertionAudit | None = None,
    ) -> Insertion:
        """Insert *record*; with a *limit*, all sessions of its user count."""
        if limit is not None:
            await self._elsewhere.take_in_those_of(record.user_id, record.tenant_id)
        return await self._store.insert(record, replacing=replacing, succeeding=succeeding, limit=limit, audit=audit)

    async def rotate(self, rotation: Rotation, *, audit: Audit | None = None) -> SessionRecord | None:
        """As the store does."""
        return await self._store.rotate(rotation, audit=audit)

    async def get(self, session_id: str) -> Reading:
        """As the store does: the tenant, without which nothing is found elsewhere, is not known here."""
        return await self._store.get(session_id)

    async def replace(
        self, session_id: str, *, expected: Lineage, lineage: Lineage, audit: Audit | None = None
    ) -> bool:
        """As the store does."""
        return await self._store.replace(session_id, expected=expected, lineage=lineage, audit=audit)

    async def delete(self, session_id: str, *, expected: Lineage | None = None, audit: Audit | None = None) -> bool:
        """As the store does."""
        return await self._store.delete(session_id, expected=expected, audit=audit)

    async def acknowledge(self, session_id: str, *, current: bytes, issue_id: bytes | None) -> None:
        """As the store does."""
        await self._store.acknowledge(session_id, current=current, issue_id=issue_id)

    async def bind(self, session_id: str, bound_key: str, *, audit: Audit | None = None) -> bool:
        """As the store does."""
        return await self._store.bind(session_id, bound_key, audit=audit)

    async def update(
        self,
        session_id: str,
        *,
        version: int,
        access_token_payload: Json,
        session_data: Json,
        label: str | None,
        marks_stale: bool = False,
    ) -> bool:
        """As the store does."""
        return await self._store.update(
            session_id,
            version=version,
            access_token_payload=access_token_payload,
            session_data=session_data,
            label=label,
            marks_stale=marks_stale,
        )

    async def sessions_of(self, user_id: str, *, tenant_id: str | None = None) -> Sequence[SessionRecord]:
        """Return all sessions of the user."""
        await self._elsewhere.take_in_those_of(user_id, tenant_id)
        return await self._store.sessions_of(user_id, tenant_id=tenant_id)

    async def delete_sessions_of(
        self,
        user_id: str,
        *,
        tenant_id: str | None = None,
        keep: str | None = None,
        limit: int,
        audit: Audit | None = None,
    ) -> Sequence[SessionRecord]:
        """Delete sessions of the user, wherever they were."""
        await self._elsewhere.take_in_those_of(user_id, tenant_id)
        return await self._store.delete_sessions_of(user_id, tenant_id=tenant_id, keep=keep, limit=limit, audit=audit)

    async def delete_external(
        self, digest: bytes, *, limit: int, audit: Audit | None = None
    ) -> Sequence[SessionRecord]:
        """As the store does: those elsewhere have no such digests."""
        return await self._store.delete_external(digest, limit=limit, audit=audit)

    async def delete_expired(self, *, limit: int, audit: Audit | None = None) -> int:
        """As the store does."""
        return await self._store.delete_expired(limit=limit, audit=audit)
