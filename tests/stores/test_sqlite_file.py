"""A SQLite file is made ready once, however many open it at the same time."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from threading import Barrier, Timer

import pytest

from fastapi_session.stores.sqlite import SqliteStore
from fastapi_session.stores.sqlite.file import connect
from fastapi_session.stores.sqlite.schema import SCHEMA_VERSION
from tests.stores.old_tables import (
    FIRST,
    KEY,
    KEY_RECORD,
    WITH_CAPABILITIES,
    WITH_ISSUE_IDS,
    WITH_LIFETIME,
    insertion,
    tables,
)

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
    """If another writes a new file for less than the timeout, opening it waits and succeeds."""
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
    """If another holds a new file for longer than the timeout, opening it fails."""
    path = tmp_path / "sessions.db"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        connect(str(path), busy_timeout=timedelta(milliseconds=20))
    other.close()


SESSIONS = {1: FIRST, 2: FIRST, 3: WITH_ISSUE_IDS, 4: WITH_LIFETIME, 5: WITH_CAPABILITIES}
"""What each version wrote."""


@pytest.mark.parametrize("version", SESSIONS)
async def test_an_older_file_is_brought_up_to_date(tmp_path: Path, version: int) -> None:
    """A file of any version before, written by its own statements, has today's tables once it was opened, and keeps its rows."""
    path = tmp_path / "sessions.db"
    record = SESSIONS[version].record
    with closing(sqlite3.connect(path, isolation_level=None)) as older:
        for statement in tables("sqlite", version=str(version)):
            older.execute(statement)
        older.execute(f"PRAGMA user_version = {version}")
        older.execute(insertion("session", SESSIONS[version].row), SESSIONS[version].row)
        older.execute(insertion("signing_key", KEY), KEY)
    store = SqliteStore(path)

    assert record == (await store.get(record.session_id)).record
    assert [KEY_RECORD] == list(await store.signing_keys())
    assert await store.delete(record.session_id, expected=record.lineage)
    assert [record.session_id] == [notice.subject for notice in (await store.notices(after=0)).notices]
    await store.close()
    with (
        closing(connect(str(tmp_path / "new.db"), busy_timeout=PATIENCE)) as new,
        closing(sqlite3.connect(path)) as old,
    ):
        assert schema(new) == schema(old)


def test_every_version_before_is_tried() -> None:
    """Whoever brings a new version says what the one before it wrote."""
    assert {*range(1, SCHEMA_VERSION)} <= {*SESSIONS}


def schema(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    """Return every table and index of the file with its definition, however it is laid out, and last the version."""
    made = connection.execute("SELECT name, coalesce(sql, '') FROM sqlite_master ORDER BY name").fetchall()
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    return [*((name, " ".join(definition.split())) for name, definition in made), ("version", str(version))]
