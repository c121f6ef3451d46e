"""One thread that owns one SQLite connection, and works for coroutines of any event loop.

A job that is alone goes to the thread at once, with one hop there and one back. Jobs that come while others wait go at the end
of the event loop's turn, together: a thread that woke for each would contend with the other tasks for the GIL. What the thread
does with them is in `worker`.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
import weakref
from collections.abc import Callable
from typing import TypeVar

from fastapi_session.errors import StoreUnavailable
from fastapi_session.stores.sqlite.fast_path import FastPath, Work
from fastapi_session.stores.sqlite.presence import OpenFiles
from fastapi_session.stores.sqlite.worker import LARGEST_GROUP, Job, Jobs, Worker

T = TypeVar("T")

READS_IN_A_ROW = 128
"""How many rows are read before the event loop turns: a task that reads again and again must leave it to others."""


class SqliteThread:
    """Brings work to a connection that *connect* opens on a thread of its own, when the first job comes.

    The files that *opened* names are watched meanwhile.
    """

    def __init__(
        self,
        connect: Callable[[], sqlite3.Connection],
        *,
        connect_beside: Callable[[], sqlite3.Connection | None],
        opened: Callable[[], OpenFiles],
    ) -> None:
        self._connect = connect
        self._connect_beside = connect_beside
        self._opened = opened
        self._fast_path = FastPath(connect_beside)
        self._pid = os.getpid()
        # The lock guards `_thread` and `_jobs`: that no job is put after the last one of a thread.
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._jobs = Jobs()
        # No lock: each event loop has its own list, and changes it in its own thread.
        self._jobs_by_loop: dict[asyncio.AbstractEventLoop, list[Job]] = {}
        # How many callers wait. Event loops on several threads or a fork may miscount it: that costs a turn, no result.
        self._waiting = 0
        self._reads = 0

    async def read(self, work: Work[T]) -> T:
        """Return what *work* reads from the connection. Raises StoreUnavailable for any failure of SQLite."""
        return await self._put(work, writes=False)

    async def write(self, work: Work[T]) -> T:
        """Return what *work* returns, as soon as it is committed. Raises StoreUnavailable for any failure of SQLite.

        *work* runs inside a write transaction that others share. If it has several statements, it sees to it
        that they are undone together.
        """
        return await self._put(work, writes=True)

    async def read_row(self, work: Work[T]) -> T:
        """As `read`, of a row: without the thread if nothing would wait. *work* may be done twice."""
        self._after_fork()
        self._reads += 1
        if self._reads % READS_IN_A_ROW == 0:
            await asyncio.sleep(0)  # not by the thread, which may be waiting for the lock of another process
        done = self._fast_path.read(work)
        return await self._put(work, writes=False) if done is None else done[0]

    async def write_row(self, work: Work[T]) -> T:
        """As `write`, of a row: without the thread if nothing would wait, and nobody else does. *work* may be done twice, and is committed once."""
        self._after_fork()
        done = None if self._waiting else self._fast_path.write(work)
        if done is None:
            return await self._put(work, writes=True)
        # A caller that writes in the same turn is not alone: it goes to the thread, with all others of the turn.
        self._waiting += 1
        try:
            await asyncio.sleep(0)
        finally:
            self._waiting -= 1
        return done[0]

    async def close(self) -> None:
        """Do the jobs that came so far, then close the connection and end the thread. The next job opens another one."""
        self._hand_over(asyncio.get_running_loop())
        with self._lock:
            thread, self._thread = self._thread, None
            self._jobs.put(None)
            self._jobs = Jobs()
        if thread is not None:
            await asyncio.to_thread(thread.join)

    async def _put(self, work: Work[T], *, writes: bool) -> T:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        jobs = self._jobs_by_loop.setdefault(loop, [])
        jobs.append(Job(work, writes, future))
        self._waiting += 1
        try:
            if self._waiting == 1:
                self._hand_over(loop)
            elif len(jobs) == 1:
                loop.call_soon(self._hand_over, loop)
            return await future
        except (sqlite3.Error, OSError) as error:
            # The name alone: some messages of SQLite quote the value that they complain about.
            reason = getattr(error, "sqlite_errorname", type(error).__name__)
            raise StoreUnavailable(f"SQLite failed: {reason}") from error
        finally:
            self._waiting -= 1

    def _hand_over(self, loop: asyncio.AbstractEventLoop) -> None:
        """Give the thread the jobs of *loop* that it does not have yet."""
        self._after_fork()
        jobs = self._jobs_by_loop.pop(loop, [])
        with self._lock:
            for first in range(0, len(jobs), LARGEST_GROUP):
                self._jobs.put(jobs[first : first + LARGEST_GROUP])
            if jobs and self._thread is None:
                self._thread = self._start()

    def _start(self) -> threading.Thread:
        # A daemon, so that a program which forgets to close still ends; what was returned is committed.
        thread = threading.Thread(
            target=Worker(self._connect, opened=self._opened, fast_path=self._fast_path).run,
            args=(self._jobs,),
            name="fastapi_session.sqlite",
            daemon=True,
        )
        thread.start()
        # A store that is dropped without being closed, as in an application that a test throws away, ends its thread.
        weakref.finalize(self, self._jobs.put, None).atexit = False
        return thread

    def _after_fork(self) -> None:
        """Start afresh in a forked child: the thread is gone, and the lock may be held by another that is gone too.

        The inherited connection is left alone: SQLite allows a child neither to use nor to close it.
        """
        if self._pid != os.getpid():
            self._pid = os.getpid()
            self._lock = threading.Lock()
            self._thread = None
            self._jobs = Jobs()
            self._fast_path.leave_alone()
            self._fast_path = FastPath(self._connect_beside)
