"""What happens on the thread of a SQLite connection: who asks together is answered together.

All that is waiting is answered at once: reads first, outside of any transaction, then the writes in one transaction, so that
concurrent writers share the price of a commit.
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

from fastapi_session.stores.sqlite.presence import FileGone, OpenFiles, Presence

LARGEST_GROUP = 256
"""How many questions go to the thread at once, and how many make it take no more: no writer waits for twice as many."""

WATCH_EVERY = 1.0
"""Seconds between two looks at whether the open files are still there: a look is three system calls."""


@dataclass(slots=True, eq=False)
class Question:
    """What one caller asks of the database, and in the end the answer."""

    ask: Callable[[sqlite3.Connection], object]
    writes: bool
    future: asyncio.Future[Any]
    answer: object = None
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


class Answering:
    """What happens on the thread. A connection that could not begin or commit is closed, and the next one opened."""

    def __init__(self, connect: Callable[[], sqlite3.Connection], *, opened: Callable[[], OpenFiles]) -> None:
        self._connect = connect
        self._opened = opened
        self._connection: sqlite3.Connection | None = None
        self._files: OpenFiles | None = None
        self._looks_at = 0.0

    def run(self, questions: Questions) -> None:
        """Return *questions* until their end."""
        more = True
        while more:
            # In a function of its own, so that nothing of this group is held on to while the next is awaited.
            more = self._answer_next(questions)
        self._disconnect()

    def _answer_next(self, questions: Questions) -> bool:
        """Return what is waiting, as soon as anything is, and say whether there is more to come."""
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
            answer_all(self._ready(), group)
            if any(question.was_read_only for question in group):
                self._disconnect()
        except Exception as error:  # noqa: BLE001 - the callers are told, and the thread goes on
            for question in group:
                question.error = error
            if not isinstance(error, FileGone):  # whose connection has what is nowhere else
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
    """Return every question of *group*, each with what is committed at its moment."""
    for question in group:
        question.put(connection)


def write_all(connection: sqlite3.Connection, group: Sequence[Question]) -> None:
    """Return every question of *group* in one transaction.

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
