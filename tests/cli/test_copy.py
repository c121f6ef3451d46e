"""`fastapi-session copy`: what it says and does, on files."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fastapi_session import SessionConfig, Sessions
from tests.cli.conftest import CommandLine, Done

ROOT = Path(__file__).parents[2]
SECRET = "the-secret-of-the-deployment-that-moves-0001"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, and no setting in the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FASTAPI_SESSION_SECRET", raising=False)
    monkeypatch.delenv("FASTAPI_SESSION_STORE", raising=False)
    return tmp_path


@pytest.fixture
def old(folder: Path) -> Path:
    """The file of an application that has no secret of its own: one user is signed in."""
    return made(folder / "old.db")


def made(path: Path, *, secret: str | None = None) -> Path:
    async def make() -> None:
        sessions = Sessions(SessionConfig(store=f"sqlite:///{path}", secret=secret))
        await sessions.open()
        await sessions.create("alice")
        await sessions.close()

    asyncio.run(make())
    return path


def users_in(path: Path, *, secret: str | None = None) -> list[str]:
    async def look() -> list[str]:
        sessions = Sessions(SessionConfig(store=f"sqlite:///{path}", secret=secret))
        await sessions.open()
        found = [each.user_id for each in await sessions.of_user("alice")]
        await sessions.close()
        return found

    return asyncio.run(look())


def url(path: Path) -> str:
    return f"sqlite:///{path}"


def test_from_file_to_file(old: Path, command_line: CommandLine) -> None:
    """All of one file is in the other afterwards, and a repetition finds nothing to do."""
    new = old.with_name("new.db")
    shutil.copy(f"{old}.secret", f"{new}.secret")
    done = command_line("copy", url(old), url(new))

    assert (0, "") == (done.code, done.err)
    assert "pass 1: 1 sessions: 1 new, 0 renewed, 0 there, 0 ended in TO, 0 not copied; also new: 2 keys" in done.out
    assert ["alice"] == users_in(new)
    assert "0 new, 0 renewed, 1 there" in command_line("copy", url(old), url(new)).out


def test_the_json(old: Path, command_line: CommandLine) -> None:
    """A program is told of each pass in the same keys, also of a last one that found nothing to do."""
    new = old.with_name("new.db")
    shutil.copy(f"{old}.secret", f"{new}.secret")
    first, again = (json.loads(command_line("copy", url(old), url(new), "--json").out) for _ in range(2))
    took = first.pop("seconds"), again.pop("seconds")

    assert [float, float] == [type(each) for each in took]
    nothing = {"keys": 0, "notices": 0, "devices": 0, "digests": 0}
    each = {"version": 1, "pass": 1, "last": True, "read": 1, "not_copied": 0, **nothing}
    assert {**each, "sessions": {"kept": 1, "renewed": 0, "there": 0, "ended": 0}, "keys": 2} == first
    assert {**each, "sessions": {"kept": 0, "renewed": 0, "there": 1, "ended": 0}} == again


def test_a_place_in_the_environment(folder: Path, command_line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A URL may be in a variable, so that no password is in the list of processes; the secret is in the environment."""
    monkeypatch.setenv("OLD_STORE", url(made(folder / "old.db", secret=SECRET)))
    monkeypatch.setenv("FASTAPI_SESSION_SECRET", SECRET)

    assert 0 == command_line("copy", "env:OLD_STORE", url(folder / "new.db")).code
    assert ["alice"] == users_in(folder / "new.db", secret=SECRET)


def test_the_stores_of_applications(folder: Path, command_line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stores may be named as an application names them, and its secret is taken."""
    made(folder / "old.db", secret=SECRET)
    module = "the_application_that_moves"
    (folder / f"{module}.py").write_text(
        "from fastapi_session import SessionConfig, Sessions, SqliteStore\n"
        f"sessions = Sessions(SessionConfig(store='sqlite:///old.db', secret={SECRET!r}))\n"
        "store = SqliteStore('new.db')\n",
        "utf-8",
    )
    monkeypatch.setattr(sys, "path", [*sys.path])
    done = command_line("copy", f"{module}:sessions", f"{module}:store", "--app", f"{module}:sessions")

    assert (0, "") == (done.code, done.err)
    assert ["alice"] == users_in(folder / "new.db", secret=SECRET)


def refused(command_line: CommandLine, *places: str) -> str:
    """The one line with which the copy between *places* is refused."""
    done: Done = command_line("copy", *places)
    [line] = done.err.splitlines()

    assert (1, "") == (done.code, done.out)
    return line


def test_the_key_file_has_to_go_with_it(old: Path, command_line: CommandLine) -> None:
    """A file has its secret beside it: without the same one there all would be signed out, and the line says what to do."""
    new = old.with_name("new.db")
    line = refused(command_line, url(old), url(new))

    assert line.endswith(f"before anything runs on TO: cp -p {old}.secret {new}.secret")
    assert not new.exists()


def test_the_wrong_secret(old: Path, command_line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret that does not open the keys is refused before anything is written, and the key file is named that may have it."""
    monkeypatch.setenv("FASTAPI_SESSION_SECRET", SECRET)
    line = refused(command_line, url(old), url(old.with_name("new.db")))

    assert line.startswith("error: FROM: secret: it does not open the signing key")
    assert line.endswith(f'the key file {old}.secret has one: export FASTAPI_SESSION_SECRET="$(cat {old}.secret)"')


@pytest.mark.parametrize(
    ("places", "said"),
    [
        (("sqlite:///nothing.db", "sqlite:///new.db"), "error: FROM: there is no file {folder}/nothing.db"),
        (("sqlite:///old.db", "sqlite:///old.db"), "error: FROM and TO are the same store"),
        (("sqlite:///old.db", "sqlite:///./old.db"), "error: FROM and TO are the same store"),
        (("sqlite:///old.db", "postgresql:/ada:lovelace@host/db"), "error: TO: this: give the name of a module"),
        (("sqlite:///old.db", "memory:"), "error: TO: a store in memory is that of one process, and ends with it"),
        (("env:NOT_SET", "memory:"), "error: FROM: the variable NOT_SET is not set"),
        (("sqlite:///old.db", "oracle://ada:lovelace@host/db"), "error: TO: store: give sqlite:///path/to/file"),
    ],
)
@pytest.mark.usefixtures("old")
def test_wrong_places(places: tuple[str, str], said: str, command_line: CommandLine, folder: Path) -> None:
    """What is no store to copy is said in a line, and nothing is made."""
    before = {*folder.iterdir()}

    assert said.format(folder=folder) in refused(command_line, *places)
    assert before == {*folder.iterdir()}


def test_another_store_needs_a_secret(old: Path, command_line: CommandLine) -> None:
    """A server needs the secret of the key file in the configuration, and the line says how it comes there."""
    line = refused(command_line, url(old), "postgresql+asyncpg://app:lovelace@127.0.0.1:1/app")

    assert f'export FASTAPI_SESSION_SECRET="$(cat {old}.secret)"' in line
    assert "lovelace" not in line


def test_a_server_that_is_not_there(folder: Path, command_line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that cannot be reached is said in a line, without user and password."""
    made(folder / "old.db", secret=SECRET)
    monkeypatch.setenv("FASTAPI_SESSION_SECRET", SECRET)
    line = refused(command_line, "sqlite:///old.db", "redis://ada:lovelace@127.0.0.1:1/0")

    assert line.startswith("error: ")
    assert "127.0.0.1:1" in line
    assert "lovelace" not in line


class Following:
    """`copy --follow` in a process of its own, from one file to another."""

    def __init__(self, old: Path, new: Path, *, interval: float = 0.1, **settings: str) -> None:
        shutil.copy(f"{old}.secret", f"{new}.secret")
        program = [sys.executable, "-m", "fastapi_session"]
        command = [*program, "copy", url(old), url(new), "--follow", "--interval", str(interval)]
        self.process = subprocess.Popen(
            command,
            env={**os.environ, "PYTHONPATH": str(ROOT), **settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def said(self) -> str:
        """Return the next line that it says, as soon as it does."""
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def warned(self) -> str:
        """Return the next line on its standard error, as soon as there is one."""
        assert self.process.stderr is not None
        return self.process.stderr.readline()

    def ended(self, by: signal.Signals) -> tuple[int, str, str]:
        """Send the signal, and return exit code, output and errors."""
        self.process.send_signal(by)
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err


@pytest.mark.skipif(os.name != "posix", reason="no such signals on this system")
def test_following(old: Path) -> None:
    """It goes on until Ctrl-C, which makes a last pass and ends well; killed in the middle, it is begun again.

    If passes take longer than the grace period, it says once what that means. What it says of the last pass is without the pause
    that Ctrl-C has cut short.
    """
    new = old.with_name("new.db")
    killed = Following(old, new, FASTAPI_SESSION_REFRESH_TOKEN_ROTATION_GRACE_PERIOD="0.05")
    assert killed.said().startswith("pass 1: 1 sessions: 1 new")
    assert killed.warned().endswith("switch when few refresh, or stop the application for it\n")
    assert -signal.SIGKILL == killed.ended(signal.SIGKILL)[0]

    following = Following(old, new, interval=5)
    assert following.said().startswith("pass 1: 1 sessions: 0 new, 0 renewed, 1 there")
    made(old)
    code, out, err = following.ended(signal.SIGINT)

    assert (0, "") == (code, err)
    assert "1 new" in out
    assert "(-" not in out
    assert ["alice", "alice"] == users_in(new)
