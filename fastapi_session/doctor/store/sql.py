"""Databases behind SQLAlchemy: whether our tables are those of this version, and kept as sessions need it.

| id | looks at | level |
|---|---|---|
| FS141 | migrations that have not run | error |
| FS142 | tables of a newer version | info |
| FS143 | a standby, or a database that is read only | error |
| FS144 | REPEATABLE READ on MySQL and MariaDB, with a limit of sessions and an engine of one's own | warning |
| FS145 | an index that is not there | warning |
| FS146 | tables without transactions, or that a crash empties | error |
| FS147 | a pool that is larger than the server | warning |
| FS148 | a pool of one connection | warning |
| FS149 | a server that is too old | error |

If migrations have not run, nothing but the database itself is looked at: the store does not open.
A pooler that mixes up prepared statements keeps the store from opening too, and the error says what to change.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fastapi_session.doctor.finding import Check, Finding, Level
from fastapi_session.stores.facts import SqlFacts

OLDEST_MARIADB = (10, 6)
OLDEST_MYSQL = (8, 0)

_FEW = 5
"""How many names are printed."""

NOT_MIGRATED = Check(
    "FS141",
    Level.ERROR,
    "the database lacks tables or columns of this version, so the store does not open",
    "run fastapi-session migrate, or the migration of your own Alembic",
)
NEWER = Check(
    "FS142",
    Level.INFO,
    "the tables are those of a newer version, with which this one works too",
    "upgrade this installation as the others",
)
READ_ONLY = Check(
    "FS143",
    Level.ERROR,
    "the database is a standby or read only, which refuses writes and may not have a revocation yet",
    "give the address of the primary",
)
GAPS = Check(
    "FS144",
    Level.WARNING,
    "under REPEATABLE READ a sign-in with a limit locks gaps, so that other users wait for your transaction",
    'give your engine isolation_level="READ COMMITTED"',
)
UNINDEXED = Check(
    "FS145",
    Level.WARNING,
    "an index is missing, so whole tables are read, or one that is unique lets in what may be there once",
    "create it as METADATA says; migrate makes it with its table only",
)
PERISHABLE = Check(
    "FS146",
    Level.ERROR,
    "a table has no transactions, or a crash empties it",
    "ALTER TABLE ... ENGINE=InnoDB on MySQL and MariaDB, ALTER TABLE ... SET LOGGED on PostgreSQL",
)
NO_ROOM = Check(
    "FS147",
    Level.WARNING,
    "one process may open more connections than the server accepts, and those beyond are a 503",
    "raise the limit of the server, of the database or of the user, or put a pooler before it",
)
ONE_CONNECTION = Check(
    "FS148",
    Level.WARNING,
    "the pool of your engine has one connection, so a request that holds it in its own transaction waits for itself",
    "give the engine a pool_size of 5 or more",
)
TOO_OLD = Check(
    "FS149",
    Level.ERROR,
    "the server is older than any with which this was tried",
    "upgrade it to MariaDB 10.6 or MySQL 8, or newer",
)

CHECKS = (NOT_MIGRATED, NEWER, READ_ONLY, GAPS, UNINDEXED, PERISHABLE, NO_ROOM, ONE_CONNECTION, TOO_OLD)


def sql_findings(facts: SqlFacts, *, limits: bool) -> Iterator[Finding]:
    """Yield what is wrong with the database of *facts*; *limits* says that a user may have so many sessions only."""
    yield from _tables(facts)
    if facts.is_read_only:
        yield READ_ONLY.found(_server(facts))
    if limits and facts.name == "mysql" and not facts.is_own_engine and facts.isolation == "REPEATABLE READ":
        yield GAPS.found(f"{_server(facts)} by your engine")
    yield from _connections(facts)
    if facts.name == "mysql" and facts.version < (OLDEST_MARIADB if facts.is_mariadb else OLDEST_MYSQL):
        yield TOO_OLD.found(_server(facts))


def _tables(facts: SqlFacts) -> Iterator[Finding]:
    if facts.missing or facts.pending:
        told = [*facts.missing, *(f"migration {each}" for each in facts.pending)]
        yield NOT_MIGRATED.found(f"lacking are {_names(told)}")
    elif facts.newer is not None:
        yield NEWER.found(f"migration {facts.newer}")
    if facts.unindexed and not facts.missing:  # the migrations bring the indexes too
        yield UNINDEXED.found(_names(facts.unindexed))
    if facts.perishable:
        yield PERISHABLE.found(_names(facts.perishable))


def _connections(facts: SqlFacts) -> Iterator[Finding]:
    if facts.pool is None:
        return
    if facts.room is not None and facts.pool > facts.room:
        yield NO_ROOM.found(f"the pool has up to {facts.pool}, {_server(facts)} accepts {facts.room}")
    if facts.pool == 1:
        yield ONE_CONNECTION.found("pool_size and max_overflow make 1")


def _server(facts: SqlFacts) -> str:
    name = {"postgresql": "PostgreSQL", "mysql": "MySQL", "sqlite": "SQLite"}.get(facts.name, facts.name)
    return f"{'MariaDB' if facts.is_mariadb else name} {'.'.join(map(str, facts.version))}"


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - _FEW} more" if len(names) > _FEW else ""
    return ", ".join(names[:_FEW]) + more
