"""One thread that owns one SQLite connection, and answers coroutines of any event loop.

A question that is alone goes to the thread at once, with one hop there and one back. What is asked while others wait
for an answer goes at the end of the event loop's turn, together: a thread that began at each would quarrel with the other
tasks over the interpreter. All that is waiting is answered at once: reads first, outside of any transaction, then the
writes in one transaction, so that concurrent writers share the price of a commit.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, TypeVar

from fastapi_session.errors import StoreUnavailable

T = TypeVar("T")

LARGEST_GROUP = 256
"""How many questions go to the thread at once, and how many make it take no more: no writer waits for twice as many."""


@dataclass(slots=True, eq=False)
class Question:
    """What one caller asks of the database, and in the end the answer."""

    ask: Callable[[sqlite3.Connection], Any]
    writes: bool
    future: asyncio.Future[Any]
    answer: Any = None
    error: Exception | None = None

    def put(self, connection: sqlite3.Connection) -> None:
        """Ask *connection*. A failure is this question's alone: SQLite undoes a failed statement, and only that."""
        try:
            self.answer = self.ask(connection)
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to the caller and not to the thread
            self.error = error

    @property
    def was_read_only(self) -> bool:
        """Whether the file could not be written. A connection that was refused so goes on to be, whatever becomes of the file."""
        return str(getattr(self.error, "sqlite_errorname", "")).startswith("SQLITE_READONLY")

    def settle(self) -> None:
        """Hand the answer to the caller, unless the caller has been cancelled."""
        if self.future.done():
            return
        if self.error is None:
            self.future.set_result(self.answer)
        else:
            self.future.set_exception(self.error)


Questions = SimpleQueue[Sequence[Question] | None]
"""What was asked together, in the order it came; `None` is the end."""


class SqliteThread:
    """Puts questions to a connection that *connect* opens on a thread of its own, when the first question comes."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._questions = Questions()
        self._asked: dict[asyncio.AbstractEventLoop, list[Question]] = {}
        # How many callers wait. Event loops on several threads or a fork may miscount it: that costs a turn, no answer.
        self._waiting = 0

    async def read(self, ask: Callable[[sqlite3.Connection], T]) -> T:
        """Answer what *ask* reads from the connection. Raises StoreUnavailable for any failure of SQLite."""
        return await self._put(ask, writes=False)

    async def write(self, ask: Callable[[sqlite3.Connection], T]) -> T:
        """Answer what *ask* wrote, as soon as it is committed. Raises StoreUnavailable for any failure of SQLite.

        *ask* runs inside a write transaction that others share. If it has several statements, it sees to it
        that they are undone together.
        """
        return await self._put(ask, writes=True)

    async def close(self) -> None:
        """Answer what was asked so far, then close the connection and end the thread. The next question opens anew."""
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
            target=Answering(self._connect).run, args=(self._questions,), name="fastapi_session.sqlite", daemon=True
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


class Answering:
    """What happens on the thread. A connection that could not begin or commit is closed, and the next one opened."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._connection: sqlite3.Connection | None = None

    def run(self, questions: Questions) -> None:
        """Answer *questions* until their end."""
        more = True
        while more:
            # In a function of its own, so that nothing of this group is held on to while the next is awaited.
            more = self._answer_next(questions)
        self._disconnect()

    def _answer_next(self, questions: Questions) -> bool:
        """Answer what is waiting, as soon as anything is, and say whether there is more to come."""
        group, ended = take(questions)
        self._answer([question for question in group if not question.writes], read_all)
        self._answer([question for question in group if question.writes], write_all)
        return not ended

    def _answer(
        self, group: Sequence[Question], answer_all: Callable[[sqlite3.Connection, Sequence[Question]], None]
    ) -> None:
        if not group:
            return
        try:
            if self._connection is None:
                self._connection = self._connect()
            answer_all(self._connection, group)
            if any(question.was_read_only for question in group):
                self._disconnect()
        except Exception as error:  # noqa: BLE001 - the callers are told, and the thread goes on
            for question in group:
                question.error = error
            self._disconnect()
        wake(group)

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def take(questions: Questions) -> tuple[Sequence[Question], bool]:
    """Wait for a question, then take all that are there, and say whether the end was among them."""
    group: list[Question] = []
    while not group or (len(group) < LARGEST_GROUP and not questions.empty()):
        together = questions.get()
        if together is None:
            return group, True
        group.extend(together)
    return group, False


def read_all(connection: sqlite3.Connection, group: Sequence[Question]) -> None:
    """Answer every question of *group*, each with what is committed at its moment."""
    for question in group:
        question.put(connection)


def write_all(connection: sqlite3.Connection, group: Sequence[Question]) -> None:
    """Answer every question of *group* in one transaction.

    Raises sqlite3.Error where it could not begin or commit. If SQLite itself gave up the transaction in the middle
    (a full disk), the commit fails, and with it every question of the group.
    """
    connection.execute("BEGIN IMMEDIATE")
    for question in group:
        question.put(connection)
    connection.execute("COMMIT")


def wake(group: Sequence[Question]) -> None:
    """Settle the questions of *group*, with one wake-up for each event loop, however many of its tasks wait."""
    waiting: dict[asyncio.AbstractEventLoop, list[Question]] = {}
    for question in group:
        waiting.setdefault(question.future.get_loop(), []).append(question)
    for loop, questions in waiting.items():
        with suppress(RuntimeError):  # the loop has been closed meanwhile, and nobody waits any more
            loop.call_soon_threadsafe(settle_all, questions)


def settle_all(group: Sequence[Question]) -> None:
    """Hand their answers to the callers of *group*, on their own event loop."""
    for question in group:
        question.settle()
