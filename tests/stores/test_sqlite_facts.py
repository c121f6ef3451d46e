"""What a SQLite file is said to be like."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from fastapi_session.stores.sqlite import facts_verbs


def test_a_lock_is_no_damage(tmp_path: Path) -> None:
    """A file that another process locks while it is looked at cannot be judged; it is not called damaged."""
    path = tmp_path / "sessions.db"
    with closing(sqlite3.connect(path)) as other, closing(sqlite3.connect(path, timeout=0)) as looking:
        other.execute("CREATE TABLE session (id TEXT)")
        other.execute("BEGIN EXCLUSIVE")

        with pytest.raises(sqlite3.OperationalError):
            facts_verbs._damage(looking)


def test_what_is_no_database(tmp_path: Path) -> None:
    """A file that SQLite does not know as its own is damaged."""
    path = tmp_path / "sessions.db"
    path.write_bytes(b"something else that is long enough to be read as a page" * 99)
    with closing(sqlite3.connect(path)) as looking:
        assert "SQLITE_NOTADB" == facts_verbs._damage(looking)
