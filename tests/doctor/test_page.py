"""The page on the doctor: its application has the faults that the page says, and its test finds them."""

from __future__ import annotations

import importlib
import secrets
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import CommandLine, command_line
from tests.pages import examples_of, files_of

__all__ = ["command_line"]

PAGE = "docs/doctor.md"


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files of the page, and a secret in the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("FASTAPI_SESSION_SECRET", secrets.token_urlsafe(48))
    for name, text in files_of(PAGE).items():
        (tmp_path / name).write_text(text, "utf-8")
        monkeypatch.delitem(sys.modules, name.removesuffix(".py"), raising=False)
    return tmp_path


def test_what_is_printed(page: Path, command_line: CommandLine) -> None:
    """The command prints what the page says, exits with 1, and makes no file."""
    before = sorted(each.name for each in page.iterdir() if each.suffix)
    shown = examples_of(PAGE, "console")[0]
    command, _, printed = shown.removeprefix("$ fastapi-session ").partition("\n")
    done = command_line(*command.split())

    assert (1, printed, "") == (done.code, done.out, done.err)
    assert before == sorted(each.name for each in page.iterdir() if each.suffix)


def test_the_test(page: Path) -> None:
    """The test of the page fails while the mistakes are there, and passes once they are gone."""
    test = importlib.import_module("test_deployment")
    with pytest.raises(AssertionError, match="Right contains 2 more items"):
        test.test_the_doctor_finds_nothing()

    for name in ("main", "test_deployment"):
        del sys.modules[name]
    text = (page / "main.py").read_text("utf-8").replace("/v1/auth", "/auth")
    (page / "main.py").write_text(text.replace('["https://example.com"]', '["https://www.example.com"]'), "utf-8")
    importlib.import_module("test_deployment").test_the_doctor_finds_nothing()
