"""Several processes share one SQLite file, whether they were started, forked or killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from fastapi_session.stores.sqlite import SqliteStore
from fastapi_session.testing.records import new_session

ROOT = Path(__file__).parents[2]

COMMON = """
import asyncio, json, os, sys
from dataclasses import replace
from fastapi_session.clock import system_clock
from fastapi_session.stores.sqlite import SqliteStore, fast_path
from fastapi_session.testing.records import digest, new_session, next_rotation

store = SqliteStore(sys.argv[1])
"""

RACE = """
async def race():
    won = 0
    record = new_session("shared", now=0, lineage={"idle_expires_at": 2**50})
    for generation in range(50):
        lineage = replace(record.lineage, generation=generation, current=digest(f"S{generation}"))
        rotation = next_rotation(replace(record, lineage=lineage), debounce=0)
        won += await store.rotate(rotation) is not None
        while (await store.get(record.session_id)).record.lineage.generation == generation:
            await asyncio.sleep(0)
    await store.close()
    return won

print(asyncio.run(race()))
"""

OPEN = """
async def insert():
    await store.insert(new_session(sys.argv[2], now=system_clock()))
    await store.close()

asyncio.run(insert())
"""

FORK = """
async def rotated(name):
    record = new_session(name, now=system_clock())
    await store.insert(record)
    return await store.rotate(next_rotation(record, debounce=0)) is not None

fast_path.UNBEARABLE = 3600.0  # however slow the machine is

async def connections():
    ways = [store._thread.read, store._thread.read, store._thread.read_row]
    return {id(await way(lambda db: db)) for way in ways}

parent = asyncio.run(rotated("before"))
inherited = asyncio.run(connections())  # which are never let go, so no other has the id of one of them
child = os.fork()
if child == 0:
    answer = asyncio.run(rotated("in the child"))
    used = asyncio.run(connections())
    asyncio.run(store.close())
    os._exit(0 if answer and not inherited & used else 1)
after = asyncio.run(rotated("beside the child"))
_, status = os.waitpid(child, 0)
last = asyncio.run(rotated("after the child"))
kept = len(asyncio.run(store.sessions_of("user")))
asyncio.run(store.close())
print(json.dumps([len(inherited), parent, after, status, last, kept]))
"""

KILL = """
async def write():
    for n in range(10**9):
        await store.insert(new_session(f"{n}", now=system_clock()))
        print(n, flush=True)

asyncio.run(write())
"""


def start(path: Path, program: str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", COMMON + program, str(path), *arguments]
    return subprocess.Popen(
        command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True
    )


def output(process: subprocess.Popen[str]) -> str:
    answer, _ = process.communicate(timeout=60)
    assert 0 == process.returncode
    return answer


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sessions.db"


def test_processes_create_one_file_at_once(path: Path) -> None:
    """Processes that start together on a file that is not there all succeed."""
    for process in [start(path, OPEN, f"{n}") for n in range(6)]:
        output(process)

    async def kept() -> int:
        store = SqliteStore(path)
        sessions = await store.sessions_of("user")
        await store.close()
        return len(sessions)

    assert 6 == asyncio.run(kept())


def test_processes_rotate_once(path: Path) -> None:
    """Processes race for fifty rotations of one session: each is won by exactly one of them."""

    async def insert() -> None:
        store = SqliteStore(path)
        await store.insert(new_session("shared", now=0, lineage={"idle_expires_at": 2**50}))
        await store.close()

    asyncio.run(insert())
    won = [int(output(process)) for process in [start(path, RACE) for _ in range(3)]]

    assert 50 == sum(won)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_opens_anew(path: Path) -> None:
    """Parent and child go on side by side after a fork, none by a connection of the other, and everything they write is kept."""
    assert [2, True, True, 0, True, 4] == json.loads(output(start(path, FORK)))


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no kill on this system")
def test_what_was_answered_survives_a_kill(path: Path) -> None:
    """A process that is killed in the middle of writing has lost nothing that it was told was written."""
    process = start(path, KILL)
    assert process.stdout is not None
    while int(process.stdout.readline()) < 50:
        pass
    process.kill()
    answered = [int(line) for line in process.stdout if line.endswith("\n")]
    process.communicate()

    db = sqlite3.connect(path)
    kept = db.execute("SELECT count(*) FROM session").fetchone()[0]
    intact = db.execute("PRAGMA integrity_check").fetchone()[0]
    db.close()
    assert "ok" == intact
    assert kept > max(answered, default=50)
