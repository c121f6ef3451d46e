"""The page on the command line: each command on it is called, and prints what the page says; its JSON has the keys that it says."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from fastapi_session import Sessions
from fastapi_session.cli import program
from fastapi_session.model import Circumstances
from fastapi_session.secret_strength import weakness
from tests.cli.conftest import CommandLine
from tests.cli.deployments import in_application
from tests.cli.page_shell import Shell, alike
from tests.pages import TEXTS, examples_of, files_of

PAGE = "docs/command-line.md"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.5 Mobile/15E148 Safari/604.1"
)


@pytest.fixture(autouse=True)
def application(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The application of the page, in an empty folder: Ada has signed in by two devices, Bob by one, and another user long ago."""
    monkeypatch.chdir(tmp_path)
    for name in ("SECRET", "STORE", "AUDIT"):
        monkeypatch.delenv(f"FASTAPI_SESSION_{name}", raising=False)
    for name, text in files_of(PAGE).items():
        (tmp_path / name).write_text(text, "utf-8")
    monkeypatch.setattr(sys, "path", [*sys.path])
    with monkeypatch.context() as configured:
        configured.setenv("FASTAPI_SESSION_AUDIT", "true")
        for user, agent, ago in (
            ("ada", FIREFOX, timedelta(days=3)),
            ("ada", SAFARI, timedelta(hours=2)),
        ):
            signed_in(user, agent, ago)
        (tmp_path / "token.txt").write_text(signed_in("bob", FIREFOX, timedelta(hours=1)), "utf-8")
        signed_in("old", FIREFOX, timedelta(days=101))
    try:
        yield
    finally:
        sys.modules.pop("main", None)


def signed_in(user: str, agent: str, ago: timedelta) -> str:
    async def create(sessions: Sessions) -> str:
        circumstances = Circumstances("203.0.113.7", agent)
        return (await sessions.create(user, circumstances=circumstances)).tokens.refresh_token or ""

    return in_application(create, ago=ago)


@pytest.fixture
def shell(command_line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> Shell:
    return Shell(command_line, monkeypatch)


def commands() -> list[tuple[str, str]]:
    """Each command of the page, with what it prints there."""
    blocks = "".join(examples_of(PAGE, "console"))
    found = re.findall(r"^\$ (fastapi-session .+)\n((?:(?!\$ ).*\n)*)", blocks, re.MULTILINE)
    return [(command, printed) for command, printed in found if "copy" not in command]


def test_what_is_printed(shell: Shell) -> None:
    """Each command, called in the order of the page, prints what the page says."""
    found = commands()
    assert 16 == len(found)
    for command, printed in found:
        assert (command, alike(printed)) == (command, alike(shell(command, expected=printed)))


def test_the_secret_of_the_page_is_none() -> None:
    """Who copies the secret from the page is told that everybody knows it."""
    [(printed)] = [printed.strip() for command, printed in commands() if "secret make" in command]

    assert weakness(printed.encode()) is not None


def keys_of(name: str, *, before: str = "") -> list[str]:
    """The keys that the page says of the row *name* of its tables of JSON."""
    [found] = re.findall(
        rf"^\| {before}`{name}` \| .*`([a-z_ ]+)` \|$", TEXTS[PAGE].partition("## JSON")[2], re.MULTILINE
    )
    return str(found).split()


def test_the_json_of_each_command(shell: Shell) -> None:
    """The JSON of each command has the keys that the page says, in that order, and what is in it has those too."""
    said: dict[str, dict[str, Any]] = {}
    for command, printed in commands():
        group, verb = command.split()[1:3]
        name = group if group in {"explain", "migrate", "events"} else f"{group} {verb}"
        if name == "events":
            continue
        if "--yes" in command or name not in said:
            said[name] = json.loads(shell(command, "--json"))
            if "--yes" not in command:
                shell(command, expected=printed)
    assert {name: ["version", *keys_of(name)] for name in said} == {name: [*each] for name, each in said.items()}
    assert (14, {1}) == (len(said), {each["version"] for each in said.values()})
    session = keys_of("sessions")
    assert session == [*said["sessions list"]["sessions"][0]]
    assert [*session, *keys_of("session")] == [*said["sessions show"]["session"]]
    assert keys_of("keys") == [*said["keys list"]["keys"][0]]
    assert keys_of("secrets") == [*said["secret check"]["secrets"][0]]
    assert keys_of("deleted") == [*said["sessions purge"]["deleted"]]


def test_the_json_of_long_work(shell: Shell) -> None:
    """The JSON of a copy has the keys that the page says, in that order; so has that of an import, which its own tests have whole."""
    shutil.copy("sessions.db.secret", "new.db.secret")
    said = json.loads(shell("fastapi-session copy main:app sqlite:///new.db --app main:app", "--json"))

    assert ["version", *keys_of("copy")] == [*said]
    assert keys_of("sessions` of `copy") == [*said["sessions"]]
    assert "written store tenants remarks".split() == keys_of("import supertokens")
    assert "read kept renewed there ended dropped expired unfit".split() == keys_of("tenants", before="each in ")


def test_every_command_has_its_place() -> None:
    """The page tells of every command."""
    words = {*re.findall(r"[\w-]+", " ".join(re.findall(r"`([^`\n]+)`", TEXTS[PAGE])))}
    groups = [program.program, *(group.typer_instance for group in program.program.registered_groups)]
    commands = {each.name for group in groups if group is not None for each in group.registered_commands if each.name}

    assert {"list", "rotate", "explain"} <= commands <= words
