"""What happens on the thread of a SQLite connection: jobs that wait are done together.

Reads come first, outside of any transaction, then the writes in one transaction, so that concurrent writers share the price of
a commit.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

from fastapi_session.stores.sqlite.fast_path import FastPath
from fastapi_session.stores.sqlite.presence import WATCH_EVERY, FileGone, OpenFiles, Presence

LARGEST_GROUP = 256
"""How many jobs go to the thread at once, and how many make it take no more: no writer waits for twice as many."""


@dataclass(slots=True, eq=False)
class Job:
    """What one caller wants done on the connection, and in the end its result."""

    work: Callable[[sqlite3.Connection], object]
    writes: bool
    future: asyncio.Future[Any]
    result: object = None
    error: Exception | None = None

    def run(self, connection: sqlite3.Connection) -> None:
        """Do the work on *connection*. A failure is this job's alone: SQLite undoes a failed statement, and only that."""
        try:
            self.result = self.work(connection)
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to the caller and not to the thread
            self.error = error

    @property
    def was_read_only(self) -> bool:
        """Whether the file could not be written. SQLite refuses every later write on the connection too, whatever becomes of the file."""
        return str(getattr(self.error, "sqlite_errorname", "")).startswith("SQLITE_READONLY")

    def settle(self) -> None:
        """Hand the result to the caller, unless the caller has been cancelled."""
        if self.future.done():
            return
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.error)


Jobs = SimpleQueue[Sequence[Job] | None]
"""Jobs in the order they came, those of one turn of an event loop together; `None` is the end."""


class Worker:
    """Does jobs on the thread. A connection that could not begin or commit is closed, and the next one opened."""

    def __init__(
        self, connect: Callable[[], sqlite3.Connection], *, opened: Callable[[], OpenFiles], fast_path: FastPath
    ) -> None:
        self._connect = connect
        self._fast_path = fast_path
        self._opened = opened
        self._connection: sqlite3.Connection | None = None
        self._files: OpenFiles | None = None
        self._looks_at = 0.0

    def run(self, jobs: Jobs) -> None:
        """Do *jobs* until their end."""
        more = True
        while more:
            # In a function of its own, so that nothing of this group is held on to while the next is awaited.
            more = self._do_next(jobs)
        self._disconnect()

    def _do_next(self, jobs: Jobs) -> bool:
        """Do what is waiting, as soon as anything is, and say whether there is more to come."""
        group, ended = take(jobs)
        self._do([job for job in group if not job.writes], read_all)
        self._do([job for job in group if job.writes], write_all)
        return not ended

    def _do(self, group: Sequence[Job], do_all: Callable[[sqlite3.Connection, Sequence[Job]], None]) -> None:
        if not group:
            return
        try:
            do_all(self._ready(), group)
            if any(job.was_read_only for job in group):
                self._disconnect()
        except Exception as error:  # noqa: BLE001 - it is raised for the callers, and the thread goes on
            for job in group:
                job.error = error
            if not isinstance(error, FileGone):  # its connection still holds what is in no file
                self._disconnect()
        wake(group)

    def _ready(self) -> sqlite3.Connection:
        """Return a connection to the file that is there now. Raises `FileGone` if the one that was opened is not."""
        if self._files is not None and (self._connection is None or time.monotonic() >= self._looks_at):
            self._look(self._files)
        if self._connection is None:
            self._connection = self._connect()
            self._files = self._opened()
        return self._connection

    def _look(self, files: OpenFiles) -> None:
        if self._connection is None:
            files.ensure_there()  # a file that is made anew here would be empty, and nobody would know
            return
        if files.presence() is Presence.REPLACED:
            self._disconnect()
        files.ensure_whole()
        self._looks_at = time.monotonic() + WATCH_EVERY
        if self._connection is not None:
            self._fast_path.keep_open(files)

    def _disconnect(self) -> None:
        self._fast_path.close()  # before the last connection, which has the log to clear away
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def take(jobs: Jobs) -> tuple[Sequence[Job], bool]:
    """Wait for a job, then take all that are there, and say whether the end was among them."""
    group: list[Job] = []
    while not group or (len(group) < LARGEST_GROUP and not jobs.empty()):
        together = jobs.get()
        if together is None:
            return group, True
        group.extend(together)
    return group, False


def read_all(connection: sqlite3.Connection, group: Sequence[Job]) -> None:
    """Do the reads of *group*, each of what is committed at its moment."""
    for job in group:
        job.run(connection)


def write_all(connection: sqlite3.Connection, group: Sequence[Job]) -> None:
    """Do the writes of *group* in one transaction.

    Raises sqlite3.Error if it could not begin or commit. If SQLite itself gave up the transaction in the middle
    (a full disk), the commit fails, and with it every job of the group.
    """
    connection.execute("BEGIN IMMEDIATE")
    for job in group:
        job.run(connection)
    connection.execute("COMMIT")


def wake(group: Sequence[Job]) -> None:
    """Settle the jobs of *group*, with one wake-up for each event loop, however many of its tasks wait."""
    waiting: dict[asyncio.AbstractEventLoop, list[Job]] = {}
    for job in group:
        waiting.setdefault(job.future.get_loop(), []).append(job)
    for loop, jobs in waiting.items():
        with suppress(RuntimeError):  # the loop has been closed meanwhile, and nobody waits any more
            loop.call_soon_threadsafe(settle_all, jobs)


def settle_all(group: Sequence[Job]) -> None:
    """Hand their results to the callers of *group*, on their own event loop."""
    for job in group:
        job.settle()
