"""The program: how it is called, and that it says what is missing."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from importlib.metadata import EntryPoint, version
from pathlib import Path

import pytest

from fastapi_session import __main__
from tests.cli.conftest import CommandLine
from tests.cli.deployments import configured, signed_in

ROOT = Path(__file__).parents[2]
FULL = Path("/dev/full")

WITHOUT_TYPER = """
import sys
sys.modules["typer"] = None
from fastapi_session.__main__ import main
main()
"""


INTERRUPTED = """
import sys
class Interrupting:
    @staticmethod
    def find_spec(name, *_):
        if name == "typer":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupting)
from fastapi_session.__main__ import main
main()
"""


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)


def test_the_version(command_line: CommandLine) -> None:
    """`--version` says which version is installed."""
    done = command_line("--version")

    assert (0, version("fastapi-session-auth")) == (done.code, done.out.strip())


def test_a_command_that_is_none(command_line: CommandLine) -> None:
    """What is no command is a wrong command line."""
    done = command_line("remove-everything")

    assert 2 == done.code
    assert "remove-everything" in done.err


def test_as_a_module() -> None:
    """`python -m fastapi_session` is the same program."""
    done = python("-m", "fastapi_session", "--version")

    assert (0, version("fastapi-session-auth"), "") == (done.returncode, done.stdout.strip(), done.stderr)


def test_an_output_that_lacks_letters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that the encoding of the output has no letters for is printed with escapes, as where a console has a code page."""
    configured(monkeypatch, tmp_path)
    [handle] = signed_in("Łukasz")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYTHONIOENCODING", "latin-1")
    done = python("-m", "fastapi_session", "sessions", "show", handle)

    assert (0, "") == (done.returncode, done.stderr)
    assert r"\u0141ukasz" in done.stdout


@pytest.mark.skipif(not FULL.exists(), reason="this system has no device that is always full")
@pytest.mark.parametrize("command", [["secret", "make"], ["--help"], ["--version"]])
def test_an_output_that_is_full(command: list[str]) -> None:
    """A full disk is told in a line."""
    with FULL.open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "fastapi_session", *command],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    assert (1, "error: the output cannot be written: No space left on device\n") == (done.returncode, done.stderr)


def test_an_output_that_nobody_reads() -> None:
    """A pipe that is closed ends a command in silence."""
    reads, writes = os.pipe()
    os.close(reads)
    with os.fdopen(writes, "w") as closed:
        done = subprocess.run(
            [sys.executable, "-m", "fastapi_session", "secret", "make"],
            stdout=closed,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    assert (1, "") == (done.returncode, done.stderr)


def test_without_the_extra() -> None:
    """Without typer the program says in a line how it is installed."""
    done = python("-c", WITHOUT_TYPER)

    assert 1 == done.returncode
    assert ["fastapi-session needs typer, which comes with pip install 'fastapi-session-auth[cli]'"] == (
        done.stderr.splitlines()
    )


def test_ctrl_c_at_once() -> None:
    """Ctrl-C while the program is still imported ends it without a traceback."""
    done = python("-c", INTERRUPTED)

    assert (130, "", "") == (done.returncode, done.stdout, done.stderr)


def test_the_script() -> None:
    """The script `fastapi-session` calls the function that looks whether the extra is there."""
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["scripts"]

    assert ["fastapi-session"] == [*scripts]
    assert __main__.main is EntryPoint("fastapi-session", scripts["fastapi-session"], "console_scripts").load()
