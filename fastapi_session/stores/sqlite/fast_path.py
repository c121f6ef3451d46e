"""The fast path: a row is read or written on the thread of its caller, as long as nothing there would wait.

A row takes SQLite a few microseconds, and the hop to the thread that owns the other connection and back a hundred. The fast path
has a connection of its own, which never waits for a lock:

| the fast path | then |
|---|---|
| is not open yet, or has just failed | the thread does it |
| finds at its look at the files that they are not those that it opened | the thread does it, and sees what became of them |
| is in use by an event loop of another thread | the thread does it |
| has written `IN_A_ROW` times | the thread does `THREAD_WRITES` writes |
| finds the file locked by another process, or a row that is large | nothing is done, and the thread does it |
| fails in any other way | what was begun is undone, the thread does it, and its outcome counts |
| was slower than an event loop bears: a disk that hangs | the result counts, and the thread does everything for a while |

So the event loop waits for nobody's lock. The thread has its turn since it copies the log into the database, which takes long and
flushes the disk. Reads have no need of it, and it may be waiting for another process: the caller sees to it that the loop turns.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from fastapi_session.stores.sqlite.presence import WATCH_EVERY, OpenFiles, Presence

T = TypeVar("T")

Work = Callable[[sqlite3.Connection], T]
"""What is to be done on a connection."""

IN_A_ROW = 128
"""How many writes take the fast path before the thread does some."""

THREAD_WRITES = 2
"""How many writes the thread does then: the first copies the log into the database, the second begins the log anew. Both flush the disk."""

UNBEARABLE = 0.05
"""Seconds that one of them may take at most, or the disk is too slow for the fast path."""

REST = 1.0
"""Seconds for which the thread does everything after such a one, and after a failure."""

LARGEST = 16 * 1024
"""Bytes of a row or a value: larger ones go to the thread."""

_HARMLESS = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_CONSTRAINT}
"""Codes of errors that say nothing about the connection. Those that Python raises have no code."""

_INHERITED: list[sqlite3.Connection] = []
"""Connections of the process that this one was forked from. They are held on to, since letting go would close them."""


class FastPath:
    """A connection that callers use at once, each on its own thread, and for which none waits.

    The thread that has the other connection to the same file opens it by *connect*, which returns `None` if there can be none, and
    closes it before its own: the last one that closes has the log to clear away.
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection | None]) -> None:
        self._connect = connect
        # Its holder uses the connection. Only the thread waits for it.
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._files: OpenFiles | None = None
        self._looks_at = 0.0
        self._rests_until = 0.0
        self._writes = 0

    def read(self, work: Work[T]) -> tuple[T] | None:
        """Return the result of *work*, which reads, in a tuple; `None` if it is for the thread."""
        return self._do(work)

    def write(self, work: Work[T]) -> tuple[T] | None:
        """Return the result of *work*, as it was committed, in a tuple; `None` if nothing was written, and it is for the thread."""

        def write(connection: sqlite3.Connection) -> T:
            connection.execute("BEGIN IMMEDIATE")
            result = work(connection)
            connection.execute("COMMIT")
            return result

        return self._do(write, writes=True)

    def keep_open(self, files: OpenFiles) -> None:
        """Open the connection to *files*, which were just found to be there, if it is closed."""
        with self._lock:
            if self._connection is None:
                with suppress(sqlite3.Error):  # without it, the thread does everything
                    self._connection = self._connect()
            self._files = files
            self._looks_at = time.monotonic() + WATCH_EVERY

    def close(self) -> None:
        """Close the connection, as soon as nobody uses it."""
        with self._lock:
            self._drop()

    def leave_alone(self) -> None:
        """Never close the connection: this process is a fork, to which SQLite allows neither to use nor to close it."""
        if self._connection is not None:
            _INHERITED.append(self._connection)

    def _do(self, work: Work[T], *, writes: bool = False) -> tuple[T] | None:
        if not self._lock.acquire(blocking=False):
            return None
        try:
            began = time.monotonic()
            if self._connection is None or began < self._rests_until or self._are_gone(began):
                return None
            if writes and self._is_of_thread():
                return None
            result = self._try(self._connection, work)
            if time.monotonic() - began >= UNBEARABLE:
                self._rest()
            return result
        finally:
            self._lock.release()

    def _is_of_thread(self) -> bool:
        """Count a write, and say whether it is the thread's."""
        self._writes = self._writes % (IN_A_ROW + THREAD_WRITES) + 1
        return self._writes > IN_A_ROW

    def _are_gone(self, now: float) -> bool:
        """Look at the files, if it is time to. Here too, since the thread may be waiting for the lock of another process."""
        if now < self._looks_at or self._files is None:
            return False
        if self._files.presence() is not Presence.WHOLE:
            return True
        self._looks_at = now + WATCH_EVERY
        return False

    def _try(self, connection: sqlite3.Connection, work: Work[T]) -> tuple[T] | None:
        try:
            return (work(connection),)
        except BaseException as error:
            with suppress(sqlite3.Error):
                connection.rollback()
            if connection.in_transaction or not _is_harmless(error):
                self._drop()
                self._rest()
            if not isinstance(error, Exception):  # Ctrl-C, on the main thread
                raise
            return None

    def _rest(self) -> None:
        self._rests_until = time.monotonic() + REST

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _is_harmless(error: BaseException) -> bool:
    """Say whether the connection may be used again."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is None or code & 0xFF in _HARMLESS
