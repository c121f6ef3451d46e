"""Whether the open files of a database are still those that its names lead to.

SQLite does not notice that a file was deleted or replaced while it is open: it goes on with what nobody else can see, and
what it writes is gone with the process. Closing such a file harms nothing: SQLite then neither writes nor deletes by name.

| the database | its log and index (`-wal`, `-shm`) | |
|---|---|---|
| is the one that is open | are the ones that are open | whole |
| is another one | are other ones, or not there | replaced: made anew by a process that was started since, or restored |
| is another one | are still the open ones | gone: they belong to another database, and would spoil this one |
| is the one that is open | are other ones, or not there | gone: what was written last is in none that can be opened |
| is not there | | gone, until it is back |
"""

from __future__ import annotations

import logging
import os
from enum import Enum, auto
from pathlib import Path

logger = logging.getLogger("fastapi_session")

WATCH_EVERY = 1.0
"""Seconds between two looks at whether the open files are still there: a look is three system calls."""

Identity = tuple[int, int] | None
"""Device and number of the file that a name leads to, `None` if it leads to none."""


class Presence(Enum):
    """What has become of a database while it was open."""

    WHOLE = auto()
    REPLACED = auto()
    GONE = auto()


class FileGone(OSError):
    """The database was deleted or replaced while it was open."""


class OpenFiles:
    """The files of the database at *path*, as they are now that it is open."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._opened = self._identities()
        self._told = False

    def presence(self) -> Presence:
        """Return what has become of the database."""
        now = self._identities()
        if now == self._opened:
            return Presence.WHOLE
        (database, *beside), (opened, *opened_beside) = now, self._opened
        is_replaced = database not in (None, opened) and not {*beside} & {*opened_beside} - {None}
        return Presence.REPLACED if is_replaced else Presence.GONE

    def ensure_there(self) -> None:
        """Raise `FileGone`, and log it once, if the database is not there, though it has been."""
        self._ensure(is_gone=_identity(self._path) is None)

    def ensure_whole(self) -> None:
        """Raise `FileGone`, and log it once, if the database is gone while it is open."""
        self._ensure(is_gone=self.presence() is Presence.GONE)

    def _ensure(self, *, is_gone: bool) -> None:
        if not is_gone:
            self._told = False
            return
        if not self._told:
            logger.error(
                "the database %s, or a file beside it, was deleted or replaced while it is open: there are no sessions "
                "until it is back; otherwise restart every process that uses it",
                self._path,
            )
        self._told = True
        raise FileGone

    def _identities(self) -> tuple[Identity, ...]:
        # Each time anew, as a link may lead elsewhere by now. SQLite keeps what is beside at the end of the links.
        database = os.path.realpath(self._path)
        return tuple(_identity(f"{database}{ending}") for ending in ("", "-wal", "-shm"))


def _identity(name: str) -> Identity:
    try:
        status = Path(name).stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
