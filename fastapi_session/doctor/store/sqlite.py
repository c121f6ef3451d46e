"""The SQLite file: where it is, who may read it, and whether SQLite can keep it whole there.

| id | looks at | level |
|---|---|---|
| FS161 | a file on a network file system | error |
| FS162 | a journal that is no write-ahead log | warning |
| FS163 | a disk that is nearly full | warning |
| FS164 | a file that is damaged | error |
| FS165 | a file that others can read or write | warning |
| FS166 | a file in a folder for temporary files, or on a disk in memory | warning |
| FS167 | a file further below such a folder | info |
| FS168 | tables of an older version | info |
| FS169 | a file in the writable layer of a container | warning |

What is mounted where is known on Linux alone. Damage is looked for in files up to 100 MB.
"""

from __future__ import annotations

import re
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from fastapi_session.doctor.finding import Check, Finding, Level
from fastapi_session.stores.facts import SqliteFacts

LEAST_FREE = 100 * 1024**2
"""Bytes that a disk has free at least; or as many as the file has, since its log, or a backup of it, may need that."""

_REMOTE = re.compile(
    r"nfs\d?|cifs|smb\d?|smbfs|afs|ceph|lustre|glusterfs|fuse\.(sshfs|s3fs|gcsfuse|rclone|glusterfs|ceph|goofys|mount-s3|blobfuse\d?)"
)
_IN_MEMORY = {"tmpfs", "ramfs"}
_LAYERS = {"overlay", "aufs", "fuse.fuse-overlayfs"}
"""File systems in which a container writes what is on no volume."""
_TEMPORARY = ("/tmp", "/var/tmp", "/dev/shm", "/run")  # noqa: S108 - nothing is written there

REMOTE = Check(
    "FS161",
    Level.ERROR,
    "the file is on a network file system, where SQLite's locks do not hold and two processes can damage it",
    "keep it on a disk of this machine, or use PostgreSQL, MariaDB, Redis or Valkey",
)
NO_LOG = Check(
    "FS162",
    Level.WARNING,
    "the file has no write-ahead log, so readers and writers wait for one another and for the disk",
    "stop the application, and run PRAGMA journal_mode = WAL on the file",
)
FULL = Check(
    "FS163",
    Level.WARNING,
    "the disk of the file is nearly full, and then sign-ins and refreshes are a 503",
    "make room, or move the file to another disk while the application is stopped",
)
DAMAGED = Check(
    "FS164",
    Level.ERROR,
    "the file is damaged",
    "stop the application, keep a copy, and restore a backup or delete the file with its -wal and -shm",
)
READABLE = Check(
    "FS165",
    Level.WARNING,
    "other users of this machine can read or write the file, which has the data of all sessions",
    "chmod 600 the file, and its -wal and -shm",
)
TEMPORARY = Check(
    "FS166",
    Level.WARNING,
    "the file is where files do not last, so a restart of the machine or a clean-up ends all sessions",
    "keep it in a folder of the application, such as /var/lib/app",
)
BELOW_TEMPORARY = Check(
    "FS167",
    Level.INFO,
    "the file is below a folder for temporary files, where it may not last",
    "keep it in a folder of the application, such as /var/lib/app",
)
OLDER = Check(
    "FS168",
    Level.INFO,
    "the tables are those of an older version, so nothing more of the store was looked at",
    "start the application with this version, which brings them up to date",
)
IN_LAYER = Check(
    "FS169",
    Level.WARNING,
    "the file is in a container and on no volume, so it goes with the container, and all sessions with it",
    "mount a volume for its folder, as by docker run -v sessions:/data with FASTAPI_SESSION_STORE=sqlite:////data/sessions.db",
)

CHECKS = (REMOTE, NO_LOG, FULL, DAMAGED, READABLE, TEMPORARY, BELOW_TEMPORARY, OLDER, IN_LAYER)


@dataclass(frozen=True, slots=True)
class Disks:
    """What is known of the disks of a machine: what is mounted where, as Linux lists it, and how many bytes are free for a path."""

    mounts: str
    free: Callable[[Path], int]

    @classmethod
    def of_this_machine(cls) -> Disks:
        """Return what is known here."""
        try:
            mounts = Path("/proc/mounts").read_text("utf-8", "replace")
        except OSError:  # another system than Linux
            mounts = ""
        return cls(mounts, lambda path: shutil.disk_usage(path).free)

    def kind(self, path: Path) -> tuple[Path, str] | None:
        """Return where the file system of *path* is mounted, and its kind; `None` if that is not known."""
        found = [line.split()[1:3] for line in self.mounts.splitlines() if len(line.split()) > 2]
        # The last one comes first: it covers those that were mounted at the same place before.
        places = [(Path(_unescaped(place)), kind) for place, kind in reversed(found)]
        return max(
            (each for each in places if path.is_relative_to(each[0])), key=lambda each: len(each[0].parts), default=None
        )


def sqlite_findings(facts: SqliteFacts, *, disks: Disks) -> Iterator[Finding]:
    """Yield what is wrong with the file of *facts*, which is on one of *disks*."""
    path = facts.path.resolve()
    yield from _place(path, disks)
    if facts.is_current and facts.journal != "wal":  # one with older tables gets its log with the new ones
        yield NO_LOG.found(f"{path} has journal_mode {facts.journal}")
    if (free := disks.free(path)) < max(LEAST_FREE, facts.size):
        yield FULL.found(f"{free // 1024**2} MB are free for {path}, which has {facts.size // 1024**2} MB")
    if facts.damage is not None:
        yield DAMAGED.found(f"{path}: {facts.damage}")
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & stat.S_IRWXO:
        yield READABLE.found(f"{path} has mode {mode:04o}")
    if not facts.is_current:
        yield OLDER.found(str(path))


def _place(path: Path, disks: Disks) -> Iterator[Finding]:
    place, kind = disks.kind(path) or (Path("/"), "")
    folders = {Path(each).resolve() for each in (*_TEMPORARY, tempfile.gettempdir())}
    if _REMOTE.fullmatch(kind):
        yield REMOTE.found(f"{path} is on {kind}, mounted at {place}")
    elif path.parent in folders or (kind in _IN_MEMORY and place not in folders):
        yield TEMPORARY.found(f"{path}, on {kind or 'an unknown file system'}")
    elif kind in _LAYERS:
        yield IN_LAYER.found(f"{path}, on {kind}")
    elif any(path.is_relative_to(each) for each in folders):
        yield BELOW_TEMPORARY.found(str(path))


def _unescaped(place: str) -> str:
    """Return *place* as the file system has it: Linux writes blanks and backslashes as octal numbers."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), place)
