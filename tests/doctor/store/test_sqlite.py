"""What is found of a SQLite file, each time in a file that is so."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from fastapi_session import SessionConfig
from fastapi_session.doctor.store.sqlite import Disks
from fastapi_session.stores.sqlite.file import create_private
from fastapi_session.stores.sqlite.schema import MIGRATIONS, SCHEMA_VERSION
from tests.doctor.store.deployments import DISK, everything, found, ids, started
from tests.engines import config


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sessions.db"


@pytest.fixture
async def deployment(path: Path) -> SessionConfig:
    """One whose application has started, and ended."""
    made = config(store=f"sqlite:///{path}")
    await started(made)
    return made


def execute(path: Path, *statements: str) -> list[Any]:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        return [db.execute(statement).fetchone() for statement in statements]


def let_read(path: Path, mode: int) -> None:
    path.chmod(mode)


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "ceph"])
async def test_a_network_file_system(deployment: SessionConfig, path: Path, kind: str) -> None:
    """FS161, by what is mounted nearest to the file."""
    mounts = f"{DISK}server:/shared {path.parent} {kind} rw 0 0\n"

    assert [("FS161", f"{path} is on {kind}, mounted at {path.parent}")] == await found(deployment, mounts=mounts)
    assert [] == await found(deployment, mounts=f"{mounts}/dev/vdb {path.parent} xfs rw 0 0\n")
    assert [] == await found(deployment, mounts=f"server:/shared {path.parent}-of-others {kind} rw 0 0\n")


async def test_a_place_with_a_blank_in_its_name(tmp_path: Path) -> None:
    """FS161 where the list of what is mounted writes the name otherwise."""
    (tmp_path / "my disk").mkdir()
    deployment = config(store=f"sqlite:///{tmp_path}/my disk/sessions.db")
    await started(deployment)

    mounts = f"{DISK}server:/shared {tmp_path}/my\\040disk nfs4 rw 0 0\n"
    assert ["FS161"] == ids(await found(deployment, mounts=mounts))


async def test_a_journal_that_is_no_log(deployment: SessionConfig, path: Path) -> None:
    """FS162, and the journal stays what it is."""
    execute(path, "PRAGMA journal_mode = DELETE")

    assert [("FS162", f"{path} has journal_mode delete")] == await found(deployment)
    assert [("delete",)] == execute(path, "PRAGMA journal_mode")


async def test_a_full_disk(deployment: SessionConfig, path: Path) -> None:
    """FS163 if less is free than a log may need."""
    megabyte = 1024**2
    assert [("FS163", f"99 MB are free for {path}, which has 0 MB")] == await found(deployment, free=99 * megabyte)
    assert [] == await found(deployment, free=100 * megabyte)


async def test_damage(deployment: SessionConfig, path: Path) -> None:
    """FS164 for what SQLite finds; nothing else is read of such a file, and nothing of a row is said."""
    pages = "SELECT rootpage FROM sqlite_master WHERE name = "
    [(size,), *places] = execute(path, "PRAGMA page_size", f"{pages}'session'", f"{pages}'signing_key'")
    overwrite(path, size, places=[place for (place,) in places])

    [(id_, told)] = await found(deployment)

    assert ("FS164", True) == (id_, told.startswith(f"{path}: "))
    assert "alice" not in told


def overwrite(path: Path, size: int, *, places: Sequence[int]) -> None:
    """Overwrite the pages in *places*, counted from 1."""
    with path.open("r+b") as file:
        for place in places:
            file.seek((place - 1) * size)
            file.write(b"\xff" * size)


async def test_a_file_that_others_can_read(deployment: SessionConfig, path: Path) -> None:
    """FS165 with its mode; a group may be let in."""
    let_read(path, 0o644)
    assert [("FS165", f"{path} has mode 0644")] == await found(deployment)

    let_read(path, 0o640)
    assert [] == await found(deployment)


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A file right in the folder for temporary files."""
    with tempfile.NamedTemporaryFile(suffix=".db") as file:
        yield Path(file.name)
        for ending in ("-wal", "-shm"):
            Path(f"{file.name}{ending}").unlink(missing_ok=True)


async def test_files_that_do_not_last(deployment: SessionConfig, path: Path, temporary: Path) -> None:
    """FS166 right in a folder for temporary files, or in memory; FS167 further below such a folder."""
    direct = config(store=f"sqlite:///{temporary}")
    await started(direct)
    assert [("FS166", f"{temporary}, on ext4")] == await found(direct)

    mounts = f"{DISK}tmpfs {path.parent} tmpfs rw 0 0\n"
    assert [("FS166", f"{path}, on tmpfs")] == await found(deployment, mounts=mounts)
    assert [("FS167", str(path))] == await everything(deployment)


@pytest.mark.parametrize("kind", ["overlay", "aufs", "fuse.fuse-overlayfs"])
async def test_a_file_in_a_container(kind: str, sqlite_store_url: str) -> None:
    """FS169 in the writable layer of a container, which goes with it; on a volume that is mounted there it is well."""
    deployment = config(store=sqlite_store_url)
    await started(deployment)
    path = Path(sqlite_store_url.removeprefix("sqlite:///"))
    layer = f"{kind} / {kind} rw 0 0\n"

    assert [("FS169", f"{path}, on {kind}")] == await found(deployment, mounts=layer)
    assert [] == await found(deployment, mounts=f"{layer}/dev/vda {path.parent} ext4 rw 0 0\n")


async def test_a_file_without_tables(path: Path) -> None:
    """FS168 alone for a file that was made empty, as for a volume: the application makes its log with its tables."""
    create_private(str(path))

    assert [("FS168", str(path))] == await found(config(store=f"sqlite:///{path}"))
    assert [(0,)] == execute(path, "PRAGMA page_count")


async def test_tables_of_an_older_version(path: Path) -> None:
    """FS168: the file stays as it is, so that processes of that version can start again."""
    create_private(str(path))
    older = SCHEMA_VERSION - 1
    execute(path, "PRAGMA journal_mode = WAL", *(each for version in MIGRATIONS[:older] for each in version))
    execute(path, f"PRAGMA user_version = {older}")

    assert [("FS168", str(path))] == await found(config(store=f"sqlite:///{path}"))
    assert [(older,)] == execute(path, "PRAGMA user_version")


async def test_a_file_in_use(deployment: SessionConfig, path: Path) -> None:
    """A look at a file that is open elsewhere disturbs nobody, and leaves no file behind."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        assert [] == await found(deployment)
        db.execute("ROLLBACK")

    assert {path.name} == {each.name for each in path.parent.iterdir()}


def test_the_disks_of_this_machine(tmp_path: Path) -> None:
    """What is known of them is what the system says."""
    disks = Disks.of_this_machine()

    assert disks.free(tmp_path) > 0
    assert ("/proc" in disks.mounts) == Path("/proc/mounts").exists()
    assert None is Disks("", disks.free).kind(tmp_path)
