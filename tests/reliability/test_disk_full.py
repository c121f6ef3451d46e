"""A SQLite file that cannot be written, because the disk is full or the file may only be read: nothing breaks, nobody mends."""

from __future__ import annotations

import asyncio
import os
import pwd
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from httpx2 import Response

from fastapi_session.errors import StoreUnavailable
from fastapi_session.stores.sqlite import SqliteStore
from fastapi_session.testing import HandClock
from fastapi_session.testing.records import new_session, next_rotation
from tests.engines import engine
from tests.moments import PAST_GRACE
from tests.reliability.store_faults import fill, small_disk
from tests.stores.sql.servers import ORDINARY_USER, own_folder
from tests.web.deployment import application, deployed
from tests.web.wire import KEPT, NEW, change
from tests.wire import AUTH_MODE

ROOM = 600_000
"""Bytes that are left on the disk."""
AT_ONCE = 7
"""Sessions that begin together."""


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


def is_whole(path: Path) -> bool:
    """Say whether SQLite finds nothing wrong with the file."""
    connection = sqlite3.connect(path)
    try:
        return [("ok",)] == connection.execute("PRAGMA integrity_check").fetchall()
    finally:
        connection.close()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    try:
        with small_disk(tmp_path) as disk:
            yield disk
    except PermissionError as error:
        pytest.skip(str(error))


async def outcome(store: SqliteStore, number: str, *, clock: HandClock) -> str:
    """Begin a session with much to keep and refresh it, and say what was done."""
    record = new_session(number, now=clock(), user_id="alice", session_data={"much": "x" * 8_000})
    done = "nothing"
    try:
        await store.insert(record)
        done = "begun"
        if await store.rotate(next_rotation(record, debounce=0)) is not None:
            done = "refreshed"
    except StoreUnavailable:
        return f"{done}, then unavailable"
    return done


async def filled_up(disk: Path, clock: HandClock) -> list[str]:
    """Let sessions fill the *disk* to the last byte, look at what is there, make room, and answer what was done."""
    path, junk, outcomes = disk / "sessions.db", disk / "junk", []
    store = SqliteStore(path, clock=clock)
    await store.insert(new_session("first", now=clock(), user_id="bob"))
    fill(junk)
    os.truncate(junk, junk.stat().st_size - ROOM)
    for first in range(0, 200, AT_ONCE):
        names = [f"{number}" for number in range(first, first + AT_ONCE)]
        outcomes += await asyncio.gather(*(outcome(store, name, clock=clock) for name in names))
    begun, refreshed = outcomes.count("begun, then unavailable"), outcomes.count("refreshed")
    generations = Counter(record.lineage.generation for record in await store.sessions_of("alice"))
    assert Counter({0: begun, 1: refreshed}) == generations
    junk.unlink()
    assert begun + refreshed == len(await store.delete_sessions_of("alice", limit=100))
    assert 1 == len(await store.sessions_of("bob"))
    await store.close()
    assert is_whole(path)
    path.unlink()
    return outcomes


async def test_a_disk_that_fills_up(
    disk: Path, clock: HandClock, amount: Callable[..., int], figures: Callable[..., None]
) -> None:
    """R9: sessions fill the disk to the last byte: what was answered is there, what was refused is not, all can be read.

    As soon as there is room again writing goes on, with nothing to mend.
    """
    seen: Counter[str] = Counter()
    for _ in range(amount(2, full=50)):
        seen.update(await filled_up(disk, clock))
    figures(outcomes=dict(seen))

    assert {"nothing, then unavailable", "refreshed"} <= seen.keys()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder in which an ordinary user may write."""
    with tempfile.TemporaryDirectory(prefix="fs-") as name:
        yield own_folder(Path(name))


@contextmanager
def ordinary_user() -> Iterator[None]:
    """Be somebody to whom permissions apply."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(pwd.getpwnam(ORDINARY_USER).pw_uid)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_file_that_may_only_be_read(folder: Path, clock: HandClock) -> None:
    """R9: verifying and reading go on, writing is answered 503 with the cookies untouched; as soon as it may be, it is written."""
    path = folder / "sessions.db"
    with ordinary_user():
        sessions = engine(clock, store=f"sqlite:///{path}")
        with deployed(application(sessions), sessions, clock) as before:
            held = before.login()
        path.chmod(0o400)
        sessions = engine(clock, store=f"sqlite:///{path}")
        with deployed(application(sessions), sessions, clock) as after:
            clock.advance(PAST_GRACE)
            answers = [after.get(each, held.to_call()) for each in ("/me", "/checked")]
            refused = [after.refresh(held), after.post("/login?user_id=bob")]
            for file in folder.iterdir():  # the files beside it have its permissions
                file.chmod(0o600)
            served = [after.refresh(held), after.post("/login?user_id=bob", {AUTH_MODE: "cookie"})]

    assert [200, 200, 503, 503, 200, 200] == [each.status_code for each in [*answers, *refused, *served]]
    assert [KEPT, KEPT, NEW["cookie"], NEW["cookie"]] == list(map(change, [*refused, *served]))
    assert ["1", "1"] == list(map(retry_after, refused))
    assert is_whole(path)


def retry_after(response: Response) -> str:
    """After how many seconds the client may come again."""
    seconds: str = response.headers["retry-after"]
    return seconds
