"""Which deployment a command is about, and what is said if that cannot be found."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastapi_session import ConfigurationError, Sessions
from fastapi_session.cli.deployment import configuration_of, named_object, sessions_of

MODULE = "an_application_of_this_test"
SOURCE = """
from fastapi import FastAPI
from fastapi_session import SessionConfig, Sessions, install

config = SessionConfig(store="memory:", cookie_prefix="mine")
app = FastAPI()
engine = install(app, config)
sessions = Sessions(config)
bare = FastAPI()

class room:
    app = app

def create_app():
    return app

def broken():
    raise RuntimeError("the password is lovelace")

def ended():
    raise SystemExit(0)

async def create_later():
    return app
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory with an application in it."""
    (tmp_path / f"{MODULE}.py").write_text(SOURCE, "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    try:
        yield tmp_path
    finally:
        sys.modules.pop(MODULE, None)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("name", ["app", "room.app", "create_app()", "engine"])
def test_an_application(name: str) -> None:
    """An application is named by its module and its name there, as for a server; a function that makes one is called."""
    engine = named_object(f"{MODULE}:engine")

    assert engine is sessions_of(f"{MODULE}:{name}")


@pytest.mark.usefixtures("folder")
def test_sessions() -> None:
    """Sessions may be named themselves."""
    assert "mine" == configuration_of(f"{MODULE}:sessions").cookie_prefix


def test_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without an application the environment says which deployment is meant; asking for its configuration makes no file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FASTAPI_SESSION_STORE", "sqlite:///mine.db")
    monkeypatch.delenv("FASTAPI_SESSION_SECRET", raising=False)

    assert "sqlite:///mine.db" == configuration_of(None).store
    assert [] == [*tmp_path.iterdir()]
    assert isinstance(sessions_of(None), Sessions)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("main", "main: give the name of a module, a colon and a name in it, as in main:app"),
        ("postgresql://ada:lovelace@host/db", "postgresql://ada:***@host/db: give the name of a module"),
        ("postgresql:/ada:lovelace@host/db", "this: give the name of a module"),
        ("ada:lovelace@host", "this: give the name of a module"),
        ("no_such_module:app", "no_such_module:app: ModuleNotFoundError: No module named 'no_such_module'"),
        (f"{MODULE}:nothing", f"{MODULE}:nothing: AttributeError: module '{MODULE}' has no attribute 'nothing'"),
        (f"{MODULE}:bare", f"--app: {MODULE}:bare is a FastAPI without sessions; name the FastAPI application"),
        (f"{MODULE}:broken", f"--app: {MODULE}:broken is a function without sessions"),
        (f"{MODULE}:create_later()", f"{MODULE}:create_later(): a function that is async is not called"),
    ],
)
def test_a_wrong_place(place: str, said: str) -> None:
    """What is wrong with `--app` is said with the fix, and without what is secret in it."""
    with pytest.raises(ConfigurationError) as refused:
        sessions_of(place)

    assert said in str(refused.value)
    assert "lovelace" not in str(refused.value)
    assert ", line " not in str(refused.value)  # of a file that is none of theirs


def test_an_error_of_the_application(folder: Path) -> None:
    """Of an error of the application it is said what it is and where, and not its text, which may have anything in it."""
    line = SOURCE.splitlines().index('    raise RuntimeError("the password is lovelace")') + 1
    with pytest.raises(ConfigurationError) as refused:
        sessions_of(f"{MODULE}:broken()")

    assert f"{MODULE}:broken(): RuntimeError ({folder / MODULE}.py, line {line})" == str(refused.value)


@pytest.mark.usefixtures("folder")
def test_an_application_that_ends_itself() -> None:
    """An application that ends the program has failed, whatever exit code it gives."""
    with pytest.raises(ConfigurationError, match=r"ended\(\): SystemExit"):
        sessions_of(f"{MODULE}:ended()")
