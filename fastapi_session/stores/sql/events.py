"""The events of the audit: written in the transaction of a change, read page by page, and cleared away.

A place is counted up when an event is written, and others see it when its transaction commits, which may be later than that of
the next place. So a reader that goes on from place to place is given no event of the last minute: by then all have committed
that were written before it, but for those of transactions that were open for longer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile

from sqlalchemy import BigInteger, ColumnElement, Connection, Select, bindparam, delete, insert, select

from fastapi_session.audit import Audit, EventQuery
from fastapi_session.stores.columns import Row
from fastapi_session.stores.rows import EVENT_COLUMNS, WHOSE_COLUMNS, event_rows
from fastapi_session.stores.sql import results
from fastapi_session.stores.sql.dialects import Moment
from fastapi_session.stores.sql.tables import EVENT, SESSION

HELD_BACK = 60_000
"""Milliseconds after which an event is given to readers that go on from place to place."""

_AT = EVENT_COLUMNS.index("at")
_WHOSE = [SESSION.c[name] for name in WHOSE_COLUMNS]
_UNTIL = EVENT.c.at <= bindparam("until", type_=BigInteger)

LOCK_WHOSE = select(*_WHOSE).where(SESSION.c.session_id.in_(bindparam("session_ids", expanding=True))).with_for_update()
LOCK_EVENTS = (
    select(EVENT.c.place)
    .where(_UNTIL)
    .order_by(EVENT.c.at)
    .limit(bindparam("limit", type_=BigInteger))
    .with_for_update(skip_locked=True)
)
DELETE_EVENTS = delete(EVENT).where(EVENT.c.place.in_(bindparam("places", expanding=True)))


class Events:
    """The events, by the database's clock, or with *now_given* by that of the parameter `now`."""

    def __init__(self, *, now_given: bool) -> None:
        now: ColumnElement[int] = bindparam("now", type_=BigInteger) if now_given else Moment()
        self._insert = insert(EVENT).values(at=now).inline()
        self._page = select(now, *(EVENT.c[name] for name in EVENT_COLUMNS), EVENT.c.place)

    def tell(
        self, connection: Connection, audit: Audit | None, sessions: Iterable[Row], *, now: Mapping[str, object]
    ) -> None:
        """Write the event of *audit*, if there is one, of each of the *sessions*, which are said by `WHOSE_COLUMNS`."""
        if audit is None:
            return
        rows = [dict(zip(EVENT_COLUMNS, row, strict=True)) for row in event_rows(audit, sessions, at=0)]
        for row in rows:
            del row["at"]  # the clock of the statement
        if rows:
            connection.execute(self._insert, [{**row, **now} for row in rows])

    def page(self, query: EventQuery) -> Select[tuple[int]]:
        """Return the statement that reads the events of *query*, each with the time before it and its place after."""
        statement, after = self._page.limit(query.limit), query.number
        if query.user_id is not None:
            statement = statement.where(EVENT.c.user_id == query.user_id)
        if query.tenant_id is not None:
            statement = statement.where(EVENT.c.tenant_id == query.tenant_id)
        if after is not None:
            statement = statement.where(EVENT.c.place < after if query.newest_first else EVENT.c.place > after)
        return statement.order_by(EVENT.c.place.desc() if query.newest_first else EVENT.c.place)


def settled(rows: Sequence[Row], query: EventQuery) -> Sequence[Row]:
    """Return those of *rows*, which a statement of `Events.page` read, that a reader of *query* is given, without the time."""
    results.events(rows, query)
    if query.newest_first:
        return [row[1:] for row in rows]
    return [row[1:] for row in takewhile(lambda row: row[1 + _AT] <= row[0] - HELD_BACK, rows)]


def whose_sessions(connection: Connection, audit: Audit | None, session_ids: Sequence[object]) -> Sequence[Row]:
    """Lock the sessions *session_ids*, and return what events say of them: nothing, and no statement, if there is no *audit*."""
    if audit is None or not session_ids:
        return []
    return results.rows_of(connection.execute(LOCK_WHOSE, {"session_ids": session_ids}))
