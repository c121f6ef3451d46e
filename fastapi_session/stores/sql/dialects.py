"""How databases differ, in one table; every other file of this package speaks SQLAlchemy's common language.

`Moment`, `StatementMoment` and `Least` are written out as the table says, when a statement is compiled.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import BigInteger, Dialect, Insert, String, Table
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine

from fastapi_session.stores.opening import WRONG_DATABASE, WRONG_USER


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """How one database says what others say differently.

    *example* is a URL, *extra* brings its driver. *moment* is its clock as the row is written or read, *statement_moment*
    as the statement began; both in milliseconds since the epoch, and only by the second an index can be searched.
    *alone* are the execution options of a statement that is a transaction by itself, *together* those of a transaction,
    *connecting* what an engine of ours is made with, so that its connections are ready for a statement alone.
    *largest_statement* reads how many bytes a statement may have, if there is a limit that sessions can come near.
    *lost_races* are the errors of a transaction that ran into another. *lock* keeps migrations apart until the
    transaction ends, or until *unlock*.
    """

    example: str
    extra: str
    moment: str
    statement_moment: str
    least: str = "least"
    alone: Mapping[str, str]
    together: Mapping[str, str]
    connecting: Mapping[str, str]
    lost_races: frozenset[str | int]
    lock: str
    largest_statement: str | None = None
    unlock: str | None = None


# Not statement_timestamp(), which is too early if the statement had to wait for a row, nor now(), the start of the transaction.
_POSTGRESQL = Differences(
    example="postgresql+asyncpg://user@host/database",
    extra="postgres",
    moment="CAST(floor(extract(epoch FROM clock_timestamp()) * 1000) AS BIGINT)",
    statement_moment="CAST(floor(extract(epoch FROM statement_timestamp()) * 1000) AS BIGINT)",
    # Costs no round trip here, and saves those of BEGIN and COMMIT.
    alone={"isolation_level": "AUTOCOMMIT"},
    together={"isolation_level": "READ COMMITTED"},
    connecting={"isolation_level": "AUTOCOMMIT"},
    lost_races=frozenset({"40001", "40P01"}),
    lock="SELECT pg_advisory_xact_lock(hashtext('fastapi_session'))",
)

# UTC, whatever the time zone of the connection, as the statement began; and how long ago that was.
_MYSQL_BEGAN = "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6))"
_MYSQL = Differences(
    example="mysql+asyncmy://user@host/database",
    extra="mysql",
    moment=f"(({_MYSQL_BEGAN} + TIMESTAMPDIFF(MICROSECOND, NOW(6), SYSDATE(6))) DIV 1000)",
    statement_moment=f"({_MYSQL_BEGAN} DIV 1000)",
    alone={},
    together={},
    # Set once a connection: to change it for one transaction would cost round trips.
    connecting={"isolation_level": "READ COMMITTED"},
    lost_races=frozenset({1020, 1213}),
    lock="SELECT GET_LOCK('fastapi_session', 3600)",
    unlock="SELECT RELEASE_LOCK('fastapi_session')",
    largest_statement="SELECT @@max_allowed_packet",
)

_SQLITE_NOW = "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"
_SQLITE = Differences(
    example="sqlite+aiosqlite:///file",
    extra="sql",
    moment=_SQLITE_NOW,
    statement_moment=_SQLITE_NOW,
    least="min",
    alone={},
    together={},
    connecting={},
    lost_races=frozenset({"SQLITE_BUSY", "SQLITE_BUSY_SNAPSHOT"}),
    lock="BEGIN IMMEDIATE",
)

DIFFERENCES = {"mariadb": _MYSQL, "mysql": _MYSQL, "postgresql": _POSTGRESQL, "sqlite": _SQLITE}
"""By SQLAlchemy's names of the dialects."""

_MISTAKES: Mapping[str | int, str] = {
    "28P01": WRONG_USER,
    "28000": WRONG_USER,
    "3D000": WRONG_DATABASE,
    1044: WRONG_USER,
    1045: WRONG_USER,
    1698: WRONG_USER,
    1049: WRONG_DATABASE,
}
"""What a server says of an address, by the codes of PostgreSQL and of MySQL and MariaDB."""
# libpq has no code for a connection that failed, only the words of the server: in another language they count as an outage.
_MISTAKES_IN_WORDS = {
    re.compile(r"password authentication failed|no password supplied|role \S+ does not exist|no pg_hba"): WRONG_USER,
    re.compile(r"database \S+ does not exist"): WRONG_DATABASE,
}

_BINARY_TEXT = {"mariadb", "mysql"}


class ExactText(TypeDecorator[str]):
    """Text of at most *length* characters that is compared as it is written.

    MySQL and MariaDB have no common collation that distinguishes case, accents and trailing spaces: there, it is bytes, of
    which *encoded* are the most: as many as characters, if nothing is said.
    """

    impl = String
    cache_ok = True

    def __init__(self, length: int, encoded: int | None = None) -> None:
        super().__init__(length)
        self.encoded = encoded or length

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[str]:
        """Return the type of the column in *dialect*."""
        return dialect.type_descriptor(self.plain().dialect_impl(dialect))

    def plain(self) -> TypeEngine[str]:
        """Return the type as the database knows it, which converts nothing."""
        length = cast("String", self.impl_instance).length
        return String(length).with_variant(mysql.VARBINARY(self.encoded), *sorted(_BINARY_TEXT))

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | bytes | None:
        """Return *value* as the driver is given it."""
        return value.encode() if isinstance(value, str) and dialect.name in _BINARY_TEXT else value

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """Return what the driver gave as text, and as it is if it is none: the other rows of the result are not damaged."""
        if value is None or dialect.name not in _BINARY_TEXT:
            return value
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value


class Moment(FunctionElement[int]):
    """What time it is for the database, at the moment this is evaluated."""

    type = BigInteger()
    inherit_cache = True


class StatementMoment(FunctionElement[int]):
    """What time it was for the database when the statement began."""

    type = BigInteger()
    inherit_cache = True


class Least(FunctionElement[int]):
    """The least of numbers, none of which is NULL."""

    type = BigInteger()
    inherit_cache = True


@compiles(Moment)
def _moment(_: Moment, compiler: SQLCompiler, **_options: object) -> str:
    return DIFFERENCES[compiler.dialect.name].moment


@compiles(StatementMoment)
def _statement_moment(_: StatementMoment, compiler: SQLCompiler, **_options: object) -> str:
    return DIFFERENCES[compiler.dialect.name].statement_moment


@compiles(Least)
def _least(element: Least, compiler: SQLCompiler, **options: object) -> str:
    return f"{DIFFERENCES[compiler.dialect.name].least}({compiler.process(element.clauses, **options)})"


def insert_or_lock(table: Table, *, dialect: str) -> Insert:
    """Return what inserts a row of *table*, all of it the key, unless it is there, and locks it until the transaction ends."""
    key = [*table.primary_key]
    first = key[0].name
    if dialect in _BINARY_TEXT:
        locking: Insert = mysql.insert(table).on_duplicate_key_update({first: table.c[first]})
    else:
        statement = (postgresql if dialect == "postgresql" else sqlite).insert(table)
        locking = statement.on_conflict_do_update(index_elements=key, set_={first: statement.excluded[first]})
    return locking


def insert_missing(table: Table, *, dialect: str) -> Insert:
    """Return what inserts rows of *table* but for those that are there, and returns the keys of what it inserted. In MySQL it fails if one is there."""
    if dialect in _BINARY_TEXT:
        return mysql.insert(table)
    statement = (postgresql if dialect == "postgresql" else sqlite).insert(table)
    missing: Insert = statement.on_conflict_do_nothing().returning(*table.primary_key)
    return missing


def error_code(error: BaseException) -> str | int | None:
    """Return the code by which the database names *error*, or `None` if it does not: an `errno` is none of its codes."""
    original: Any = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(original, OSError):
        return None
    number = next((each for each in original.args[:1] if isinstance(each, int)), None)
    return number or getattr(original, "sqlstate", None) or getattr(original, "sqlite_errorname", None)


def mistake_in_address(error: BaseException | None) -> str | None:
    """Return what is wrong with the address of the database if that is what *error* says."""
    # Before SQLAlchemy 2.1 what asyncpg raises while it connects is not wrapped: it has a code all the same.
    if error is not None and (code := error_code(error)) is not None:
        return _MISTAKES.get(code)
    if not isinstance(error, DBAPIError):
        return None
    return next((why for words, why in _MISTAKES_IN_WORDS.items() if words.search(str(error.orig))), None)
