"""Single rows of a SQLite file are read and written without a thread, as long as nothing there would wait."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from fastapi_session.errors import StoreUnavailable
from fastapi_session.stores.sqlite import SqliteStore, fast_path
from fastapi_session.stores.sqlite.fast_path import IN_A_ROW, LARGEST
from fastapi_session.stores.sqlite.file import connect_beside
from fastapi_session.stores.sqlite.presence import WATCH_EVERY, OpenFiles
from fastapi_session.stores.sqlite.thread import READS_IN_A_ROW, SqliteThread
from fastapi_session.testing import HandClock
from fastapi_session.testing.records import new_session, next_rotation

LOCK = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
"""

BLOCKED = 2.0
"""Seconds that no turn of an event loop takes, however busy the machine is, and less than a lock is waited for."""

HERE = threading.get_ident


@pytest.fixture(autouse=True)
def slow_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine is, its disk is not taken for one that hangs."""
    monkeypatch.setattr(fast_path, "UNBEARABLE", 3600.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "numbers.db"


def connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, timeout=10)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE IF NOT EXISTS number (n INTEGER PRIMARY KEY, much TEXT NOT NULL DEFAULT '')")
    return connection


@pytest.fixture
async def thread(path: Path) -> AsyncIterator[SqliteThread]:
    """A thread whose fast path is open."""
    thread = SqliteThread(
        partial(connect, path),
        connect_beside=partial(connect_beside, str(path), largest=LARGEST),
        opened=partial(OpenFiles, str(path)),
    )
    await opened(thread)
    yield thread
    await thread.close()


async def opened(thread: SqliteThread) -> None:
    """Let *thread* open its connection, and look at the files."""
    for _ in range(2):
        await thread.read(numbers)


def later(seconds: float) -> Callable[[], float]:
    """A clock that is ahead of `time.monotonic`."""
    monotonic = time.monotonic
    return lambda: monotonic() + seconds


def numbers(db: sqlite3.Connection) -> list[int]:
    return [row[0] for row in db.execute("SELECT n FROM number ORDER BY n")]


def place(db: sqlite3.Connection) -> int:
    """The thread on which *db* is used."""
    db.execute("SELECT 1").fetchall()
    return HERE()


def insert(n: int, much: str = "") -> Callable[[sqlite3.Connection], int]:
    """Insert a row, and tell on which thread."""

    def work(db: sqlite3.Connection) -> int:
        db.execute("INSERT INTO number VALUES (?, ?)", (n, much))
        return HERE()

    return work


@contextmanager
def locked(path: Path) -> Iterator[Callable[[], None]]:
    """Let another process write, until it is told to leave."""
    other = subprocess.Popen(
        [sys.executable, "-S", "-c", LOCK, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None
    assert "locked\n" == other.stdout.readline()

    def leave() -> None:
        other.communicate()

    try:
        yield leave
    finally:
        other.kill()
        other.communicate()


class TestWhere:
    """On which thread a row is read and written."""

    async def test_alone(self, thread: SqliteThread) -> None:
        """On that of whoever asks, and what was written is seen by both connections."""
        assert HERE() == await thread.read_row(place)
        assert HERE() == await thread.write_row(insert(1))
        assert [1] == await thread.read_row(numbers) == await thread.read(numbers)

    async def test_before_the_first_look(self, path: Path) -> None:
        """The thread makes the file ready, and everybody's first question is its."""
        thread = SqliteThread(
            partial(connect, path),
            connect_beside=partial(connect_beside, str(path), largest=LARGEST),
            opened=partial(OpenFiles, str(path)),
        )

        assert [False, False, True] == [await thread.read_row(place) == HERE() for _ in range(3)]
        await thread.close()

    async def test_in_use(self, thread: SqliteThread) -> None:
        """An event loop of another thread waits for nobody."""
        began, go_on = threading.Event(), threading.Event()

        def hold(_: sqlite3.Connection) -> None:
            began.set()
            go_on.wait(10)

        other = threading.Thread(target=lambda: asyncio.run(thread.read_row(hold)))
        other.start()
        began.wait(10)

        assert HERE() != await thread.read_row(place)
        go_on.set()
        other.join()

    async def test_many_in_a_row(self, thread: SqliteThread) -> None:
        """The thread has its turn at two writes, of which one may have the log to copy and the other to begin anew. It has no reads."""
        reads = [await thread.read_row(place) == HERE() for _ in range(IN_A_ROW + 2)]
        writes = [await thread.write_row(insert(n)) == HERE() for n in range(IN_A_ROW + 3)]

        assert [True] * (IN_A_ROW + 2) == reads
        assert [*[True] * IN_A_ROW, False, False, True] == writes

    async def test_one_that_reads_again_and_again(self, thread: SqliteThread) -> None:
        """It leaves the event loop to others now and then."""
        others: list[None] = []
        asyncio.get_running_loop().call_soon(others.append, None)
        for _ in range(READS_IN_A_ROW):
            await thread.read_row(place)

        assert [None] == others

    async def test_others_in_the_same_turn(self, thread: SqliteThread) -> None:
        """The first writes at once, the others of the turn together on the thread; the next turn is a new one."""
        places = await asyncio.gather(*(thread.write_row(insert(n)) for n in range(4)))

        assert [True, False, False, False] == [each == HERE() for each in places]
        assert HERE() == await thread.write_row(insert(4))

    async def test_large(self, thread: SqliteThread) -> None:
        """A large row is written and read on the thread, and in between small ones are not."""
        much = "x" * (LARGEST + 1)

        assert HERE() != await thread.write_row(insert(1, much))
        assert HERE() == await thread.write_row(insert(2))
        read = await thread.read_row(lambda db: (HERE(), db.execute("SELECT much FROM number").fetchone()[0]))
        assert (False, much) == (read[0] == HERE(), read[1])
        assert HERE() == await thread.read_row(place)

    async def test_a_disk_that_is_too_slow(self, thread: SqliteThread, monkeypatch: pytest.MonkeyPatch) -> None:
        """What took long has its result, and for a while no other is tried."""
        monkeypatch.setattr(fast_path, "UNBEARABLE", 0.0)
        monkeypatch.setattr(fast_path, "REST", 3600.0)

        assert [True, False, False] == [await thread.write_row(insert(n)) == HERE() for n in range(3)]
        assert [0, 1, 2] == await thread.read(numbers)

    async def test_no_write_ahead_log(self, path: Path) -> None:
        """Where reads and writes would wait for each other, and writes for the disk, everything is the thread's."""
        with closing(connect(path)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")

        assert connect_beside(str(path), largest=LARGEST) is None


class TestNobodyWaits:
    async def test_another_process_writes(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """While another process has the lock, the event loop turns, rows are read, and a write waits on the thread.

        So it goes on, however often the files are looked at meanwhile.
        """
        clock = HandClock()
        store = SqliteStore(path, clock=clock, busy_timeout=timedelta(seconds=60))
        record = new_session("a", now=clock())
        await store.insert(record)
        await store.get(record.session_id)
        monkeypatch.setattr(fast_path, "WATCH_EVERY", 0.0)
        with locked(path) as leave:
            began = time.monotonic()
            writing = asyncio.create_task(store.rotate(next_rotation(record, debounce=0)))
            for _ in range(3 * READS_IN_A_ROW):  # none of them waits in the thread, behind the write
                assert record == (await store.get(record.session_id)).record
            assert not writing.done()
            assert time.monotonic() - began < BLOCKED
            leave()

        assert await writing is not None
        await store.close()

    async def test_a_write_that_finds_the_lock_taken(self, thread: SqliteThread, path: Path) -> None:
        """It is done on the thread, once, as soon as the lock is free, and the next one takes the fast path again."""
        with locked(path) as leave:
            began = time.monotonic()
            writing = asyncio.create_task(thread.write_row(insert(1)))
            await asyncio.sleep(0)
            assert time.monotonic() - began < BLOCKED
            leave()

        assert HERE() != await writing
        assert HERE() == await thread.write_row(insert(2))
        assert [1, 2] == await thread.read(numbers)


class TestFailures:
    async def test_what_violates_a_constraint(self, thread: SqliteThread, path: Path) -> None:
        """The thread's outcome counts, nothing is left open, and the fast path goes on."""
        await thread.write_row(insert(1))

        def twice(db: sqlite3.Connection) -> None:
            db.execute("INSERT INTO number (n) VALUES (2)")
            db.execute("INSERT INTO number (n) VALUES (1)")

        with pytest.raises(StoreUnavailable, match=r"^SQLite failed: SQLITE_CONSTRAINT_PRIMARYKEY$"):
            await thread.write_row(twice)
        with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
        assert HERE() == await thread.write_row(insert(3))

    async def test_a_connection_that_fails(self, thread: SqliteThread, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is given up for a while, whatever the thread can do."""
        monkeypatch.setattr(fast_path, "REST", 3600.0)
        here = HERE()

        def fail_here(db: sqlite3.Connection) -> list[int]:
            return numbers(db) if here != HERE() else db.execute("SELECT n FROM nothing").fetchall()

        assert [] == await thread.read_row(fail_here)
        assert HERE() != await thread.read_row(place)

    async def test_an_error_of_python(self, thread: SqliteThread) -> None:
        """It reaches whoever asked, as it is, and nothing was written."""
        with pytest.raises(OverflowError):
            await thread.write_row(insert(2**64))

        assert HERE() == await thread.write_row(insert(1))

    async def test_an_interruption(self, thread: SqliteThread, path: Path) -> None:
        """Ctrl-C in the middle of a write is not caught, undoes it, and leaves the file to others."""

        def interrupted(db: sqlite3.Connection) -> None:
            insert(1)(db)
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            thread.write_row(interrupted).send(None)
        with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
        assert [] == await thread.read(numbers)

    async def test_a_cancelled_caller(self, thread: SqliteThread) -> None:
        """Whoever is cancelled in the turn of the write may have written, and is in nobody's way."""
        writing = asyncio.create_task(thread.write_row(insert(1)))
        await asyncio.sleep(0)
        writing.cancel()

        with pytest.raises(asyncio.CancelledError):
            await writing
        assert HERE() == await thread.write_row(insert(2))
        assert [1, 2] == await thread.read(numbers)


class TestFiles:
    async def test_the_log_does_not_grow(self, path: Path) -> None:
        """Writes that are alone are copied from the log into the database, though the thread does few of them."""
        store = SqliteStore(path)
        for n in range(1_000):
            await store.insert(new_session(f"{n}", now=0))

        # It is copied as soon as it has 1,000 pages; without the thread it would have four times as many by now.
        assert path.with_name(f"{path.name}-wal").stat().st_size < 2_000 * 4096
        await store.close()

    async def test_closing(self, thread: SqliteThread, path: Path) -> None:
        """Both connections are closed: the log is cleared away. What is asked then opens both anew."""
        await thread.write_row(insert(1))
        await thread.close()

        assert [path] == list(path.parent.iterdir())
        await opened(thread)
        assert HERE() == await thread.write_row(insert(2))
        assert [1, 2] == await thread.read(numbers)

    async def test_a_file_that_is_deleted(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is noticed with the next look, also by who never asks the thread, and nothing is made in its place."""
        monkeypatch.setattr(fast_path, "WATCH_EVERY", 0.0)
        store = SqliteStore(path)
        await store.insert(new_session("a", now=0))
        for _ in range(3):
            await store.get("nobody")
        for file in path.parent.iterdir():
            file.unlink()
        monkeypatch.setattr(time, "monotonic", later(WATCH_EVERY))

        for _ in range(2):
            with pytest.raises(StoreUnavailable, match=r"^SQLite failed: FileGone$"):
                await store.get("nobody")
        assert [] == list(path.parent.iterdir())
        await store.close()

    def test_a_file_that_is_not_there(self, path: Path) -> None:
        """The second connection makes no file."""
        with pytest.raises(sqlite3.OperationalError):
            connect_beside(str(path), largest=LARGEST)

        assert not path.exists()

    def test_a_name_that_a_uri_would_read_otherwise(self, tmp_path: Path) -> None:
        """A file is found by its name, whatever characters are in it."""
        path = tmp_path / "a?b#c %41.db"
        connect(path).close()
        with closing(connect_beside(str(path), largest=LARGEST) or connect(tmp_path / "other")) as beside:
            assert str(path) == beside.execute("PRAGMA database_list").fetchone()[2]
