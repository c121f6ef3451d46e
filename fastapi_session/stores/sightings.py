"""What was seen of users, in memory: when sessions were last used, and by which devices their user signs in."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace

from fastapi_session.clock import Clock
from fastapi_session.model import DEVICE_KEPT, SessionRecord


class Sightings:
    """The sessions of a store in memory, and what was seen of them and of their users. A lock guards all that the store keeps."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._sessions: dict[str, SessionRecord] = {}
        self._devices: dict[tuple[str, str], dict[bytes, int]] = {}
        # A lock for threads, since event loops of several may share the store. Nothing awaits while it is held.
        self._lock = threading.Lock()

    async def touch(self, session_ids: Sequence[str], *, idle_timeout: int | None = None) -> int:
        """Note that the sessions *session_ids* are in use, and return how many are there."""
        with self._lock:
            now = self._clock()
            found = [record for each in session_ids if (record := self._sessions.get(each)) is not None]
            living = [record for record in found if not record.lineage.expired(now)]
            for record in living:
                lineage = record.lineage
                if idle_timeout is not None:
                    lineage = replace(lineage, idle_expires_at=lineage.idle_deadline(now, configured=idle_timeout))
                self._sessions[record.session_id] = replace(record, lineage=lineage, last_seen_at=now)
            return len(living)

    async def see_device(self, user_id: str, tenant_id: str, device: bytes) -> bool | None:
        """Note that the user has signed in by *device*. False if it was known, true if others were, `None` if none was."""
        with self._lock:
            devices = self._devices.setdefault((user_id, tenant_id), {})
            is_new = device not in devices if devices else None
            devices[device] = self._clock()
            return is_new

    async def delete_devices(self, *, limit: int) -> int:
        """Forget at most *limit* devices that were not seen for long, and return how many."""
        with self._lock:
            until = self._clock() - DEVICE_KEPT
            old = [(user, each) for user, seen in self._devices.items() for each, at in seen.items() if at <= until]
            for user, device in old[:limit]:
                del self._devices[user][device]
            return len(old[:limit])
