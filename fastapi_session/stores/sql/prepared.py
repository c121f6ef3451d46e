"""Prepared statements with names, which only a connection of one's own to the server may have.

A statement that has a name is kept by the process of the server that serves a connection. Behind a pooler that may be another
process with each transaction: the name is not there, or it is another client's, whose statement is run in the place of ours.
So our own engines have drivers name none: a statement is sent and run in one go. Whoever wants names, by an option in the URL or
by an engine of their own, is refused if the connection leads to a pooler. What is asked together (`postgres.borrowing`) is named
by us, and only as long as nothing says that there is a pooler:

| connection | leads to the server | leads to a pooler | to a pooler that is not recognised |
|---|---|---|---|
| names no statement | used | used | used |
| its driver names statements | used | refused, unless the store trusts the pooler | used |
| we name them, at random | named | not named, unless the store trusts the pooler | named until a name is missing: nothing was done, and it is asked again |

PostgreSQL sends a client that connects the id of the process that serves it (BackendKeyData, to cancel by), and
`pg_backend_pid()` returns the same. A pooler sends a number of its own, since it has to know which of its clients cancels. One
that did not would not be recognised; that is why drivers name nothing by default, and why our names are nobody else's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from fastapi_session.errors import ConfigurationError
from fastapi_session.stores.sql.dialects import error_code

NOT_ONES_OWN = frozenset({"26000", "42P05"})
"""What PostgreSQL says to the name of a statement that it does not know, or knows already."""

_CHECKED = "fastapi_session"
"""Under which a connection notes that it has been looked at."""


@dataclass(frozen=True, slots=True)
class Names:
    """How a driver names statements: whether a connection does (*given*), and what makes it name none (*fix*).

    *pid* is the id of the server's process that the driver got when it connected.
    """

    given: Callable[[Any], bool]
    pid: Callable[[Any], int]
    fix: str


def ensure_apart(connection: Connection) -> None:
    """Look at *connection*, once. Raises ConfigurationError if it names statements and leads to a pooler."""
    if _CHECKED in connection.info:
        return
    names = _NAMES.get(connection.dialect.driver)
    if names is not None:
        lent: Any = connection.connection
        if names.given(lent.dbapi_connection) and is_pooled(connection, pid=names.pid(lent.driver_connection)):
            raise ConfigurationError(
                "store: a pooler stands before PostgreSQL, where a prepared statement of one client can be another's: "
                f"{names.fix}. If the pooler keeps them apart, say SqlStore(..., trusts_pooler=True)"
            )
    connection.info[_CHECKED] = True


def leads_to_pooler(connection: Connection) -> bool:
    """Say whether a pooler is found before the server to which *connection* leads; of a driver that does not tell, no."""
    names, lent = _NAMES.get(connection.dialect.driver), connection.connection
    return names is not None and is_pooled(connection, pid=names.pid(lent.driver_connection))


def is_pooled(connection: Connection, *, pid: int) -> bool:
    """Say whether another process serves *connection* than the one of id *pid*."""
    try:
        return connection.exec_driver_sql("SELECT pg_backend_pid()").scalar() != pid
    except DBAPIError as error:
        if error_code(error) in NOT_ONES_OWN:
            return True
        raise


def _asyncpg_names(connection: Any) -> bool:
    """Say whether *connection*, SQLAlchemy's, names statements. Nothing public says so; if it cannot be seen, yes."""
    if getattr(connection.driver_connection, "_stmt_cache_enabled", True):
        return True
    keeps = getattr(connection, "_prepared_statement_cache", True) is not None
    name = getattr(connection, "_prepared_statement_name_func", lambda: "unknown")()
    return keeps and bool(name)


_NAMES = {
    "psycopg": Names(
        given=lambda connection: connection.driver_connection.prepare_threshold is not None,
        pid=lambda driver: driver.info.backend_pid,
        fix="give the engine connect_args={'prepare_threshold': None}, or leave prepare_threshold out of the URL",
    ),
    "asyncpg": Names(
        given=_asyncpg_names,
        pid=lambda driver: driver.get_server_pid(),
        fix="give the engine connect_args={'statement_cache_size': 0}, or leave statement_cache_size out of the URL",
    ),
}
