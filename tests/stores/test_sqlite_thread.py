"""The thread behind `SqliteStore` commits in groups, isolates what fails, and survives its callers."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from fastapi_session.errors import StoreUnavailable
from fastapi_session.stores.sqlite.presence import OpenFiles
from fastapi_session.stores.sqlite.thread import SqliteThread
from fastapi_session.stores.sqlite.worker import LARGEST_GROUP

Statements = list[str]


@pytest.fixture
def executed() -> Statements:
    """Every statement that SQLite has executed, as it reports them itself."""
    return []


@pytest.fixture
def connect(tmp_path: Path, executed: Statements) -> Callable[[], sqlite3.Connection]:
    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(tmp_path / "numbers.db", isolation_level=None, timeout=0.05)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE IF NOT EXISTS number (n INTEGER PRIMARY KEY)")
        connection.set_trace_callback(executed.append)
        return connection

    return connect


@pytest.fixture
def files(tmp_path: Path) -> Callable[[], OpenFiles]:
    return lambda: OpenFiles(str(tmp_path / "numbers.db"))


@pytest.fixture
async def thread(
    connect: Callable[[], sqlite3.Connection], files: Callable[[], OpenFiles]
) -> AsyncIterator[SqliteThread]:
    thread = SqliteThread(connect, connect_beside=lambda: None, opened=files)
    yield thread
    await thread.close()


def insert(n: int) -> Callable[[sqlite3.Connection], int]:
    return lambda db: db.execute("INSERT INTO number VALUES (?)", (n,)).rowcount


def numbers(db: sqlite3.Connection) -> list[int]:
    return [row[0] for row in db.execute("SELECT n FROM number ORDER BY n")]


def linger() -> None:
    """Hold the event loop up, and leave the interpreter to other threads."""
    time.sleep(0.005)


def sqlite_threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "fastapi_session.sqlite"}


class Gate:
    """Keeps the thread busy until it is opened, so that what is asked meanwhile waits together."""

    def __init__(self, thread: SqliteThread) -> None:
        self._opened = threading.Event()
        self._asked = asyncio.create_task(thread.read(lambda db: self._opened.wait(10)))

    async def open(self) -> None:
        self._opened.set()
        await self._asked


async def asked(thread: SqliteThread, *asks: Callable[[sqlite3.Connection], int]) -> list[int | BaseException]:
    """Ask to write while the thread is busy, and answer what came of it."""
    gate = Gate(thread)
    await asyncio.sleep(0.02)
    writes = [asyncio.create_task(thread.write(ask)) for ask in asks]
    await asyncio.sleep(0)
    await gate.open()
    return await asyncio.gather(*writes, return_exceptions=True)


async def test_writes_that_wait_share_a_commit(thread: SqliteThread, executed: Statements) -> None:
    """However many writes wait, they are committed together, in the order they came."""
    answers = await asked(thread, *(insert(n) for n in range(100)))

    assert [1] * 100 == answers
    assert ["BEGIN IMMEDIATE", *(f"INSERT INTO number VALUES ({n})" for n in range(100)), "COMMIT"] == executed


async def test_a_question_alone_goes_at_once(thread: SqliteThread) -> None:
    """If nobody else waits, the thread begins while the turn of the event loop still lasts."""
    began = threading.Event()
    asked = asyncio.create_task(thread.read(lambda db: began.set()))
    await asyncio.sleep(0)

    assert began.wait(5)
    await asked


async def test_what_is_asked_in_one_turn_goes_together(thread: SqliteThread, executed: Statements) -> None:
    """Tasks that write in the same turn share a commit, all but the first, though the thread has the time to begin."""

    async def write(n: int) -> int:
        linger()
        return await thread.write(insert(n))

    await thread.read(lambda db: db.total_changes)
    answers = await asyncio.gather(*(write(n) for n in range(5)))

    assert [1] * 5 == answers
    assert 2 == executed.count("COMMIT")


async def test_a_turn_that_closes_is_answered(thread: SqliteThread) -> None:
    """What was asked in the very turn in which the thread is closed is answered, and opens nothing anew."""
    before = sqlite_threads()
    asked = [asyncio.create_task(thread.write(insert(n))) for n in range(3)]
    await asyncio.sleep(0)
    await thread.close()

    assert [1, 1, 1] == await asyncio.gather(*asked)
    assert set() == sqlite_threads() - before


async def test_a_group_is_bounded(thread: SqliteThread, executed: Statements) -> None:
    """More writes than the largest group holds are committed in several."""
    await asked(thread, *(insert(n) for n in range(2 * LARGEST_GROUP + 1)))

    assert 3 == executed.count("COMMIT")


async def test_a_write_is_answered_after_its_commit(
    thread: SqliteThread, connect: Callable[[], sqlite3.Connection]
) -> None:
    """Whoever is answered finds what was written through another connection."""
    other = connect()
    for n in range(20):
        await thread.write(insert(n))
        assert list(range(n + 1)) == numbers(other)
    other.close()


async def test_reads_are_not_part_of_a_transaction(thread: SqliteThread, executed: Statements) -> None:
    """A read opens no transaction, and one that waits with writes is answered outside of theirs."""
    gate = Gate(thread)
    await asyncio.sleep(0.02)
    asks = [thread.write(insert(1)), thread.read(lambda db: int(db.in_transaction)), thread.write(insert(2))]
    tasks = [asyncio.create_task(ask) for ask in asks]
    await asyncio.sleep(0)
    await gate.open()

    assert [1, 0, 1] == await asyncio.gather(*tasks)
    assert 1 == executed.count("BEGIN IMMEDIATE")


async def test_a_write_that_fails_undoes_no_other(thread: SqliteThread, executed: Statements) -> None:
    """Of writes that share a commit one violates a constraint: the others are kept."""
    first, second, third = await asked(thread, insert(1), insert(1), insert(2))

    assert (1, 1) == (first, third)
    assert isinstance(second, StoreUnavailable)
    assert isinstance(second.__cause__, sqlite3.IntegrityError)
    assert [1, 2] == await thread.read(numbers)
    assert 1 == executed.count("COMMIT")


async def test_any_error_belongs_to_its_caller(thread: SqliteThread) -> None:
    """What is no failure of SQLite reaches the one who asked as it is, and nobody else."""
    first, second, third = await asked(thread, insert(1), insert(2**64), insert(2))

    assert (1, OverflowError, 1) == (first, type(second), third)


async def test_a_transaction_that_is_lost_fails_for_all(thread: SqliteThread) -> None:
    """If the transaction ends before its commit, no caller is given the write as kept."""
    answers = await asked(thread, insert(1), lambda db: db.execute("ROLLBACK").rowcount)

    assert [StoreUnavailable] * 2 == [type(answer) for answer in answers]
    assert [] == await thread.read(numbers)


async def test_a_group_that_cannot_begin_fails_and_the_next_does_not(
    thread: SqliteThread, connect: Callable[[], sqlite3.Connection]
) -> None:
    """While another connection writes, the group is unavailable; afterwards the thread goes on."""
    await thread.write(insert(0))
    other = connect()
    other.execute("BEGIN IMMEDIATE")
    answers = await asked(thread, insert(1), insert(2))
    other.execute("ROLLBACK")
    other.close()

    assert [StoreUnavailable] * 2 == [type(answer) for answer in answers]
    assert 1 == await thread.write(insert(3))
    assert [0, 3] == await thread.read(numbers)


async def test_a_caller_that_is_cancelled_is_not_answered(thread: SqliteThread) -> None:
    """The answer of a cancelled caller is dropped, and those who waited beside it have theirs."""
    gate = Gate(thread)
    await asyncio.sleep(0.02)
    cancelled, stays = (asyncio.create_task(thread.write(insert(n))) for n in range(2))
    await asyncio.sleep(0)
    cancelled.cancel()
    await gate.open()

    assert 1 == await stays
    with pytest.raises(asyncio.CancelledError):
        await cancelled


def test_a_loop_that_is_closed_is_ignored(
    connect: Callable[[], sqlite3.Connection], files: Callable[[], OpenFiles]
) -> None:
    """An event loop may end before its answer comes: the thread serves the next loop."""
    thread = SqliteThread(connect, connect_beside=lambda: None, opened=files)
    opened = threading.Event()

    async def leave() -> None:
        asking = asyncio.create_task(thread.read(lambda db: opened.wait(10)))
        await asyncio.sleep(0.02)
        asking.cancel()

    asyncio.run(leave())
    opened.set()

    assert 1 == asyncio.run(thread.write(insert(1)))
    asyncio.run(thread.close())


async def test_what_is_asked_while_closing_opens_anew(thread: SqliteThread) -> None:
    """A question that comes while the old thread still works is answered by a new one, and both come to an end."""
    gate = Gate(thread)
    await asyncio.sleep(0.02)
    closing = asyncio.create_task(thread.close())
    await asyncio.sleep(0.02)
    answer = await asyncio.wait_for(thread.write(insert(1)), 5)
    await gate.open()
    await asyncio.wait_for(closing, 5)

    assert 1 == answer
