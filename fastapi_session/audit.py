"""The events that a store keeps: one for each session that a change concerns, written in the transaction of the change."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha1

from fastapi_session.model import Json

_NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Audit:
    """The event that a store writes of each session that is changed: its *name*, and in *body* what is not of the session itself.

    Session, tenant, user, kind and, in the body, who acts as the user are those of the row. *change* is random, 32 hexadecimal
    characters.
    """

    change: str
    name: str
    body: Json

    def event_id(self, session_id: str) -> str:
        """Return the id of the event of *session_id*: 32 hexadecimal characters, as random as *change*.

        One change may concern many sessions. The first digits of a hash, since a script in Redis makes the same.
        """
        return sha1(f"{self.change}{session_id}".encode(), usedforsecurity=False).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class InsertionAudit:
    """The events of an insertion: of the session that *began*, of those it *superseded*, and of those *evicted* by a limit."""

    began: Audit
    superseded: Audit
    evicted: Audit


@dataclass(frozen=True, slots=True)
class EventRecord:
    """An event as a store keeps it. *at* is the store's clock, in milliseconds."""

    event_id: str
    at: int
    name: str
    session_id: str
    tenant_id: str
    user_id: str
    kind: str
    body: Json


@dataclass(frozen=True, slots=True)
class EventQuery:
    """Which events are asked for: at most *limit*, of *user_id* and *tenant_id* if they are given, oldest first or *newest_first*.

    *after* is the place at which an earlier reading in the same order ended, `None` for the first.
    """

    limit: int
    user_id: str | None = None
    tenant_id: str | None = None
    after: str | None = None
    newest_first: bool = False

    @property
    def number(self) -> int | None:
        """The place after which to go on, for a store whose places are numbers. Raises ValueError if it is not a number."""
        if self.after is None:
            return None
        if not _NUMBER.fullmatch(self.after):
            raise ValueError("a place is a number")
        return int(self.after)


@dataclass(frozen=True, slots=True)
class EventReading:
    """Events in the order asked for, and the *place* after which the next reading goes on: fewer than asked for if there are no more."""

    events: tuple[EventRecord, ...]
    place: str | None
