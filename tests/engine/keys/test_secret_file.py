"""The key file of an application that configured no secret: private, complete, and one for all processes."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from fastapi_session.engine.keys.secret_file import read_or_create
from fastapi_session.errors import ConfigurationError

ROOT = Path(__file__).parents[2]

USER, SOMEBODY, ROOT_USER = 1000, 1001, 0
OWNERS = [
    (USER, USER, True),
    (USER, ROOT_USER, True),
    (USER, SOMEBODY, False),
    (ROOT_USER, ROOT_USER, True),
    (ROOT_USER, USER, False),
]
"""Who runs the process, whose the file is, and whether it is used."""

START = """
import sys
from pathlib import Path
from fastapi_session.engine.keys.secret_file import read_or_create
sys.stdout.write("ready\\n")
sys.stdout.flush()
sys.stdin.readline()
sys.stdout.write(read_or_create(Path(sys.argv[1])).decode())
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sessions.db.secret"


@pytest.mark.skipif(os.name != "posix", reason="no such modes on this system")
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_its_owner_alone_may_read_it(umask: int, path: Path) -> None:
    """The file has mode 0600, whatever the process is used to."""
    before = os.umask(umask)
    try:
        read_or_create(path)
    finally:
        os.umask(before)

    assert 0o600 == path.stat().st_mode & 0o777


@pytest.mark.skipif(os.name != "posix", reason="no such modes on this system")
def test_somebody_else_is_faster(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that others can change is refused too if it comes into place while this process makes its own."""
    link = os.link

    def slow_link(made: Path, place: Path) -> None:
        place.write_bytes(b"a-secret-that-somebody-else-has-chosen-0001")
        place.chmod(0o666)
        link(made, place)

    monkeypatch.setattr(os, "link", slow_link)

    with pytest.raises(ConfigurationError, match="has mode 0666"):
        read_or_create(path)


def test_it_is_made_once(path: Path) -> None:
    """The secret is at least 32 bytes, is read again as it was written, and nothing is left beside it."""
    secret = read_or_create(path)

    assert 32 <= len(secret)
    assert secret == read_or_create(path) == path.read_bytes()
    assert [path] == [*path.parent.iterdir()]


def test_no_two_are_alike(tmp_path: Path) -> None:
    """Each file has a secret of its own."""
    assert 10 == len({read_or_create(tmp_path / f"{number}") for number in range(10)})


def test_processes_that_start_at_once_agree(path: Path) -> None:
    """Two processes that make the file at the same moment go on with one secret."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", START, str(path)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout is not None
        assert "ready\n" == process.stdout.readline()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    secrets = [process.communicate(timeout=30)[0] for process in processes]

    assert {path.read_text()} == set(secrets)
    assert [path] == [*path.parent.iterdir()]


@pytest.mark.skipif(os.name != "posix", reason="no such modes on this system")
@pytest.mark.parametrize("mode", [0o600, 0o400, 0o440, 0o640])
def test_a_file_that_is_private(mode: int, path: Path) -> None:
    """A secret is read that nobody else can read or write, but a group that was let in to read."""
    secret = read_or_create(path)
    path.chmod(mode)

    assert secret == read_or_create(path)


@pytest.mark.skipif(os.name != "posix", reason="no such modes on this system")
@pytest.mark.parametrize("mode", [0o604, 0o602, 0o601, 0o620, 0o644, 0o660, 0o666, 0o777])
def test_a_file_that_others_can_read_or_write(mode: int, path: Path) -> None:
    """A secret that others may know is not used: the message names file, mode and fix, and the file stays as it is."""
    secret = read_or_create(path)
    path.chmod(mode)

    with pytest.raises(ConfigurationError, match=f"secret: {path} has mode {mode:04o}, .*chmod 600.*SECRET"):
        read_or_create(path)
    assert (secret, mode) == (path.read_bytes(), path.stat().st_mode & 0o777)


@pytest.mark.skipif(os.name != "posix", reason="no owners on this system")
@pytest.mark.parametrize(("user", "owner", "is_used"), OWNERS)
def test_whose_file_it_is(user: int, owner: int, is_used: bool, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret is read that belongs to the user of the process or to root, and to nobody else: they know it."""
    secret = read_or_create(path)
    given_away(path, owner, monkeypatch)
    monkeypatch.setattr(os, "geteuid", lambda: user)

    if is_used:
        assert secret == read_or_create(path)
    else:
        with pytest.raises(
            ConfigurationError, match=f"belongs to user {owner}, and this process is user {user}: chown"
        ):
            read_or_create(path)


def given_away(path: Path, owner: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let *path* belong to *owner*: in earnest if the tests run as root, else as far as `fstat` tells."""
    if os.geteuid() == 0:
        os.chown(path, owner, -1)
        return
    fstat = os.fstat

    def told(descriptor: int) -> os.stat_result:
        status = fstat(descriptor)
        return os.stat_result([owner if place == stat.ST_UID else value for place, value in enumerate(status[:10])])

    monkeypatch.setattr(os, "fstat", told)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """Where the file can be neither read nor made, the message names it and the fix."""
    with pytest.raises(ConfigurationError, match=r"secret: .*missing/x can be neither read nor made .*SECRET"):
        read_or_create(tmp_path / "missing" / "x")


def test_a_folder_in_its_place(tmp_path: Path) -> None:
    """Something else by that name is not taken for a secret."""
    with pytest.raises(ConfigurationError, match="secret: "):
        read_or_create(tmp_path)
