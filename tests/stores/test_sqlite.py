"""`SqliteStore` keeps the contract on a real file, from any loop, in any process, and tells when it cannot."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import stat
import threading
from collections import defaultdict
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from fastapi_session.errors import ConfigurationError, StoreUnavailable
from fastapi_session.insertion import Insertion
from fastapi_session.model import SessionRecord
from fastapi_session.stores.base import Store
from fastapi_session.stores.rows import KEY, NOTICE, SESSION
from fastapi_session.stores.sqlite import SqliteStore, statements
from fastapi_session.stores.sqlite.schema import SCHEMA_VERSION
from fastapi_session.testing import (
    EventContract,
    HandClock,
    LimitContract,
    MovableContract,
    PagingContract,
    StoreContract,
)
from fastapi_session.testing.records import digest, new_session, next_rotation


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sessions.db"


@pytest.fixture
async def store(path: Path, clock: HandClock) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(path, clock=clock)
    await store.open()
    yield store
    await store.close()


def sqlite_threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "fastapi_session.sqlite"}


async def open_and_close(store: Store) -> None:
    try:
        await store.open()
    finally:
        await store.close()


class TestSqliteStore(StoreContract, LimitContract, EventContract, MovableContract, PagingContract):
    """The whole contract, on a file."""


class TestOpening:
    async def test_the_first_operation_opens(self, path: Path, clock: HandClock) -> None:
        """A store that nobody opened is opened by the first question."""
        store = SqliteStore(path, clock=clock)
        record = new_session("a", now=clock())
        await store.insert(record)

        assert record == (await store.get(record.session_id)).record
        await store.close()

    async def test_closing_ends_the_thread(self, path: Path) -> None:
        """An open store has one thread, a closed one has none and leaves one file."""
        before = sqlite_threads()
        store = SqliteStore(path)
        await asyncio.gather(*(store.open() for _ in range(8)))
        opened = sqlite_threads() - before
        await store.close()

        assert 1 == len(opened)
        assert set() == sqlite_threads() & opened
        assert [path] == list(path.parent.iterdir())

    def test_a_store_that_is_dropped_ends_its_thread(self, path: Path, clock: HandClock) -> None:
        """A store that nobody closed takes its thread and its connection with it."""
        before = set(threading.enumerate())
        store = SqliteStore(path, clock=clock)
        asyncio.run(store.rotate(next_rotation(new_session("a", now=clock()))))
        [thread] = sqlite_threads() - before
        del store
        gc.collect()
        thread.join(5)

        assert not thread.is_alive()
        assert [path] == list(path.parent.iterdir())

    async def test_closing_answers_what_was_asked(self, path: Path, clock: HandClock) -> None:
        """Everything that was asked before the store closed is answered, and kept."""
        store = SqliteStore(path, clock=clock)
        records = [new_session(f"{n}", now=clock()) for n in range(100)]
        inserts = [asyncio.create_task(store.insert(record)) for record in records]
        await asyncio.sleep(0)
        await store.close()
        await asyncio.gather(*inserts)

        assert 100 == len(await store.sessions_of("user"))
        await store.close()

    async def test_only_the_owner_may_read(self, store: SqliteStore, path: Path) -> None:
        """The database and the files beside it are readable by their owner alone."""
        files = list(path.parent.iterdir())

        assert {path.name, f"{path.name}-wal", f"{path.name}-shm"} == {file.name for file in files}
        assert {0o600} == {stat.S_IMODE(file.stat().st_mode) for file in files}

    def test_a_link_to_a_file_that_is_not_there(self, tmp_path: Path, path: Path) -> None:
        """The file that a link leads to is made readable by its owner alone as well, and the link stays."""
        link = tmp_path / "link.db"
        link.symlink_to(path)
        asyncio.run(open_and_close(SqliteStore(link)))

        assert (True, 0o600) == (link.is_symlink(), stat.S_IMODE(path.stat().st_mode))

    def test_the_permissions_of_a_file_that_exists_stay(self, path: Path) -> None:
        """Whoever created the file before decided who may read it."""
        path.touch()
        path.chmod(0o640)
        asyncio.run(open_and_close(SqliteStore(str(path))))

        assert 0o640 == stat.S_IMODE(path.stat().st_mode)

    async def test_columns_are_those_of_a_row(self, store: SqliteStore, path: Path) -> None:
        """The tables have exactly the columns of a row, in whatever order, and those may be NULL that may be nothing."""
        db = sqlite3.connect(path)
        for table, columns in {"session": SESSION, "signing_key": KEY, "notice": NOTICE}.items():
            found = {name: not is_bound for _, name, _, is_bound, *_ in db.execute(f"PRAGMA table_info({table})")}
            assert {name: column.optional for name, column in columns.items()} == found
        db.close()

    @pytest.mark.parametrize(
        "statement",
        ["ROTATE", "REPLACE", "UPDATE", "DELETE_UNMOVED", "SESSIONS_OF", "DELETE_SESSIONS_OF", "DELETE_EXPIRED"],
    )
    async def test_no_statement_reads_the_whole_table(self, store: SqliteStore, path: Path, statement: str) -> None:
        """Whatever is asked for is found through an index."""
        sql = getattr(statements, statement)
        db = sqlite3.connect(path)
        nothing: dict[str, None] = defaultdict(lambda: None)
        plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", nothing)]
        db.close()

        assert any("INDEX" in step for step in plan)
        assert [] == [step for step in plan if step.startswith("SCAN")]


class TestUnavailable:
    async def test_a_directory_that_is_not_there(self, tmp_path: Path) -> None:
        """A path that cannot be created is told with the kind of failure."""
        path = tmp_path / "missing" / "sessions.db"
        with pytest.raises(StoreUnavailable, match=rf"^SQLite failed: FileNotFoundError, at {path}$"):
            await open_and_close(SqliteStore(path))

    async def test_a_store_recovers(self, tmp_path: Path) -> None:
        """As soon as the cause is gone, the same store works."""
        store = SqliteStore(tmp_path / "missing" / "sessions.db")
        with pytest.raises(StoreUnavailable):
            await store.signing_keys()
        (tmp_path / "missing").mkdir()

        assert [] == list(await store.signing_keys())
        await store.close()

    async def test_a_directory_in_the_place_of_the_file(self, tmp_path: Path) -> None:
        """A directory is no database: that is a mistake of the configuration, told with its field and its fix."""
        with pytest.raises(
            ConfigurationError, match=rf"^store: {tmp_path} is a folder; give .*{tmp_path}/sessions.db$"
        ):
            await open_and_close(SqliteStore(tmp_path))

    def test_a_file_that_is_no_database(self, path: Path) -> None:
        """Another kind of file is refused and left as it is."""
        path.write_text("not a database" * 100)
        with pytest.raises(StoreUnavailable, match=rf"^SQLite failed: SQLITE_NOTADB, at {path}$"):
            asyncio.run(open_and_close(SqliteStore(path)))

        assert "not a database" * 100 == path.read_text()

    async def test_a_busy_file(self, path: Path, clock: HandClock) -> None:
        """While another process writes for longer than the timeout, writes are unavailable and reads are not."""
        store = SqliteStore(path, clock=clock, busy_timeout=timedelta(milliseconds=20))
        record = new_session("a", now=clock())
        await store.insert(record)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")

        with pytest.raises(StoreUnavailable, match=r"^SQLite failed: SQLITE_BUSY$"):
            await store.rotate(next_rotation(record, debounce=0))
        assert record == (await store.get(record.session_id)).record
        other.execute("ROLLBACK")
        assert await store.rotate(next_rotation(record, debounce=0)) is not None
        other.close()
        await store.close()

    async def test_no_message_quotes_a_record(self, store: SqliteStore, path: Path, clock: HandClock) -> None:
        """What is not even text in the file is unavailable, and the message does not say what it was."""
        record = new_session("a", now=clock())
        await store.insert(record)
        db = sqlite3.connect(path, isolation_level=None)
        db.execute("UPDATE session SET access_token_payload = CAST(X'736563726574FF' AS TEXT)")
        db.close()

        with pytest.raises(StoreUnavailable) as caught:
            await store.get(record.session_id)
        named = f"session {record.session_id} cannot be read, for its access_token_payload"
        assert f"SQLite failed: {named}" == str(caught.value)


class TestConfiguration:
    def test_newer_tables_are_refused(self, path: Path) -> None:
        """The file of a newer version is not touched, and the message names the fix."""
        db = sqlite3.connect(path)
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
        db.close()
        before = path.read_bytes()
        with pytest.raises(ConfigurationError, match=f"knows {SCHEMA_VERSION}: upgrade fastapi_session"):
            asyncio.run(open_and_close(SqliteStore(path)))

        assert before == path.read_bytes()

    def test_an_old_sqlite_is_refused(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without RETURNING there is no store, and the message names the version needed."""
        monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))
        with pytest.raises(ConfigurationError, match=r"needs SQLite 3\.35 or newer"):
            SqliteStore(path)

    @pytest.mark.parametrize("path", ["", ":memory:"])
    def test_a_path_names_a_file(self, path: str) -> None:
        """What is no file is refused with the store that is meant."""
        with pytest.raises(ConfigurationError, match="use MemoryStore"):
            SqliteStore(path)


class TestSharing:
    async def test_inserting_and_replacing_are_undone_together(
        self, store: SqliteStore, path: Path, clock: HandClock
    ) -> None:
        """If the old session cannot be deleted, the new one is not kept, and other writes of the group are."""
        old, new, other = (new_session(name, now=clock()) for name in ("old", "new", "other"))
        await store.insert(old)
        db = sqlite3.connect(path, isolation_level=None)
        db.execute("CREATE TRIGGER keep BEFORE DELETE ON session BEGIN SELECT RAISE(ABORT, 'no'); END")
        db.close()
        answers = await asyncio.gather(
            store.insert(new, replacing=[old.session_id]), store.insert(other), return_exceptions=True
        )

        assert [StoreUnavailable, Insertion] == [type(answer) for answer in answers]
        kept = await store.sessions_of("user")
        assert {old.session_id, other.session_id} == {record.session_id for record in kept}

    async def test_whatever_is_raised_undoes_what_belongs_together(self, store: SqliteStore, clock: HandClock) -> None:
        """A write that fails in Python, and not in SQLite, leaves nothing of itself either, and other writes of the group stay."""
        new, other = (new_session(name, now=clock()) for name in ("new", "other"))
        answers = await asyncio.gather(
            store.insert(new, replacing=["\ud800"]), store.insert(other), return_exceptions=True
        )

        assert [UnicodeEncodeError, Insertion] == [type(answer) for answer in answers]
        assert [other] == list(await store.sessions_of("user"))

    async def test_stores_on_one_file_write_one_successor(self, path: Path, clock: HandClock) -> None:
        """Of tasks that present one token through different connections exactly one is answered with a record."""
        stores: list[Store] = [SqliteStore(path, clock=clock) for _ in range(4)]
        record = new_session("a", now=clock())
        await stores[0].insert(record)
        answers = await asyncio.gather(
            *(
                store.rotate(next_rotation(record, successor=digest(f"{n} {m}"), debounce=0))
                for n, store in enumerate(stores)
                for m in range(8)
            )
        )
        for store in stores:
            await store.close()

        assert 1 == sum(answer is not None for answer in answers)

    def test_event_loops_in_turn(self, path: Path, clock: HandClock) -> None:
        """One store serves one event loop after the other, as under a test client."""
        store = SqliteStore(path, clock=clock)
        record = new_session("a", now=clock())
        asyncio.run(store.insert(record))

        assert record == asyncio.run(store.get(record.session_id)).record
        asyncio.run(store.close())

    def test_event_loops_at_once(self, path: Path, clock: HandClock) -> None:
        """Event loops of several threads are each answered with what they asked for."""
        store = SqliteStore(path, clock=clock)
        answered: list[str] = []

        async def ask(name: str) -> None:
            record = new_session(name, now=clock(), user_id=name)
            await store.insert(record)
            rotated = await store.rotate(next_rotation(record, debounce=0))
            answered.append(rotated.user_id if rotated else "")

        names = [f"{n}" for n in range(8)]
        loops = [threading.Thread(target=lambda name=name: asyncio.run(ask(name))) for name in names]
        for loop in loops:
            loop.start()
        for loop in loops:
            loop.join()
        asyncio.run(store.close())

        assert names == sorted(answered)

    async def test_a_cancelled_caller_harms_nobody(self, store: SqliteStore, path: Path, clock: HandClock) -> None:
        """Of callers that wait together some are cancelled: all others are answered with their own records."""
        records = [new_session(f"{n}", now=clock(), user_id=f"{n}") for n in range(40)]
        for record in records:
            await store.insert(record)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        tasks = [asyncio.create_task(store.rotate(next_rotation(record, debounce=0))) for record in records]
        await asyncio.sleep(0.01)
        for task in tasks[::2]:
            task.cancel()
        other.execute("ROLLBACK")
        other.close()
        answers = await asyncio.gather(*tasks, return_exceptions=True)

        assert [asyncio.CancelledError] * 20 == [type(answer) for answer in answers[::2]]
        rotated = [answer for answer in answers[1::2] if isinstance(answer, SessionRecord)]
        assert [record.user_id for record in records[1::2]] == [record.user_id for record in rotated]
