"""The revocation feed of the old store goes over with its dates, and what a notice says happens in the new one too.

| notice in the old feed | in the new store |
|---|---|
| a session was revoked, or another took its place | it ends, and is not taken in any more |
| the claims of a session were changed | the row comes with the next pass |
| a signing key was deleted | it is deleted |
| anything else, as of a later version | nothing but the notice |

A notice goes over if the new feed has none of its subject, kind and date. So it goes over once, however often it is read, and it does
not come back if the new store is copied to the old one at the same time.
"""

from __future__ import annotations

import asyncio
import re

from fastapi_session.model import LATEST, Notice
from fastapi_session.moving.copying.endings import end
from fastapi_session.moving.copying.places import Places, each

OVERLAP = 15_000
"""Milliseconds that are read again each time, because a notice is dated before its transaction commits."""
PIECES = 20
"""In how many pieces the whole feed is read, so that no more than one of them is in memory."""

_ENDED = frozenset({"session_revoked", "session_superseded"})
_SESSION_ID = re.compile("[0-9a-f]{32}")


class CarriedNotices:
    """Carries the feed from the old store of *places* to the new one."""

    def __init__(self, places: Places) -> None:
        self._old = places.old
        self._new = places.new
        self._read_until = -LATEST
        self._carrying = asyncio.Lock()

    async def carry(self) -> int:
        """Carry what is new since the last time, and return how many notices."""
        async with self._carrying:
            now = await self.clock()
            carried = await self._carry_between(min(self._read_until, now) - OVERLAP, LATEST)
            self._read_until = now
            return carried

    async def carry_all(self, *, kept_for: int) -> int:
        """Carry the notices of the last milliseconds *kept_for*: older ones concern no token any more. Return how many."""
        async with self._carrying:
            now = await self.clock()
            ends = [now - kept_for * piece // PIECES for piece in range(PIECES, 0, -1)]
            carried = 0
            for after, until in zip(ends, [*ends[1:], LATEST], strict=True):
                carried += await self._carry_between(after, until)
            self._read_until = now
            return carried

    async def clock(self) -> int:
        """Return the clock of the old store, in milliseconds."""
        return (await self._old.notices(after=LATEST)).now

    async def _carry_between(self, after: int, until: int) -> int:
        reading = await self._old.notices(after=after, until=until)
        if not reading.notices:
            return 0
        there = set((await self._new.notices(after=after, until=until)).notices)
        missing = [notice for notice in dict.fromkeys(reading.notices) if notice not in there]

        async def obey(notice: Notice) -> None:
            if notice.kind == "key_deleted":
                await self._new.delete_key(notice.subject)
            elif notice.kind in _ENDED and _SESSION_ID.fullmatch(notice.subject):  # else it is damaged
                await end(notice.subject, self._new, now=reading.now)

        await each(missing, obey)
        # Last: it is the notice that says that all of this was done.
        await self._new.append_notices(missing)
        return len(missing)
