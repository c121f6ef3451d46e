"""The statements for many sessions, as MySQL and MariaDB know them alike.

Neither returns rows from an UPDATE. So the sessions are locked and read by one statement, and written by another.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

from sqlalchemy import BindParameter, bindparam, func, select

from fastapi_session.stores.columns import Row
from fastapi_session.stores.rows import CIRCUMSTANCES_COLUMNS, LINEAGE_COLUMNS, SESSION_COLUMNS
from fastapi_session.stores.sql.dialects import ExactText, Moment
from fastapi_session.stores.sql.statements import SESSION_ROW
from fastapi_session.stores.sql.tables import SESSION

LARGEST_READ = 16_384
"""Bytes of payload and data together, up to which a session is read in a batch."""

_IDS: BindParameter[str] = bindparam("session_ids", expanding=True)
_SIZE = func.octet_length(SESSION.c.access_token_payload) + func.octet_length(SESSION.c.session_data)
# By its key, whatever the planner thinks of a small table: each row that it looks at is locked for a moment.
_BY_KEY = "FORCE INDEX (PRIMARY)"

FIND_THESE = (
    select(Moment(), *SESSION_ROW)
    .with_hint(SESSION, _BY_KEY)
    .where(SESSION.c.session_id.in_(_IDS), _SIZE <= LARGEST_READ)
)
"""The sessions of `session_ids` that are there, each with the time; not those that are large."""

LOCK_THESE = FIND_THESE.with_for_update(skip_locked=True)
"""The same, each locked until the transaction ends, and without those that somebody else has locked. The time is no earlier than the lock."""

WRITTEN = (*CIRCUMSTANCES_COLUMNS, *LINEAGE_COLUMNS)
"""What a rotation changes, and what of the lineage it leaves as it is: the row is locked."""
_WRITTEN_PLACES = [SESSION_COLUMNS.index(name) for name in WRITTEN]


@cache
def write_these(count: int) -> str:
    """Return the statement that writes `WRITTEN` of *count* sessions. What is given is a table, which is read first, so that no other row is locked."""
    names = ("session_id", *WRITTEN)
    first = ", ".join(f"%s AS `{name}`" for name in names)
    rows = " UNION ALL ".join(f"SELECT {each}" for each in (first, *[", ".join(["%s"] * len(names))] * (count - 1)))
    changes = ", ".join(f"kept.`{name}` = given.`{name}`" for name in WRITTEN)
    join = f"({rows}) AS given STRAIGHT_JOIN {SESSION.name} AS kept {_BY_KEY} ON kept.session_id = given.session_id"
    return f"UPDATE {join} SET {changes}"  # noqa: S608 - of names alone


def written_values(rows: Iterable[Row]) -> tuple[object, ...]:
    """Return what `write_these` is given for *rows* of sessions."""
    values: list[object] = []
    for row in rows:
        values.append(row[0].encode())  # bytes, as they are compared
        values += [row[place] for place in _WRITTEN_PLACES]
    return tuple(values)


_INSERTED_AS_BYTES = [isinstance(SESSION.c[name].type, ExactText) for name in SESSION_COLUMNS]
# A comment for MySQL. In MariaDB the server refuses the statement at once where it would have to wait: a stranger's transaction
# that is REPEATABLE READ holds the gaps between the rows that it looked for, and with them rows to come.
_WAITING_FOR_NOBODY = "/*M! SET STATEMENT innodb_lock_wait_timeout=0 FOR */"


def insert_these(count: int) -> str:
    """Return the statement that keeps *count* sessions. In MariaDB it waits for nobody's lock."""
    names = ", ".join(f"`{name}`" for name in SESSION_COLUMNS)
    row = f"({', '.join(['%s'] * len(SESSION_COLUMNS))})"
    return f"{_WAITING_FOR_NOBODY} INSERT INTO {SESSION.name} ({names}) VALUES {', '.join([row] * count)}"  # noqa: S608 - of names alone


def inserted_values(rows: Sequence[Row]) -> tuple[object, ...]:
    """Return what `insert_these` is given for *rows* of sessions."""
    values = (pair for row in rows for pair in zip(row, _INSERTED_AS_BYTES, strict=True))
    return tuple(value.encode() if as_bytes and isinstance(value, str) else value for value, as_bytes in values)
