"""What commands do at a terminal: they ask, they hide what is secret, and show how far they are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fastapi_session import Sessions
from tests.cli.deployments import configured, handles_of, in_application, signed_in

pty = pytest.importorskip("pty")
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def deployment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configured(monkeypatch, tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


class Terminal:
    """A terminal: what is typed there, and what is seen."""

    def __init__(self) -> None:
        self._own, self.its_end = pty.openpty()

    def type(self, text: str) -> None:
        os.write(self._own, text.encode())

    def read(self) -> str:
        """Return what is seen next."""
        return os.read(self._own, 65_536).decode()

    def seen(self) -> str:
        """All that is seen until now. Close the program first."""
        os.close(self.its_end)
        found = b""
        try:
            while piece := os.read(self._own, 65_536):
                found += piece
        except OSError:  # as Linux says that nobody writes there any more
            pass
        os.close(self._own)
        return found.decode()


@pytest.fixture
def terminal() -> Terminal:
    return Terminal()


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "fastapi_session", *arguments]


@pytest.mark.parametrize(("answer", "code"), [("n\n", 1), ("y\n", 0)])
def test_it_asks(answer: str, code: int, terminal: Terminal) -> None:
    """It asks how many sessions of whom are to end, and ends them only after a yes."""
    [handle] = signed_in("alice")
    terminal.type(answer)
    done = subprocess.run(
        command("sessions", "revoke", handle), stdin=terminal.its_end, capture_output=True, text=True, check=False
    )
    terminal.seen()

    assert code == done.returncode
    assert "End 1 session of alice? [y/N]" in done.stderr
    assert ([] if answer == "y\n" else [handle]) == handles_of("alice")


def test_a_token_is_not_shown(terminal: Terminal) -> None:
    """What is typed as a token is not seen, and what is said of it can be kept."""

    async def create(sessions: Sessions) -> str:
        return (await sessions.create("alice")).tokens.refresh_token or ""

    token = in_application(create)
    with subprocess.Popen(
        command("explain"),
        stdin=terminal.its_end,
        stderr=terminal.its_end,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as program:
        wait_for(terminal, "Token: ")
        terminal.type(f"{token}\n")
        assert program.stdout is not None
        said = program.stdout.read().decode()

    assert 0 == program.returncode
    assert "row      D3 CURRENT" in said
    assert token[:10] not in terminal.seen() + said


def wait_for(terminal: Terminal, text: str) -> None:
    """Read what is seen until it ends with *text*: from then on nothing that is typed is shown."""
    found = ""
    while not found.endswith(text):
        found += terminal.read()


def test_how_far_it_is(terminal: Terminal) -> None:
    """Long work shows on the standard error how far it is, and what is said at the end is without it."""
    signed_in("alice", "bob")
    done = subprocess.run(
        command("sessions", "count"), stderr=terminal.its_end, stdout=subprocess.PIPE, text=True, check=False
    )

    assert (0, "2 sessions\n  tenant public: 2\n  kind default: 2\n") == (done.returncode, done.stdout)
    assert "sessions" in terminal.seen()
