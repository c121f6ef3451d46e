"""All sessions of a user, read and ended, however many there are: in pieces, so that others are served in between."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Protocol

from fastapi_session.audit import Audit
from fastapi_session.clock import Clock
from fastapi_session.core.payload import ensure_text, ensure_type, is_name
from fastapi_session.engine.announcements import Announcements
from fastapi_session.engine.event_loop import ensure_asyncio
from fastapi_session.engine.live_records import is_handle, live_record
from fastapi_session.external_session import ExternalSession
from fastapi_session.handles import split_handle
from fastapi_session.model import Ending, SessionRecord
from fastapi_session.stores.base import SessionStore

PIECE = 100
"""How many sessions of a user the store is asked to end at once."""


class Delete(Protocol):
    """Deletes sessions, and returns them: fewer than the limit only if there are no more."""

    async def __call__(self, *, limit: int, audit: Audit | None) -> Sequence[SessionRecord]:
        """Delete at most *limit* of them."""


class UserSessions:
    """The sessions of each user in *store*. A user without sessions is no error."""

    def __init__(self, store: SessionStore, *, announcements: Announcements, clock: Clock) -> None:
        self._store = store
        self._announcements = announcements
        self._clock = clock

    async def records(self, user_id: str, *, tenant_id: str | None) -> Sequence[SessionRecord]:
        """Return the records of *user_id*, oldest first, of every tenant if none is given. Raises `StoreUnavailable`."""
        ensure_asyncio()
        if not _can_have_sessions(user_id, tenant_id):
            return []
        records = await self._store.sessions_of(user_id, tenant_id=tenant_id)
        return [each for each in records if each.actor_session is None or await self._acts_on(each.actor_session)]

    async def handles(self, user_id: str, *, tenant_id: str | None) -> list[str]:
        """Return the handles of the same sessions, which need less memory than the records."""
        return [record.handle for record in await self.records(user_id, tenant_id=tenant_id)]

    async def end(self, user_id: str, *, tenant_id: str | None, keep: str | None, ending: Ending) -> list[str]:
        """End the sessions of *user_id* but the one whose handle is *keep*, and return the handles that were ended.

        Raises `StoreUnavailable`: some have ended then.
        """
        ensure_asyncio()
        kept = split_handle(keep)[0] if keep is not None and is_handle(keep) else None
        if not _can_have_sessions(user_id, tenant_id):
            return []
        delete = self._store.delete_sessions_of
        return await self._in_pieces(partial(delete, user_id, tenant_id=tenant_id, keep=kept), ending)

    async def end_external(self, external: ExternalSession, *, ending: Ending) -> list[str]:
        """End the sessions, whosever they are, that end with a provider's session, and return the handles. Raises as `end`."""
        ensure_type(external, "external", ExternalSession, example="ExternalSession(issuer, sid=sid)")
        ensure_asyncio()
        delete, digests = self._store.delete_external, external.ended_digests
        return [handle for digest in digests for handle in await self._in_pieces(partial(delete, digest), ending)]

    async def _in_pieces(self, delete: Delete, ending: Ending) -> list[str]:
        ended: list[str] = []
        while True:
            audit = self._announcements.audit_of_end(ending)
            deleted = await delete(limit=PIECE, audit=audit)
            ended += self._announced(deleted, ending, audit)
            if len(deleted) < PIECE:
                return ended

    def _announced(self, deleted: Sequence[SessionRecord], ending: Ending, audit: Audit | None) -> list[str]:
        """Announce the end of the sessions that were *deleted* while they were alive, and return their handles."""
        now = self._clock()
        # The store deletes expired ones as well. Nobody was signed in by those, so they are not announced.
        alive = [record for record in deleted if not record.lineage.expired(now)]
        for record in alive:
            self._announcements.revoked(record, ending, audit=audit)
        return [record.handle for record in alive]

    async def _acts_on(self, actor_session: str) -> bool:
        return await live_record(self._store, actor_session) is not None


def _can_have_sessions(user_id: str, tenant_id: str | None) -> bool:
    ensure_text(user_id, "user_id")
    return is_name(user_id) and (tenant_id is None or is_name(tenant_id))
