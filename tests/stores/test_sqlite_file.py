"""A SQLite file is made ready once, however many open it at the same time."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Barrier, Timer

import pytest

from fastapi_session.stores.sqlite.file import connect
from fastapi_session.stores.sqlite.schema import MIGRATIONS, SCHEMA_VERSION

PATIENCE = timedelta(seconds=10)


@pytest.mark.parametrize("attempt", range(10))
def test_a_new_file_is_opened_by_many_at_once(tmp_path: Path, attempt: int) -> None:
    """Of many that open a file that is not there, one creates the tables and all succeed."""
    together = Barrier(8)

    def open_file(_: int) -> tuple[str, int]:
        together.wait(10)
        connection = connect(str(tmp_path / "sessions.db"), busy_timeout=PATIENCE)
        mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        connection.close()
        return mode, version

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(open_file, range(8)))

    assert [("wal", SCHEMA_VERSION)] * 8 == answers


def test_a_file_that_is_busy_is_waited_for(tmp_path: Path) -> None:
    """Where another writes a new file for less than the timeout, opening it waits and succeeds."""
    path = tmp_path / "sessions.db"
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    release = Timer(0.1, other.close)
    release.start()
    connection = connect(str(path), busy_timeout=PATIENCE)
    release.join()

    assert ("wal",) == connection.execute("PRAGMA journal_mode").fetchone()
    connection.close()


def test_a_file_that_stays_busy_is_given_up(tmp_path: Path) -> None:
    """Where another holds a new file for longer than the timeout, opening it fails."""
    path = tmp_path / "sessions.db"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        connect(str(path), busy_timeout=timedelta(milliseconds=20))
    other.close()


@pytest.mark.parametrize("version", range(1, SCHEMA_VERSION))
def test_an_older_file_is_brought_up_to_date(tmp_path: Path, version: int) -> None:
    """A file of any earlier version has the tables of the newest one after it was opened, and keeps its rows."""
    path = tmp_path / "sessions.db"
    older = sqlite3.connect(path, isolation_level=None)
    for statements in MIGRATIONS[:version]:
        for statement in statements:
            older.execute(statement)
    older.execute(f"PRAGMA user_version = {version}")
    older.execute("INSERT INTO signing_key VALUES ('k1', 'd', 1, 'ES256', '{}', x'00', 1, 0, 0, 0)")
    older.close()
    upgraded, new = (connect(str(tmp_path / name), busy_timeout=PATIENCE) for name in (path.name, "new.db"))

    assert [("k1",)] == upgraded.execute("SELECT kid FROM signing_key").fetchall()
    assert schema(new) == schema(upgraded)
    upgraded.close()
    new.close()


def schema(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    """Return every table and index of the file with its definition, and last the version."""
    made: list[tuple[str, str]] = connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
    return [*made, ("version", str(connection.execute("PRAGMA user_version").fetchone()[0]))]
