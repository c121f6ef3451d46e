"""Ending a session because of the refresh token that was presented, and announcing it once, whatever fails.

A store that fails in the middle does not say whether it ended the session. The next request would find no session,
and no event would be sent. So this process asks again until it knows.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain, repeat

from fastapi_session.audit import Audit
from fastapi_session.core.rotation import THEFT, Decision, Verdict
from fastapi_session.engine.announcements import Announcements
from fastapi_session.engine.background import Background
from fastapi_session.engine.live_records import kept_record
from fastapi_session.errors import StoreUnavailable
from fastapi_session.model import Circumstances, Ending, Reading, SessionRecord
from fastapi_session.stores.base import SessionStore

FIRST_PAUSES = (0.1, 0.2, 0.5, 1.0, 2.0)
LATER_PAUSE = 5.0
"""Seconds before the store is asked again."""

logger = logging.getLogger("fastapi_session")


@dataclass(frozen=True, slots=True)
class Alarm:
    """Why the session of *record* has to end, and whose request brought it up; *judge* evaluates the token against a later reading."""

    record: SessionRecord
    verdict: Verdict
    by: Circumstances
    judge: Callable[[Reading], Decision]
    audit: Audit | None = None


class Alarms:
    """Ends sessions for what was presented. Each is announced once, unless another process found the same meanwhile."""

    def __init__(self, store: SessionStore, *, announcements: Announcements, background: Background) -> None:
        self._store = store
        self._announcements = announcements
        self._background = background
        self._unknown: set[str] = set()
        self._ending: Counter[str] = Counter()

    async def end(self, alarm: Alarm) -> bool:
        """End the session if it has not changed since it was judged, and say whether it was ended.

        Raises `StoreUnavailable`: then that is found out in the background, and announced as soon as it is known.
        """
        session_id = alarm.record.session_id
        # Once for all attempts: whichever of them ends the session, its event has one id.
        audit = self._announcements.audit_of_refusal(alarm.record, verdict=alarm.verdict, by=alarm.by)
        alarm = replace(alarm, audit=audit)
        self._ending[session_id] += 1
        try:
            ended = await self._store.delete(session_id, expected=alarm.record.lineage, audit=audit)
        except (StoreUnavailable, asyncio.CancelledError):  # neither says whether the session was deleted
            self._find_out_later(alarm)
            raise
        finally:
            self._ending -= Counter([session_id])  # which keeps no zero
        if ended:
            self._announce(alarm)
        return ended

    def _find_out_later(self, alarm: Alarm) -> None:
        session_id = alarm.record.session_id
        if session_id in self._unknown:
            return
        self._unknown.add(session_id)
        logger.warning("refresh of session %s: %s; is it revoked? asking again", alarm.record.handle, alarm.verdict)
        task = self._background.start(self._find_out(alarm))
        task.add_done_callback(lambda _: self._unknown.discard(session_id))

    async def _find_out(self, alarm: Alarm) -> None:
        for pause in _pauses():
            await asyncio.sleep(pause)
            with suppress(StoreUnavailable):
                if await self._ask_again(alarm):
                    return

    async def _ask_again(self, alarm: Alarm) -> bool:
        """End the session if it is there and the verdict still holds; announce it if it is gone, unless that was done.

        Return whether that is settled.
        """
        session_id = alarm.record.session_id
        while True:
            reading = await self._store.get(session_id)
            if session_id not in self._unknown:
                return True
            if reading.record is None:
                return self._announce_unless_ending(alarm)
            if not alarm.judge(reading).revoke:
                return True
            if await self._store.delete(session_id, expected=reading.record.lineage, audit=alarm.audit):
                self._announce(alarm)
                return True

    def _announce_unless_ending(self, alarm: Alarm) -> bool:
        # A request that came later may have ended the session, and waits for the store's response: then it announces that.
        if alarm.record.session_id in self._ending:
            return False
        self._announce(alarm)
        return True

    def _announce(self, alarm: Alarm) -> None:
        self._unknown.discard(alarm.record.session_id)
        logger.warning("refresh of session %s: %s", alarm.record.handle, alarm.verdict)
        self._announcements.refused(alarm.record, verdict=alarm.verdict, by=alarm.by, audit=alarm.audit)
        if alarm.record.actor_session is not None and alarm.verdict in THEFT:
            self._background.start(self._end_actor(alarm.record.actor_session))

    async def _end_actor(self, handle: str) -> None:
        """End the session of who acted in the one that ended: a thief could have stopped acting, and had that one."""
        ending = Ending("theft")
        for pause in chain([0], _pauses()):
            await asyncio.sleep(pause)
            with suppress(StoreUnavailable):
                record = await kept_record(self._store, handle)
                audit = self._announcements.audit_of_end(ending)
                if record is not None and await self._store.delete(record.session_id, audit=audit):
                    self._announcements.revoked(record, ending, audit=audit)
                return


def _pauses() -> Iterator[float]:
    return chain(FIRST_PAUSES, repeat(LATER_PAUSE))
