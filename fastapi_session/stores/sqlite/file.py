"""A SQLite file made ready: who may read it, how it is written, and its tables brought up to date."""

from __future__ import annotations

import os
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

from fastapi_session.errors import ConfigurationError
from fastapi_session.stores.sqlite.schema import MIGRATIONS, SCHEMA_VERSION

if sys.platform != "win32":  # Windows has no fcntl: importing it there would fail
    import fcntl


def connect(path: str, *, busy_timeout: timedelta) -> sqlite3.Connection:
    """Open the database file at *path*, and create it and its tables if they are missing.

    Raises ConfigurationError for a folder and for the file of a newer version, sqlite3.Error and OSError for one that cannot be opened.
    """
    if Path(path).is_dir():
        raise ConfigurationError(
            f"store: {path} is a folder; give the path of a file, as in {Path(path) / 'sessions.db'}"
        )
    create_private(path)
    connection = sqlite3.connect(path, timeout=busy_timeout.total_seconds(), isolation_level=None)
    connection.text_factory = _text
    try:
        if schema_version(connection, path=path) < SCHEMA_VERSION:
            write_ahead(connection, patience=busy_timeout)
            migrate(connection, path=path)
        # A kill of the process loses nothing. A power cut may take the last writes with it: a rotation lost so is
        # recovered when its token comes back, a sign-out would have to be repeated. Syncing every commit instead
        # would cost a disk flush per group of writes.
        connection.execute("PRAGMA synchronous = NORMAL")
    except BaseException:
        connection.close()
        raise
    return connection


def connect_beside(path: str, *, largest: int) -> sqlite3.Connection | None:
    """Open the file at *path*, to which this process has another connection, so that nothing takes long: `None` if it would.

    It may be used on any thread, by one at a time. It waits for no lock, copies nothing from the log into the database, and
    refuses rows and values of more than *largest* bytes. Without a write-ahead log, readers and writers would wait for each
    other, and each write for the disk. To read a text that is damaged is an error here: so SQLite decodes all of them by itself.
    Raises sqlite3.Error.
    """
    # By a URI: a file that is gone by now must not be made anew.
    connection = sqlite3.connect(
        f"{Path(path).as_uri()}?mode=rw", uri=True, timeout=0, isolation_level=None, check_same_thread=False
    )
    try:
        if connection.execute("PRAGMA journal_mode").fetchone() == ("wal",):
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA wal_autocheckpoint = 0")
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, largest)
            return connection
    except BaseException:
        connection.close()
        raise
    connection.close()
    return None


def _text(encoded: bytes) -> str | bytes:
    """Return a text, as bytes if it is none: what is damaged in one row must not fail the reading of the others."""
    try:
        return encoded.decode()
    except UnicodeDecodeError:
        return encoded


def is_there(path: Path) -> bool:
    """Say whether there is a file at *path*. Raises ConfigurationError if that cannot be known, as in a folder of another user."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise ConfigurationError(f"store: {path} cannot be looked at ({error.strerror})") from error
    return True


def create_private(path: str) -> None:
    """Create an empty file at *path*, or at the end of the links there, that its owner alone may read, unless there is one.

    SQLite gives the files beside it (write-ahead log, shared memory) the same permissions.
    """
    path = os.path.realpath(path)
    if Path(path).exists():
        return
    with _alone_in(Path(path).parent), suppress(FileExistsError):
        if not Path(path).exists():
            # Of a database that was deleted: a process that still has them open would share them with the new one.
            for beside in ("-wal", "-shm"):
                Path(f"{path}{beside}").unlink(missing_ok=True)
        # Exclusively, since to open and close a database in use would drop the locks that this process holds on it.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Be the only process that makes a database in *folder*. On Windows, where open files cannot be deleted, be one of many."""
    if sys.platform == "win32":
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)  # which ends the lock


def schema_version(connection: sqlite3.Connection, *, path: str) -> int:
    """Return the version of the tables in the file, 0 if there are none. Raises ConfigurationError for a newer one."""
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > SCHEMA_VERSION:
        raise ConfigurationError(
            f"{path} has tables of version {version}, and this fastapi_session knows {SCHEMA_VERSION}: "
            "upgrade fastapi_session, or give SqliteStore another path"
        )
    return version


def write_ahead(connection: sqlite3.Connection, *, patience: timedelta) -> None:
    """Let readers and one writer go on side by side, from now on and in every process."""
    give_up_at = time.monotonic() + patience.total_seconds()
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            # Alone among the statements, this one does not wait for other processes that open the file just now.
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > give_up_at:
                raise
            time.sleep(0.005)
        else:
            return


def migrate(connection: sqlite3.Connection, *, path: str) -> None:
    """Bring the tables to the newest version, unless another process has just done so."""
    connection.execute("BEGIN IMMEDIATE")
    for statements in MIGRATIONS[schema_version(connection, path=path) :]:
        for statement in statements:
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.execute("COMMIT")
