"""Fetch the wheels with which the archives are built and installed, so that the tests need no registry.

Run it by `python -m tests.release.setup`. What cannot be had is named in a line that begins with "SKIPPED:", here and by the
tests that would need it; that is no failure. What is fetched stays in `.cache/` of the checkout.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.browser.setup import Missing, run
from tests.pages import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
NAME = PROJECT["project"]["name"]
EXTRAS = ("cli", "sql")
BESIDE = ("aiosqlite", "uvicorn")
"""What README.md installs beside this library, and a driver for the tables."""
WHAT = "wheels for a clean environment"


def wanted() -> list[str]:
    """Return what an archive is built with and what it needs when it is installed, with these extras."""
    project = PROJECT["project"]
    extras = [each for extra in EXTRAS for each in project["optional-dependencies"][extra]]
    return sorted({*PROJECT["build-system"]["requires"], *project["dependencies"], *extras, *BESIDE})


def folder() -> Path:
    """Where the wheels are. They differ from one Python to the next."""
    return ROOT / ".cache" / "wheels" / f"{sys.implementation.cache_tag}-{sys.platform}"


def fetched() -> Path:
    """Return where the wheels are. Raises `Missing`."""
    told = folder() / "wanted.txt"
    if not told.is_file() or told.read_text("utf-8").splitlines() != wanted():
        raise Missing(WHAT, "they have not been fetched: run python -m tests.release.setup")
    return folder()


def have() -> Path:
    """Return where the wheels are, fetched now if they were not there: all, or none."""
    try:
        return fetched()
    except Missing:
        place = folder()
    place.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=place.parent) as folder_of_now:
        whole = Path(folder_of_now) / "whole"
        quiet = ("--quiet", "--disable-pip-version-check", "--only-binary=:all:")
        run(sys.executable, "-m", "pip", "download", *quiet, "--dest", str(whole), *wanted(), what=WHAT)
        (whole / "wanted.txt").write_text("\n".join(wanted()), "utf-8")
        if place.exists():
            place.rename(Path(folder_of_now) / "old")
        whole.rename(place)
    return place


def main() -> None:
    """Have them, or say why not."""
    try:
        sys.stdout.write(f"{have()}\n")
    except Missing as missing:
        sys.stdout.write(f"{missing}\n")


if __name__ == "__main__":
    main()
