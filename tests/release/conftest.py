"""The two archives, built from this checkout, and environments in which nothing but them and what they need is installed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.browser.setup import Missing
from tests.pages import ROOT
from tests.release.setup import NAME, fetched

Done = subprocess.CompletedProcess[str]


def run(*command: str, folder: Path | None = None, variables: Mapping[str, str] | None = None) -> Done:
    """What *command* did, with none of the settings that a test or this machine has."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PIP_", "FASTAPI_SESSION_"))
    }
    return subprocess.run(
        command,
        cwd=folder,
        env={**kept, "PIP_CONFIG_FILE": os.devnull, **(variables or {})},
        capture_output=True,
        text=True,
        check=False,
    )


def run_well(*command: str, variables: Mapping[str, str] | None = None) -> Done:
    done = run(*command, variables=variables)
    assert 0 == done.returncode, done.stdout + done.stderr
    return done


@dataclass(frozen=True, slots=True)
class Archives:
    """The source archive, and the wheel that is built from it alone."""

    source: Path
    wheel: Path


@dataclass(frozen=True, slots=True)
class Installed:
    """An environment in which one of the archives is installed, and its programs."""

    folder: Path

    def program(self, name: str) -> str:
        return str(self.folder / "bin" / name)

    def python(self, *arguments: str) -> Done:
        """What its Python did, in its folder."""
        return run(self.program("python"), *arguments, folder=self.folder)


@pytest.fixture(scope="session")
def wheels() -> dict[str, str]:
    """What lets pip install from the wheels that were fetched, and from nowhere else."""
    try:
        place = fetched()
    except Missing as missing:
        pytest.skip(str(missing))
    return {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(place), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


@pytest.fixture(scope="session")
def archives(wheels: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Archives:
    if find_spec("build") is None:
        pytest.skip("build is not installed: it comes with the extra release")
    place = tmp_path_factory.mktemp("dist")
    run_well(sys.executable, "-m", "build", "--outdir", str(place), str(ROOT), variables=wheels)
    [source], [wheel] = place.glob("*.tar.gz"), place.glob("*.whl")
    return Archives(source, wheel)


Install = Callable[..., Installed]


@pytest.fixture(scope="session")
def install(wheels: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Install:
    """Installs an archive into an environment of its own: `install(wheel, "cli", beside=["uvicorn"])`."""

    def installed(archive: Path, *extras: str, beside: tuple[str, ...] = ()) -> Installed:
        folder = tmp_path_factory.mktemp("environment")
        run_well(sys.executable, "-m", "venv", "--without-pip", str(folder))
        pip = (sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install", "--quiet")
        wanted = f"{NAME}[{','.join(extras)}] @ {archive.as_uri()}"
        run_well(*pip, "--no-compile", wanted, *beside, variables=wheels)
        return Installed(folder)

    return installed
