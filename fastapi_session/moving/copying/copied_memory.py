"""What a store remembers beside its sessions: devices of users, what must not happen twice, and which sessions have ended.

That a session has ended is known of each that went over before, or that began in another system: the old store remembers its id,
and has no row of it. So even what ended while nobody copied ends in the new store.
"""

from __future__ import annotations

from fastapi_session.errors import StoreUnavailable
from fastapi_session.moving.copying import copied_keys
from fastapi_session.moving.copying.places import BATCH, Places, each
from fastapi_session.stores.base import Remembered, SeenDevice
from fastapi_session.stores.taking_in import marked_session


class CopiedMemory:
    """Copies what is remembered from the old store of *places* to the new one."""

    def __init__(self, places: Places) -> None:
        self._old = places.old
        self._new = places.new

    async def copy_endings(self) -> None:
        """End in the new store the sessions of which the old one remembers that they were there, and that are not any more."""
        async for page in self._old.every_remembered(batch=BATCH):
            await each(page, self._copy_ending)

    async def copy_digests(self) -> int:
        """Copy the digests of what must not happen twice, and return how many are new."""
        copied = 0
        async for page in self._old.every_remembered(batch=BATCH):
            copied += sum(await each([one for one in page if not _is_mark(one.digest)], self._copy_digest))
        return copied

    async def copy_devices(self, *, since: int) -> int:
        """Copy the devices seen *since* then (milliseconds of the old store's clock), and return how many are new.

        In the new store they count as seen now: a device is then known for longer, not shorter.
        """
        copied = 0
        async for page in self._old.every_device(batch=BATCH):
            copied += sum(await each([one for one in page if one.last_seen_at >= since], self._copy_device))
        return copied

    async def _copy_digest(self, remembered: Remembered) -> bool:
        return await self._new.once(remembered.digest, until=remembered.until)

    async def _copy_device(self, seen: SeenDevice) -> bool:
        return await self._new.see_device(seen.user_id, seen.tenant_id, seen.device) is not False

    async def _copy_ending(self, remembered: Remembered) -> None:
        session_id = marked_session(remembered.digest)
        if session_id is not None and await self._has_ended(session_id):
            await self._new.once(remembered.digest, until=remembered.until)
            await self._new.delete(session_id)

    async def _has_ended(self, session_id: str) -> bool:
        try:
            return (await self._old.get(session_id)).record is None
        except StoreUnavailable:  # a row that cannot be read is there; and if the store is down, the next page says so
            return False


def _is_mark(digest: bytes) -> bool:
    """Say whether *digest* is one by which moving itself remembers something, which is not true of another store."""
    return marked_session(digest) is not None or copied_keys.is_mark(digest)
