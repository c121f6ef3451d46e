"""The command line, called in this process as a shell calls it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from fastapi_session.cli import program


@dataclass(frozen=True)
class Done:
    """What a command left: its exit code, and what it wrote."""

    code: int
    out: str
    err: str


CommandLine = Callable[..., Done]


@pytest.fixture
def command_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """Calls `fastapi-session` with the arguments that are given."""

    def call(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["fastapi-session", *arguments])
        with pytest.raises(SystemExit) as left:
            program.run()
        # As Python does with an exit code that is a text.
        said = left.value.code if isinstance(left.value.code, str) else ""
        code = 1 if said else left.value.code or 0
        out, err = capsys.readouterr()
        return Done(int(code), out, err + said)

    return call
