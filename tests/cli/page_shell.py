"""The commands of a page, called as they stand there: what is another at each run is made alike before it is compared."""

from __future__ import annotations

import io
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import CommandLine
from tests.pages import ROOT

NAMES = re.compile(r"\b(?:[ds]-)?[0-9a-f]{32}\b")
"""Handles and kids: the page has others than a run."""
MADE_UP = (
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"), "MOMENT"),
    (re.compile(r"fastapi-session/\S+"), "PROGRAM"),
    (re.compile(r"^[\w-]{64}$", re.MULTILINE), "SECRET"),
    (re.compile(r"\bat [\w.]+:\d+$", re.MULTILINE), "at SERVER"),
    # How many remarks there are depends on the machine, as on where its temporary files are.
    (re.compile(r"^\d+ checks, (\d+ findings?)(?:, \d+ below warning not shown)?$", re.MULTILINE), r"ALL checks, \1"),
)
COMMAND = re.compile(r"^\$ (.+)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)
"""A command of a console, and what it prints."""


def alike(text: str) -> str:
    """Return *text* with what is another at each run made alike."""
    text = NAMES.sub(lambda found: f"{'K-' * ('-' in found[0])}{'N' * 32}", text)
    for pattern, name in MADE_UP:
        text = pattern.sub(name, text)
    return text


class Shell:
    """Calls commands as they stand on the page, with the handles and kids of this run in the place of those on the page."""

    def __init__(self, command_line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
        self._command_line = command_line
        self._monkeypatch = monkeypatch
        self._known: dict[str, str] = {}

    def __call__(self, command: str, *more: str, expected: str | None = None, code: int = 0) -> str:
        """Return what *command* prints. What is *expected* of it says which of its names stand for which of the page."""
        sys.modules.pop("main", None)
        program, _, file = self._of_this_run(command).partition(" < ")
        name, *arguments = shlex.split(program)
        assert "fastapi-session" == name
        given = Path(file).read_bytes() if file else b""
        self._monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
        done = self._command_line(*arguments, *more)
        assert (code, code == 0) == (done.code, done.err == "")
        printed = done.out + (f"{done.err.rstrip()}\n" if done.err else "")
        if expected is not None:
            self._known |= dict(zip(NAMES.findall(expected), NAMES.findall(printed), strict=True))
        return printed

    def of_system(self, line: str, *, code: int = 0) -> str:
        """Return what a *line* prints that is for the shell itself, or for another program. The variables that it sets stay."""
        script = f"{self._of_this_run(line)}\nended=$?\nenv --null >&3\nexit $ended\n"
        read, write = os.pipe()
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        with os.fdopen(read) as variables:
            done = subprocess.run(
                ["bash", "-c", script.replace(">&3", f">&{write}")],
                env=os.environ | {"PATH": path, "PYTHONPATH": str(ROOT)},
                pass_fds=[write],
                capture_output=True,
                text=True,
                check=False,
            )
            os.close(write)
            assert (code, code == 0) == (done.returncode, done.stderr == "")
            for name, _, value in (each.partition("=") for each in variables.read().split("\0") if each):
                if name not in {"PATH", "PYTHONPATH", "_", "SHLVL"}:
                    self._monkeypatch.setenv(name, value)
        return done.stdout + done.stderr

    def _of_this_run(self, command: str) -> str:
        return NAMES.sub(lambda found: self._known[found[0]], command)
