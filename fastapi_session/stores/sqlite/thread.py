"""One thread that owns one SQLite connection, and answers coroutines of any event loop.

A question that is alone goes to the thread at once, with one hop there and one back. What is asked while others wait
for an answer goes at the end of the event loop's turn, together: a thread that began at each would quarrel with the other
tasks over the interpreter. What the thread does with them, `answering` tells.
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
from fastapi_session.stores.sqlite.answering import LARGEST_GROUP, Answering, Question, Questions
from fastapi_session.stores.sqlite.presence import OpenFiles

T = TypeVar("T")


class SqliteThread:
    """Puts questions to a connection that *connect* opens on a thread of its own, when the first question comes.

    The files that *opened* names are watched meanwhile.
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection], *, opened: Callable[[], OpenFiles]) -> None:
        self._connect = connect
        self._opened = opened
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._questions = Questions()
        self._asked: dict[asyncio.AbstractEventLoop, list[Question]] = {}
        # How many callers wait. Event loops on several threads or a fork may miscount it: that costs a turn, no answer.
        self._waiting = 0

    async def read(self, ask: Callable[[sqlite3.Connection], T]) -> T:
        """Return what *ask* reads from the connection. Raises StoreUnavailable for any failure of SQLite."""
        return await self._put(ask, writes=False)

    async def write(self, ask: Callable[[sqlite3.Connection], T]) -> T:
        """Return what *ask* wrote, as soon as it is committed. Raises StoreUnavailable for any failure of SQLite.

        *ask* runs inside a write transaction that others share. If it has several statements, it sees to it
        that they are undone together.
        """
        return await self._put(ask, writes=True)

    async def close(self) -> None:
        """Return what was asked so far, then close the connection and end the thread. The next question opens anew."""
        self._hand_over(asyncio.get_running_loop())
        with self._lock:
            thread, self._thread = self._thread, None
            self._questions.put(None)
            self._questions = Questions()
        if thread is not None:
            await asyncio.to_thread(thread.join)

    async def _put(self, ask: Callable[[sqlite3.Connection], T], *, writes: bool) -> T:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        asked = self._asked.setdefault(loop, [])
        asked.append(Question(ask, writes, future))
        self._waiting += 1
        try:
            if self._waiting == 1:
                self._hand_over(loop)
            elif len(asked) == 1:
                loop.call_soon(self._hand_over, loop)
            return await future
        except (sqlite3.Error, OSError) as error:
            # The name alone: some messages of SQLite quote the value that they complain about.
            reason = getattr(error, "sqlite_errorname", type(error).__name__)
            raise StoreUnavailable(f"SQLite failed: {reason}") from error
        finally:
            self._waiting -= 1

    def _hand_over(self, loop: asyncio.AbstractEventLoop) -> None:
        """Give the thread what has been asked on *loop* and was not given to it before."""
        self._after_fork()
        asked = self._asked.pop(loop, [])
        with self._lock:
            for first in range(0, len(asked), LARGEST_GROUP):
                self._questions.put(asked[first : first + LARGEST_GROUP])
            if asked and self._thread is None:
                self._thread = self._start()

    def _start(self) -> threading.Thread:
        # A daemon, so that a program which forgets to close still ends; what was answered is committed.
        thread = threading.Thread(
            target=Answering(self._connect, opened=self._opened).run,
            args=(self._questions,),
            name="fastapi_session.sqlite",
            daemon=True,
        )
        thread.start()
        # A store that is dropped without being closed, as in an application that a test throws away, ends its thread.
        weakref.finalize(self, self._questions.put, None).atexit = False
        return thread

    def _after_fork(self) -> None:
        """Start afresh in a forked child: the thread is gone, and the lock may be held by another that is gone too.

        The inherited connection is left alone: SQLite allows a child neither to use nor to close it.
        """
        if self._pid != os.getpid():
            self._pid = os.getpid()
            self._lock = threading.Lock()
            self._thread = None
            self._questions = Questions()
