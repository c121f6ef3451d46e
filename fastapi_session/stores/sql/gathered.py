"""The verbs of a warm path, which many tasks ask at once: what they ask in one turn of the event loop is asked together.

| asked | then |
|---|---|
| together, and served | each gets what is its own |
| together, and not served: locked by a stranger, taken by somebody faster, not there, or bad data of any of them | each is asked again alone |
| with an audit, a limit, something to replace; large; on a loop that has no pool | alone at once |

Alone is the way of `SqlVerbs`: it waits for a lock, and it decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from enum import Enum, auto
from typing import Final, Literal, Protocol, TypeVar

from fastapi_session.audit import Audit, InsertionAudit
from fastapi_session.clock import Clock
from fastapi_session.errors import StoreUnavailable
from fastapi_session.insertion import KEPT, Insertion, Limit
from fastapi_session.model import Predecessor, Reading, Rotation, SessionRecord
from fastapi_session.stores.gathering import Gathering
from fastapi_session.stores.readable import Readable
from fastapi_session.stores.rows import SESSION_COLUMNS, Row, session_row
from fastapi_session.stores.sql.connections import Connections
from fastapi_session.stores.sql.verbs import SqlVerbs

SMALL = 4096
"""Characters of payload and data together, up to which a session is inserted together with others."""

_LONGER = timedelta(seconds=1)
"""How much longer than a question takes whoever asked waits, to be told how it ended: what came too late was not written."""

_PAYLOAD, _DATA = map(SESSION_COLUMNS.index, ("access_token_payload", "session_data"))

Found = tuple[Row | None, int]
"""A session, or `None` if it is not there, and the clock."""

Asked = TypeVar("Asked")
Told = TypeVar("Told")


class Unserved(Enum):
    """Who was not served together with others."""

    UNSERVED = auto()


UNSERVED: Final = Unserved.UNSERVED


class Together(Protocol):
    """Asks a database for many by one statement, and for one by a plain one."""

    name: str
    """The name of the database."""

    @property
    def is_ready(self) -> bool:
        """Whether the running event loop can ask so."""

    async def rotate(self, rotations: Sequence[Rotation]) -> Sequence[Row | Unserved | None]:
        """Return each session as it was handed on; `None` only if it is certain that it was not. Raises StoreUnavailable."""

    async def insert(self, rows: Sequence[Row]) -> Sequence[Literal[True] | Unserved]:
        """Say of each row whether it was kept. Raises StoreUnavailable."""

    async def get(self, session_ids: Sequence[str]) -> Sequence[Found | Unserved]:
        """Return each session, or `None`, and the clock. Raises StoreUnavailable."""


class Gatherings:
    """What waits for its turn to be asked *together*. A question takes at most *timeout*."""

    def __init__(self, together: Together, *, timeout: timedelta) -> None:
        self._name = together.name
        timeout += _LONGER
        self._rotations: Gathering[Rotation, Row | Unserved | None] = Gathering(together.rotate, timeout=timeout)
        self._insertions: Gathering[Row, Literal[True] | Unserved] = Gathering(together.insert, timeout=timeout)
        self._readings: Gathering[str, Found | Unserved] = Gathering(together.get, timeout=timeout)

    async def rotate(self, rotation: Rotation) -> Row | Unserved | None:
        """Return the session as it was handed on, `None` if it was not. Raises StoreUnavailable."""
        return await self._told(self._rotations, rotation)

    async def insert(self, row: Row) -> Literal[True] | Unserved:
        """Say whether *row* was kept. Raises StoreUnavailable."""
        return await self._told(self._insertions, row)

    async def get(self, session_id: str) -> Found | Unserved:
        """Return the session, or `None`, and the clock. Raises StoreUnavailable."""
        return await self._told(self._readings, session_id)

    async def idle(self) -> None:
        """Wait until what was asked on this event loop has ended."""
        for each in (self._rotations, self._insertions, self._readings):
            await each.idle()

    async def _told(self, gathering: Gathering[Asked, Told], asked: Asked) -> Told:
        try:
            return await gathering.told(asked)
        except TimeoutError as error:
            raise StoreUnavailable(f"{self._name} failed: TimeoutError") from error


class GatheredVerbs(SqlVerbs):
    """The verbs of `SqlVerbs`, of which some ask *together*, if that is ready. An answer comes within *timeout*."""

    def __init__(
        self,
        connections: Connections,
        *,
        clock: Clock | None,
        readable: Readable,
        together: Together | None,
        timeout: timedelta,
    ) -> None:
        super().__init__(connections, clock=clock, readable=readable)
        self._together = together
        self._gatherings: Gatherings | None = None if together is None else Gatherings(together, timeout=timeout)

    async def insert(
        self,
        record: SessionRecord,
        *,
        replacing: Sequence[str] = (),
        succeeding: Predecessor | None = None,
        limit: Limit | None = None,
        audit: InsertionAudit | None = None,
    ) -> Insertion:
        """Keep a new *record*, as `SqlVerbs` does, alone or together with others."""
        is_plain = not replacing and succeeding is None and limit is None and audit is None
        if is_plain and (gatherings := self._ready()) is not None:
            row = session_row(record)
            if len(row[_PAYLOAD]) + len(row[_DATA]) <= SMALL and await gatherings.insert(row) is True:
                return KEPT
        return await super().insert(record, replacing=replacing, succeeding=succeeding, limit=limit, audit=audit)

    async def rotate(self, rotation: Rotation, *, audit: Audit | None = None) -> SessionRecord | None:
        """Hand the session on to the next refresh token, as `SqlVerbs` does, alone or together with others."""
        if audit is None and (gatherings := self._ready()) is not None:
            row = await gatherings.rotate(rotation)
            if not isinstance(row, Unserved):
                return None if row is None else self._readable.session(row, session_id=rotation.session_id)
        return await super().rotate(rotation, audit=audit)

    async def get(self, session_id: str) -> Reading:
        """Return the record, expired or not, together with the clock, as `SqlVerbs` does, alone or together with others."""
        if (gatherings := self._ready()) is not None:
            told = await gatherings.get(session_id)
            if not isinstance(told, Unserved):
                row, now = told
                record = None if row is None else self._readable.session(row, session_id=session_id)
                return Reading(record, now if self._clock is None else self._clock())
        return await super().get(session_id)

    async def _idle_together(self) -> None:
        """Wait until what was asked together on this event loop has ended."""
        if self._gatherings is not None:
            await self._gatherings.idle()

    def _ready(self) -> Gatherings | None:
        return self._gatherings if self._together is not None and self._together.is_ready else None
