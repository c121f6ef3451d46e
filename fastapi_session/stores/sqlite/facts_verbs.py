"""What is known of the file, and of what is kept there too long.

It is read over a connection of its own, which cannot write: to open the file as the store does brings old tables up to date, and
processes of the version before would not open it any more.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TypeVar

from fastapi_session.errors import StoreUnavailable
from fastapi_session.stores.facts import MOST_COUNTED, Overdue, SqliteFacts, StoreKind
from fastapi_session.stores.opening import opening
from fastapi_session.stores.sqlite import statements
from fastapi_session.stores.sqlite.file import schema_version
from fastapi_session.stores.sqlite.moving_verbs import MovingVerbs
from fastapi_session.stores.sqlite.schema import SCHEMA_VERSION

LARGEST_CHECKED = 100 * 1024**2
"""Bytes of a file in which damage is looked for: that reads all of it, a second or less."""

_PATIENCE = 5.0
"""Seconds that a reading waits for the lock of another process."""

_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_PRIMARY = 0xFF
"""The bits of a result code that say what it is; the others say more of it (sqlite.org/rescode.html)."""

T = TypeVar("T")


class FactVerbs(MovingVerbs):
    """Says how the file at *path* is set up."""

    path: Path
    kind: StoreKind = "sqlite"

    async def facts(self) -> SqliteFacts:
        """Return how the file is set up. Raises StoreUnavailable, and ConfigurationError if it is of a newer version."""
        return await self._look(lambda db: _facts(db, self.path))

    async def overdue(self, *, sessions: int, notices: int, events: int, digests: int = 0, devices: int = 0) -> Overdue:
        """Count what is kept though its time was over at these moments (milliseconds)."""
        moments = {
            "sessions": sessions,
            "notices": notices,
            "events": events,
            "digests": digests,
            "devices": devices,
        }

        def count(db: sqlite3.Connection) -> Overdue:
            return Overdue(**{what: _count(db, statements.OVERDUE[what], moment) for what, moment in moments.items()})

        return await self._look(count)

    async def _look(self, look: Callable[[sqlite3.Connection], T]) -> T:
        with opening(self.path, mistake=partial(_mistake_in_path, path=self.path)):
            return await asyncio.to_thread(_looked, self.path, look)


def _mistake_in_path(error: BaseException | None, *, path: Path) -> str | None:
    """Return what is wrong with *path* if that is what *error* says: it names what is no database."""
    code = error.sqlite_errorcode if isinstance(error, sqlite3.Error) else None
    if code == sqlite3.SQLITE_NOTADB or (code == sqlite3.SQLITE_CANTOPEN and path.is_dir()):
        what = "a folder" if path.is_dir() else "no SQLite database"
        return f"this is {what}, give the path of one, or of a file that is not there yet"
    return None


def _looked(path: Path, look: Callable[[sqlite3.Connection], T]) -> T:
    try:
        # By a URI: a file that is gone must not be made anew.
        connection = sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=_PATIENCE, isolation_level=None)
        with closing(connection):
            connection.execute("PRAGMA query_only = ON")
            return look(connection)
    except sqlite3.Error as error:
        raise StoreUnavailable(f"SQLite failed: {getattr(error, 'sqlite_errorname', type(error).__name__)}") from error


def _facts(db: sqlite3.Connection, path: Path) -> SqliteFacts:
    size = _pragma(db, "page_count") * _pragma(db, "page_size")
    return SqliteFacts(
        path=path,
        size=size,
        is_current=schema_version(db, path=str(path)) == SCHEMA_VERSION,
        journal=str(_pragma(db, "journal_mode")),
        damage=_damage(db) if size <= LARGEST_CHECKED else None,
    )


def _damage(db: sqlite3.Connection) -> str | None:
    """Return what is wrong with the file. Only the beginning, which names a page or an index: the rest may quote a row."""
    try:
        found = str(_pragma(db, "quick_check(1)"))
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & _PRIMARY not in _DAMAGED:
            raise  # as if another process holds the lock
        found = error.sqlite_errorname
    return None if found == "ok" else " ".join(found.split())[:80]


def _pragma(db: sqlite3.Connection, name: str) -> int:
    value: int = db.execute(f"PRAGMA {name}").fetchone()[0]
    return value


def _count(db: sqlite3.Connection, statement: str, moment: int) -> int:
    [number] = db.execute(statement, (moment, MOST_COUNTED)).fetchone()
    return int(number)
