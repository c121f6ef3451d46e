"""The verbs that many tasks call at once: `insert`, `rotate` and `get`, which go to the database in batches.

| a call | then |
|---|---|
| is plain and small | it goes into a batch |
| ... which served it | that is its result |
| ... which did not: its row is locked by another transaction, changed by a faster call, or not there, or the server refused the batch | it is made again, alone |
| has an audit, a limit or something to replace; is large; comes on a loop that has no pool | alone at once |

A call alone is that of `SqlVerbs`: it waits for a lock, and it decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from enum import Enum, auto
from typing import Final, Literal, Protocol

from fastapi_session.audit import Audit, InsertionAudit
from fastapi_session.clock import Clock
from fastapi_session.errors import StoreUnavailable
from fastapi_session.insertion import KEPT, Insertion, Limit
from fastapi_session.model import Predecessor, Reading, Rotation, SessionRecord
from fastapi_session.stores.batching import Batcher
from fastapi_session.stores.columns import Row
from fastapi_session.stores.readable import Readable
from fastapi_session.stores.rows import SESSION_COLUMNS, session_row
from fastapi_session.stores.sql.connections import Connections
from fastapi_session.stores.sql.verbs import SqlVerbs

SMALL = 4096
"""Characters of payload and data together, up to which a session is inserted in a batch."""

_LONGER = timedelta(seconds=1)
"""How much longer than a batch may take its callers wait. So they learn how it ended, and not only that time is over."""

_PAYLOAD, _DATA = map(SESSION_COLUMNS.index, ("access_token_payload", "session_data"))

Found = tuple[Row | None, int]
"""A session, or `None` if it is not there, and the clock."""


class Unserved(Enum):
    """Marks a call that its batch has not served. It is not known whether it applies, and nothing was written for it."""

    UNSERVED = auto()


UNSERVED: Final = Unserved.UNSERVED


class Batches(Protocol):
    """Runs batches on a database: several calls by one statement or transaction, a single one by the plain statement."""

    name: str
    """The name of the database."""

    @property
    def is_ready(self) -> bool:
        """Whether the running event loop has connections for batches."""

    async def rotate(self, rotations: Sequence[Rotation]) -> Sequence[Row | Unserved | None]:
        """Return each session as it was rotated; `None` only if it is certain that it was not. Raises StoreUnavailable."""

    async def insert(self, rows: Sequence[Row]) -> Sequence[Literal[True] | Unserved]:
        """Say of each row whether it was kept. Raises StoreUnavailable."""

    async def get(self, session_ids: Sequence[str]) -> Sequence[Found | Unserved]:
        """Return each session, or `None`, and the clock. Raises StoreUnavailable."""


class Batchers:
    """Collects the calls of each verb for *batches*. A batch takes at most *timeout*."""

    def __init__(self, batches: Batches, *, timeout: timedelta) -> None:
        def too_late() -> StoreUnavailable:
            return StoreUnavailable(f"{batches.name} failed: TimeoutError")

        timeout += _LONGER
        self.rotations: Batcher[Rotation, Row | Unserved | None] = Batcher(
            batches.rotate, timeout=timeout, too_late=too_late
        )
        self.insertions: Batcher[Row, Literal[True] | Unserved] = Batcher(
            batches.insert, timeout=timeout, too_late=too_late
        )
        self.readings: Batcher[str, Found | Unserved] = Batcher(batches.get, timeout=timeout, too_late=too_late)

    async def idle(self) -> None:
        """Wait until the calls of this event loop have ended."""
        for each in (self.rotations, self.insertions, self.readings):
            await each.idle()


class BatchedVerbs(SqlVerbs):
    """The verbs of `SqlVerbs`, of which three go in *batches*, if those are ready. A batch takes at most *timeout*."""

    def __init__(
        self,
        connections: Connections,
        *,
        clock: Clock | None,
        readable: Readable,
        batches: Batches | None,
        timeout: timedelta,
    ) -> None:
        super().__init__(connections, clock=clock, readable=readable)
        self._batches = batches
        self._batchers: Batchers | None = None if batches is None else Batchers(batches, timeout=timeout)

    async def insert(
        self,
        record: SessionRecord,
        *,
        replacing: Sequence[str] = (),
        succeeding: Predecessor | None = None,
        limit: Limit | None = None,
        audit: InsertionAudit | None = None,
    ) -> Insertion:
        """Keep a new *record*, as `SqlVerbs` does, alone or in a batch."""
        is_plain = not replacing and succeeding is None and limit is None and audit is None
        if is_plain and (batchers := self._ready()) is not None:
            row = session_row(record)
            if len(row[_PAYLOAD]) + len(row[_DATA]) <= SMALL and await batchers.insertions.submit(row) is True:
                return KEPT
        return await super().insert(record, replacing=replacing, succeeding=succeeding, limit=limit, audit=audit)

    async def rotate(self, rotation: Rotation, *, audit: Audit | None = None) -> SessionRecord | None:
        """Hand the session on to the next refresh token, as `SqlVerbs` does, alone or in a batch."""
        if audit is None and (batchers := self._ready()) is not None:
            row = await batchers.rotations.submit(rotation)
            if not isinstance(row, Unserved):
                return None if row is None else self._readable.session(row, session_id=rotation.session_id)
        return await super().rotate(rotation, audit=audit)

    async def get(self, session_id: str) -> Reading:
        """Return the record, expired or not, together with the clock, as `SqlVerbs` does, alone or in a batch."""
        if (batchers := self._ready()) is not None:
            found = await batchers.readings.submit(session_id)
            if not isinstance(found, Unserved):
                row, now = found
                record = None if row is None else self._readable.session(row, session_id=session_id)
                return Reading(record, now if self._clock is None else self._clock())
        return await super().get(session_id)

    async def _idle_batches(self) -> None:
        """Wait until the batches of this event loop have ended."""
        if self._batchers is not None:
            await self._batchers.idle()

    def _ready(self) -> Batchers | None:
        return self._batchers if self._batches is not None and self._batches.is_ready else None
