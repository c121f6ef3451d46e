"""Temporary files in memory: what a test writes need not outlive a power cut, and a disk makes it wait for each flush."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

DISK = Path("/dev/shm")
"""Where Linux keeps files in memory."""
ROOM = 2 * 1024**3
"""Bytes that must be free there: a server of each kind for each worker, and what tests leave until they end."""


def suits(disk: Path) -> bool:
    """Say whether *disk* has the room, and lets programs run that tests put there."""
    try:
        told = os.statvfs(disk)
    except OSError:
        return False
    return told.f_bavail * told.f_frsize >= ROOM and not told.f_flag & os.ST_NOEXEC


def use() -> None:
    """Let this process and those that it starts put temporary files in memory, unless TMPDIR already says where."""
    if "TMPDIR" not in os.environ and suits(DISK):
        os.environ["TMPDIR"] = str(DISK)
        tempfile.tempdir = None  # it may have been looked up before
