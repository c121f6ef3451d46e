"""Counting the sessions of a user for a limit, so that nobody begins another one meanwhile.

Two transactions that count at once do not see each other's sessions. So each locks the row of the user first, by a statement of
its own: what is read after it, others have committed before. The lock lasts as long as the transaction, be it the user's.

It is a row and no advisory lock of PostgreSQL, so that it holds under REPEATABLE READ too, which a transaction of the user's may
have: there, one that had to wait fails, and does not count what was there before.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from fastapi_session.model import SessionRecord
from fastapi_session.stores.limits import Living
from fastapi_session.stores.sql import results, statements
from fastapi_session.stores.sql.statements import Parameters, Sessions


def count_alone(
    connection: Connection, record: SessionRecord, *, living: Sessions, now: Parameters, begins: bool
) -> list[Living]:
    """Lock the user of *record* in its tenant, and return the sessions there that *living* finds.

    *begins* says that nothing was read in this transaction before.
    """
    user = {"user_id": record.user_id, "tenant_id": record.tenant_id}
    # MySQL counts a row that was there as none, since it stays as it was, or as two.
    results.at_most(2, connection.execute(statements.LOCK_USER[connection.dialect.name], user))
    # Under REPEATABLE READ, MySQL goes on to read what was there at the first reading, unless rows are locked. And then it locks
    # the gaps beside them too, in which other users would sign in: so only if something may have been read.
    reads_past = not begins and not connection.dialect.update_returning
    statement = living.with_for_update() if reads_past else living
    rows = connection.execute(statement, {**statements.user_parameters(**user), **now})
    return [*results.living_of(results.rows_of(rows), **user)]


def delete_counted(connection: Connection, session_ids: Sequence[str]) -> results.Rows:
    """Delete the sessions of these ids, and return those that are still there."""
    ids = {"session_ids": session_ids}
    if connection.dialect.update_returning:
        return results.these(connection.execute(statements.DELETE_THESE_RETURNING, ids), session_ids)
    rows = results.these(connection.execute(statements.LOCK_THESE, ids), session_ids)
    results.at_most(len(session_ids), connection.execute(statements.DELETE_THESE, ids))
    return rows
