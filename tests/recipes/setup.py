"""Fetch what a recipe is about and what cannot be in one environment with all the rest.

Run it by `python -m tests.recipes.setup`. What cannot be had is named in a line that begins with "SKIPPED:", here and by the
tests that would need it; that is no failure. What is fetched stays in `.cache/` of the checkout.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.browser.setup import Missing, run
from tests.pages import ROOT

ARQ = "arq==0.28.0"
"""It wants redis-py older than 6, and would hold back that of all other tests."""


FASTAPI_USERS = "fastapi-users[sqlalchemy]==15.0.5"
"""It wants SQLAlchemy older than 2.1."""


def folder(package: str) -> Path:
    """Where *package* is, with what it requires. That differs from one Python to the next."""
    python = f"{sys.implementation.cache_tag}-{sys.platform}"
    return ROOT / ".cache" / "python" / python / package.replace("==", "-")


def fetched(package: str) -> Path:
    """Return where *package* is. Raises `Missing`."""
    if not folder(package).is_dir():
        raise Missing(package, "it has not been fetched: run python -m tests.recipes.setup")
    return folder(package)


def have(package: str) -> Path:
    """Return where *package* is, fetched now if it was not there: whole, or not at all."""
    place = folder(package)
    place.parent.mkdir(parents=True, exist_ok=True)
    if not place.is_dir():
        with TemporaryDirectory(dir=place.parent) as folder_of_now:
            whole = Path(folder_of_now) / "whole"
            quiet = ("--quiet", "--disable-pip-version-check")
            run(sys.executable, "-m", "pip", "install", *quiet, "--target", str(whole), package, what=package)
            whole.rename(place)
    return place


def main() -> None:
    """Have them, or say why not."""
    for package in (ARQ, FASTAPI_USERS):
        try:
            sys.stdout.write(f"{have(package)}\n")
        except Missing as missing:
            sys.stdout.write(f"{missing}\n")


if __name__ == "__main__":
    main()
