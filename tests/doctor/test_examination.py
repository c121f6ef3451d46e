"""What could not be looked at: it is said, and the rest is looked at all the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastapi_session import SessionConfig
from fastapi_session.doctor.application.installed import Installed
from fastapi_session.doctor.examination import examine

SECRET = "0b7d2f6c9a4e1835d6f0a2c4e8b19357c5a7"


def found(findings: object) -> list[tuple[str, str]]:
    return [(each.check.id, each.seen) for each in findings]  # type: ignore[attr-defined]


async def test_a_server_that_is_not_there() -> None:
    """A store that cannot be opened is found, FS002, without its password."""
    config = SessionConfig(store="postgresql+asyncpg://u:hidden@127.0.0.1:1/app", secret=SECRET)

    examination = await examine(Installed(config))

    assert [("FS002", "postgresql failed: ConnectionRefusedError, at 127.0.0.1:1, database app")] == [
        each for each in found(examination.findings) if each[0] == "FS002"
    ]


async def test_a_file_that_cannot_be_looked_at(tmp_path: Path) -> None:
    """A path of which this user cannot know whether there is a file is found, FS004: one in a folder of another, one that is too long."""
    store = tmp_path / ("s" * 300)

    examination = await examine(Installed(SessionConfig(store=f"sqlite:///{store}", secret=SECRET)))

    assert [("FS004", f"store: {store} cannot be looked at (File name too long)")] == [
        each for each in found(examination.findings) if each[0] in {"FS002", "FS003", "FS004"}
    ]


@pytest.mark.parametrize("secret", [SECRET, None])
@pytest.mark.parametrize("is_folder", [False, True])
async def test_what_is_no_database(is_folder: bool, secret: str | None, tmp_path: Path) -> None:
    """A file that is no SQLite database, and a folder, are found as such, FS004, with a secret or without, and stay as they are."""
    store = tmp_path / "notes.txt"
    if is_folder:
        store.mkdir()
    else:
        store.write_text("no database at all\n" * 100, "utf-8")

    examination = await examine(Installed(SessionConfig(store=f"sqlite:///{store}", secret=secret)))

    seen = f"store: this is {'a folder' if is_folder else 'no SQLite database'}, give the path of one, or of a file that is not there yet ({store})"
    assert [("FS004", seen)] == [each for each in found(examination.findings) if "FS002" <= each[0] <= "FS004"]
    assert (is_folder, False) == (store.is_dir(), store.with_name("notes.txt-wal").exists())


async def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """A database that is not there is not made, FS003."""
    store = tmp_path / "sessions.db"
    config = SessionConfig(store=f"sqlite:///{store}")

    examination = await examine(Installed(config))

    assert ("FS003", f"{tmp_path}/sessions.db is not there") in found(examination.findings)
    assert not store.exists()
