"""Taking in sessions of another system: one that is asked for, those of a user, or a batch of an import.

| the session | becomes of it |
|---|---|
| goes on there | what `MovableStore.take_in` says: kept, renewed, there, or ended here before |
| has expired there | expired: nothing is written |
| has what no session here can have, such as a payload that is too large | unfit: nothing is written, and *reason* says what it is |

Names that are ours in a payload are left out. Nothing is written in the other system.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import Literal, Protocol

from fastapi_session.clock import Clock
from fastapi_session.engine.announcements import Announcements
from fastapi_session.engine.live_records import is_handle
from fastapi_session.engine.tokens.issuing import Mint
from fastapi_session.engine.tokens.new_sessions import NewSessions
from fastapi_session.errors import PayloadError
from fastapi_session.foreign_sessions import ForeignSession, ForeignSessions
from fastapi_session.handles import split_handle
from fastapi_session.model import NOT_KNOWN, Circumstances, Ending, SessionRecord
from fastapi_session.stores.base import MovableStore, SessionStore, TakenIn

PIECE = 100
"""How many sessions of a user are taken in by one call of the store."""

logger = logging.getLogger("fastapi_session")


class MovingStore(SessionStore, MovableStore, Protocol):
    """A store of sessions into which others move."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """What became of a session of another system, and the *reason* if it is unfit."""

    outcome: TakenIn | Literal["expired", "unfit"]
    reason: str = ""


EXPIRED = Arrival("expired")


class TakingIn:
    """Takes sessions of *source* into *store*, and announces them."""

    def __init__(
        self,
        source: ForeignSessions,
        store: MovingStore,
        *,
        new_sessions: NewSessions,
        mint: Mint,
        announcements: Announcements,
        clock: Clock,
    ) -> None:
        self.source = source
        self._store = store
        self._new_sessions = new_sessions
        self._mint = mint
        self._announcements = announcements
        self._clock = clock

    def within(self, store: MovingStore, announcements: Announcements) -> TakingIn:
        """Return a copy that writes to *store*, in a transaction of the user's, and announces by *announcements*."""
        joined = copy(self)
        joined._store, joined._announcements = store, announcements  # noqa: SLF001  it is one of these
        return joined

    async def take_in(self, sessions: Sequence[ForeignSession]) -> list[Arrival]:
        """Take in *sessions*, of which no two have one id, and return what became of each. Raises `StoreUnavailable`."""
        now = self._clock()
        made = [self._made(session, now=now) for session in sessions]
        records = [each for each in made if isinstance(each, SessionRecord)]
        outcomes = iter(await self._kept(records))
        return [Arrival(next(outcomes)) if isinstance(each, SessionRecord) else each for each in made]

    async def end_waiting(self, handles: Sequence[str]) -> list[str]:
        """End those sessions named by *handles* that have not been exchanged here yet, since they ended where they began.

        Returns the handles that were ended. Raises `StoreUnavailable`.
        """
        ended: list[str] = []
        for handle in filter(is_handle, handles):
            session_id, tenant_id = split_handle(handle)
            record = (await self._store.get(session_id)).record
            if record is not None and record.tenant_id == tenant_id and await self.end(record):
                ended.append(record.handle)
        return ended

    async def end(self, record: SessionRecord, *, by: Circumstances = NOT_KNOWN) -> bool:
        """End the session of *record*, which has ended where it began, if it still waits. Say whether it was ended."""
        if not record.waits or record.source != self.source.name:
            return False
        ending = Ending("ended_elsewhere", circumstances=by)
        audit = self._announcements.audit_of_end(ending)
        if not await self._store.delete(record.session_id, expected=record.lineage, audit=audit):
            return False
        self._announcements.revoked(record, ending, audit=audit)
        return True

    async def take_in_missing(self, handles: Sequence[str]) -> None:
        """Take in those sessions named by *handles* that are not here. Raises `StoreUnavailable`."""
        for handle in filter(is_handle, handles):
            session_id, tenant_id = split_handle(handle)
            if (await self._store.get(session_id)).record is None:
                await self.take_in_one(session_id, tenant_id)

    async def take_in_one(self, session_id: str, tenant_id: str) -> None:
        """Take in the session, if it is there. Raises `StoreUnavailable`."""
        if not self.source.has_database:
            return
        try:
            session = await self.source.session(session_id, tenant_id)
        except PayloadError as error:
            logger.warning("session %s of %s cannot go on here: %s", session_id, self.source.name, error)
            return
        if session is not None:
            self._warn_of_unfit([session], await self.take_in([session]))

    async def take_in_those_of(self, user_id: str, tenant_id: str | None) -> None:
        """Take in the sessions of a user, of every tenant if none is given. Raises `StoreUnavailable`."""
        if not self.source.has_database:
            return
        sessions = await self.source.sessions_of(user_id, tenant_id)
        for first in range(0, len(sessions), PIECE):
            piece = sessions[first : first + PIECE]
            self._warn_of_unfit(piece, await self.take_in(piece))

    def _made(self, session: ForeignSession, *, now: int) -> SessionRecord | Arrival:
        if session.expires_at <= now:
            return EXPIRED
        try:
            record = self._new_sessions.continued_record(session, source=self.source.name, now=now)
            self._mint.ensure_readable(record)
        except PayloadError as error:
            return Arrival("unfit", str(error))
        return record

    async def _kept(self, records: Sequence[SessionRecord]) -> Sequence[TakenIn]:
        if not records:
            return ()
        audit = self._announcements.audit_of_adoption(records[0])
        outcomes = await self._store.take_in(records, audit=audit)
        for record, outcome in zip(records, outcomes, strict=True):
            if outcome == "kept":
                self._announcements.adopted(record, audit=audit)
        return outcomes

    def _warn_of_unfit(self, sessions: Sequence[ForeignSession], arrivals: Sequence[Arrival]) -> None:
        for session, arrival in zip(sessions, arrivals, strict=True):
            if arrival.outcome == "unfit":
                name = self.source.name
                logger.warning("session %s of %s cannot go on here: %s", session.session_id, name, arrival.reason)
