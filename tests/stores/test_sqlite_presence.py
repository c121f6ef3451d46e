"""A SQLite file that is deleted or replaced while it is open is noticed, told once, and written to by nobody any more."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from fastapi_session.errors import StoreUnavailable
from fastapi_session.model import SessionRecord
from fastapi_session.stores.sqlite import SqliteStore, fast_path, worker
from fastapi_session.stores.sqlite.presence import OpenFiles, Presence
from fastapi_session.testing import HandClock
from fastapi_session.testing.records import new_session

BESIDE = ("-wal", "-shm")


@pytest.fixture(autouse=True)
def always_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    for watching in (worker, fast_path):
        monkeypatch.setattr(watching, "WATCH_EVERY", 0.0)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sessions.db"


@pytest.fixture
async def open_store(path: Path, clock: HandClock) -> AsyncIterator[Callable[[], SqliteStore]]:
    """Makes a store on the file, as each process has its own."""
    stores: list[SqliteStore] = []

    def open_store() -> SqliteStore:
        stores.append(SqliteStore(path, clock=clock))
        return stores[-1]

    yield open_store
    for store in stores:
        await store.close()


def delete(path: Path, *endings: str) -> None:
    for ending in endings:
        Path(f"{path}{ending}").unlink()


def move(path: Path, place: Path) -> None:
    path.rename(place)


def linked(path: Path) -> Path:
    """A link to *path* in another folder: SQLite keeps its log beside the file, not beside the link."""
    folder = path.parent / "links"
    folder.mkdir()
    (folder / "link.db").symlink_to(path)
    return folder / "link.db"


async def kept(store: SqliteStore, name: str, clock: HandClock) -> SessionRecord:
    """A session that *store* keeps."""
    record = new_session(name, now=clock())
    await store.insert(record)
    return record


async def refuses(store: SqliteStore, clock: HandClock) -> bool:
    """Say whether *store* is unavailable, to who reads and to who writes."""
    for ask in (store.signing_keys(), store.insert(new_session("new", now=clock()))):
        with pytest.raises(StoreUnavailable, match=r"^SQLite failed: FileGone$"):
            await ask
    return True


@pytest.mark.parametrize("name_of", [lambda path: path, linked], ids=["by its name", "by a link"])
@pytest.mark.parametrize(
    ("database", "beside", "presence"),
    [
        ("same", "same", Presence.WHOLE),
        ("other", "other", Presence.REPLACED),
        ("other", "none", Presence.REPLACED),
        ("other", "same", Presence.GONE),
        ("same", "other", Presence.GONE),
        ("same", "none", Presence.GONE),
        ("none", "same", Presence.GONE),
        ("none", "other", Presence.GONE),
        ("none", "none", Presence.GONE),
    ],
)
def test_what_became_of_the_files(
    database: str, beside: str, presence: Presence, name_of: Callable[[Path], Path], path: Path
) -> None:
    """Every row of the table: a database goes on, is opened anew, or is gone."""
    names = [path, *(Path(f"{path}{ending}") for ending in BESIDE)]
    for name in names:
        name.touch()
    opened = OpenFiles(str(name_of(path)))
    kept_open = [name.open() for name in names]  # so that no other file is given the number of one that was deleted
    for name, becomes in zip(names, [database, beside, beside], strict=True):
        if becomes != "same":
            name.unlink()
        if becomes == "other":
            name.touch()

    assert presence is opened.presence()
    for file in kept_open:
        file.close()


@pytest.mark.parametrize("endings", [("", *BESIDE), ("",), BESIDE, ("-wal",), ("-shm",)])
async def test_a_file_that_is_deleted(
    endings: tuple[str, ...],
    path: Path,
    open_store: Callable[[], SqliteStore],
    clock: HandClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """From then on the store is unavailable, says so once in the log, and makes no file in the place of another."""
    store = open_store()
    await kept(store, "a", clock)
    delete(path, *endings)
    left = {each.name for each in path.parent.iterdir()}
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            assert await refuses(store, clock)

    assert left == {each.name for each in path.parent.iterdir()}
    assert [True] == ["was deleted or replaced" in message and str(path) in message for message in caplog.messages]


async def test_a_process_that_goes_to_another_folder(
    path: Path, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store with a relative path keeps to the file that this named when it was made."""
    monkeypatch.chdir(path.parent)
    store = SqliteStore(path.name, clock=clock)
    (path.parent / "elsewhere").mkdir()
    record = await kept(store, "a", clock)
    monkeypatch.chdir(path.parent / "elsewhere")

    assert record == (await store.get(record.session_id)).record
    await store.close()
    assert record == (await store.get(record.session_id)).record
    await store.close()


async def test_a_file_that_comes_back(path: Path, open_store: Callable[[], SqliteStore], clock: HandClock) -> None:
    """A file that was moved away and comes back has all that it had, and the store goes on."""
    store = open_store()
    record = await kept(store, "a", clock)
    move(path, path.with_name("elsewhere"))
    assert await refuses(store, clock)
    move(path.with_name("elsewhere"), path)
    other = await kept(store, "b", clock)

    assert [record, other] == [(await store.get(each.session_id)).record for each in (record, other)]


@pytest.mark.parametrize("endings", [("", *BESIDE), ("",)])
async def test_all_agree_after_a_restart(
    endings: tuple[str, ...], path: Path, open_store: Callable[[], SqliteStore], clock: HandClock
) -> None:
    """A process that starts makes the file anew, empty, and those that still run go on with that one."""
    running = [open_store() for _ in range(2)]
    before = await kept(running[0], "before", clock)
    assert before == (await running[1].get(before.session_id)).record
    delete(path, *endings)
    restarted = open_store()
    after = [await kept(store, f"after {number}", clock) for number, store in enumerate([restarted, *running])]

    for store in (restarted, *running):
        assert [None, *after] == [(await store.get(each.session_id)).record for each in (before, *after)]


async def test_a_deleted_log_is_not_lost(path: Path, open_store: Callable[[], SqliteStore], clock: HandClock) -> None:
    """What stands in a log that was deleted is brought into the database by the last process that ends."""
    store = open_store()
    record = await kept(store, "a", clock)
    delete(path, *BESIDE)
    assert await refuses(store, clock)
    await store.close()

    assert record == (await open_store().get(record.session_id)).record


async def test_a_file_that_is_missing_when_it_is_opened_again(
    path: Path, open_store: Callable[[], SqliteStore], clock: HandClock
) -> None:
    """A store whose connection has failed does not make a new file in the place of one that was deleted meanwhile."""
    store = open_store()
    await kept(store, "a", clock)

    with pytest.raises(StoreUnavailable):
        await store._thread.write(lambda db: db.execute("ROLLBACK").rowcount)  # there is nothing to commit then
    delete(path, "")  # what is beside it has gone with the connection

    assert await refuses(store, clock)
    assert [] == list(path.parent.iterdir())
