"""Sessions by their user: all that somebody has, listed, changed and ended, however many there are.

Each verb is done in pieces, so that others are served in between. A session that begins meanwhile may be left out, and if
`StoreUnavailable` is raised in the middle, some are done: to call it again does the rest. A user without sessions is no error.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from fastapi_session.by_handle import SessionsByHandle
from fastapi_session.core.claims.claim import Claim
from fastapi_session.core.payload import ensure_text, is_name
from fastapi_session.engine.background import ensure_asyncio
from fastapi_session.engine.record_changes import is_handle
from fastapi_session.engine.unhurried import unhurried
from fastapi_session.model import Json, SessionRecord, split_handle
from fastapi_session.session_information import SessionInformation

PIECE = 100
"""How many sessions of a user the store is asked to end at once."""

T = TypeVar("T")


class SessionsByUser(SessionsByHandle):
    """What can be done with the sessions of a user, in every tenant unless one is named."""

    async def of_user(self, user_id: str, *, tenant_id: str | None = None) -> list[SessionInformation]:
        """Return the sessions of *user_id*, oldest first; of every tenant if none is given."""
        records = await self._records_of(user_id, tenant_id)
        return [SessionInformation.of(record) async for record in unhurried(records)]

    async def revoke_all(self, user_id: str, *, tenant_id: str | None = None, keep: str | None = None) -> list[str]:
        """End the sessions of *user_id* (of every tenant if none is given) but the one whose handle is *keep*.

        Returns the handles that were ended. They end in pieces, so that others are served in between; a session that begins
        meanwhile may stay. If `StoreUnavailable` is raised in the middle, some have ended, and to call it again ends the rest.
        """
        kept = split_handle(keep)[0] if keep is not None and is_handle(keep) else None
        ensure_asyncio()
        if not _can_have_sessions(user_id, tenant_id):
            return []
        ended: list[str] = []
        while True:
            deleted = await self.store.delete_sessions_of(user_id, tenant_id=tenant_id, keep=kept, limit=PIECE)
            ended += self._announced(deleted)
            if len(deleted) < PIECE:
                return ended

    async def merge_into_access_token_payload_of_all(
        self, user_id: str, changes: Json, *, tenant_id: str | None = None
    ) -> list[str]:
        """Lay *changes* over the claims of all sessions of *user_id*, as `merge_into_access_token_payload` does of one.

        Returns the handles of those that are there, of every tenant if none is given. Their clients are told to refresh and
        come back with the new claims: at once here, within two seconds in other processes. Each session is changed by
        itself; if `StoreUnavailable` is raised in the middle, some have changed, and to call it again changes the rest.
        Raises `PayloadError` at the first that cannot carry them.
        """

        async def change(handle: str) -> bool:
            return await self.merge_into_access_token_payload(handle, changes)

        return await self._each(user_id, tenant_id, change)

    async def fetch_and_set_claim_of_all(
        self, user_id: str, claim: Claim[Any], *, tenant_id: str | None = None
    ) -> list[str]:
        """Fetch the value of *claim* for each session of *user_id*, and keep it. Returns and raises as above.

        Call it once the fact that is fetched has been committed.
        """

        async def change(handle: str) -> bool:
            return await self.fetch_and_set_claim(handle, claim)

        return await self._each(user_id, tenant_id, change)

    async def set_claim_value_of_all(
        self, user_id: str, claim: Claim[T], value: T, *, tenant_id: str | None = None
    ) -> list[str]:
        """Keep *value* as that of *claim* in all sessions of *user_id*, fetched now. Returns and raises as above.

        It fetches nothing, so it can be told what a transaction that is still open has written: `within` that transaction.
        """
        changes = claim.entry(value, now=self._engine.clock())
        return await self.merge_into_access_token_payload_of_all(user_id, changes, tenant_id=tenant_id)

    async def _each(self, user_id: str, tenant_id: str | None, change: Callable[[str], Awaitable[bool]]) -> list[str]:
        """Call *change* with the handle of each session, and return those of which it said that they are there."""
        handles = [record.handle for record in await self._records_of(user_id, tenant_id)]
        return [handle for handle in handles if await change(handle)]

    async def _records_of(self, user_id: str, tenant_id: str | None) -> Sequence[SessionRecord]:
        ensure_asyncio()
        if not _can_have_sessions(user_id, tenant_id):
            return []
        return await self.store.sessions_of(user_id, tenant_id=tenant_id)

    def _announced(self, deleted: Sequence[SessionRecord]) -> list[str]:
        """Tell of the sessions that were *deleted* while they were alive, and return their handles."""
        now = self._engine.clock()
        alive = [record for record in deleted if not record.lineage.expired(now)]
        for record in alive:
            self._engine.announcements.revoked(record)
        return [record.handle for record in alive]


def _can_have_sessions(user_id: str, tenant_id: str | None) -> bool:
    ensure_text(user_id, "user_id")
    return is_name(user_id) and (tenant_id is None or is_name(tenant_id))
