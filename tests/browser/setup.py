"""Find or fetch what the browser tests need: Chromium, and npm packages as they were published.

Run it by `python -m tests.browser.setup`. What cannot be had is named in a line that begins with "SKIPPED:", here and by
the tests that would need it; that is no failure. What is fetched stays in `.cache/` of the checkout.

A Chromium of your own is named by the environment variable CHROMIUM.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

CACHE = Path(__file__).parents[2] / ".cache" / "npm"
CLIENT = "supertokens-website"
SWAGGER = "swagger-ui-dist"
"""What the page `/docs` of an application is made of."""
NEXT = "supertokens-auth-react"
"""What renders pages on the server of Next.js."""
HTMX = "htmx.org"
PROVERS = {"dpop": "2.1.2", "oauth4webapi": "3.8.8"}
"""Clients that prove a key by DPoP."""
OF_PAGES = {CLIENT: "20.1.6", SWAGGER: "5.35.0", NEXT: "0.51.3", HTMX: "4.0.1"}
VERSIONS = {**OF_PAGES, **PROVERS, "jose": "6.2.18", "jwks-rsa": "4.1.0"}
HEADLESS = "chromium-headless-shell"
"""Chromium without what it shows to people: a page costs it less than half the processor's time."""
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MINUTES = 60


class Missing(Exception):
    """Something that the tests need cannot be had. The message is the line that says so."""

    def __init__(self, what: str, why: str) -> None:
        super().__init__(f"SKIPPED: {what} because {why}")


def chromium() -> Path:
    """Return where Chromium is."""
    for name in (os.environ.get("CHROMIUM", ""), *BROWSERS):
        if found := shutil.which(name):
            return Path(found)
    raise Missing("Chromium", f"none of {', '.join(BROWSERS)} is on the PATH, and CHROMIUM names none")


def headless_chromium() -> Path:
    """Return where the Chromium is that costs least. It is all the same to a page, except for cookies of another site."""
    found = None if "CHROMIUM" in os.environ else shutil.which(HEADLESS)
    return Path(found) if found else chromium()


def npm_package(name: str) -> Path:
    """Return the folder of the npm package *name*, beside which are those that it requires."""
    manifest = CACHE / "node_modules" / name / "package.json"
    if not manifest.is_file() or json.loads(manifest.read_text("utf-8"))["version"] != VERSIONS[name]:
        raise Missing(f"{name} {VERSIONS[name]}", "it has not been fetched: run python -m tests.browser.setup")
    return manifest.parent


def have_chromium() -> Path:
    """Return where Chromium is, installed now if it was not there."""
    try:
        return chromium()
    except Missing:
        apt_get("chromium", what="Chromium")
    return chromium()


def have_headless_chromium() -> Path:
    """Return where the Chromium is that costs least, which can only be installed where Debian's packages are."""
    if "CHROMIUM" not in os.environ and shutil.which(HEADLESS) is None:
        with suppress(Missing):
            apt_get(HEADLESS, what="a Chromium that costs less")
    return headless_chromium()


def have_npm_package(name: str) -> Path:
    """Return the folder of the npm package *name*, fetched now if it was not there."""
    try:
        return npm_package(name)
    except Missing:
        fetch(name)
    return npm_package(name)


def fetch(name: str) -> None:
    """Fetch a package by npm, which compares it with the checksum of the registry. No script of a package is run."""
    what = f"{name} {VERSIONS[name]}"
    if shutil.which("npm") is None:
        apt_get("npm", what=what)
    CACHE.mkdir(parents=True, exist_ok=True)
    # npm removes what it is not asked for.
    wanted = [f"{each}@{version}" for each, version in VERSIONS.items()]
    quiet = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-save")
    # In milliseconds: who is offline learns it before losing patience.
    soon = ("--fetch-retries=1", "--fetch-timeout=20000")
    run("npm", "install", *quiet, *soon, "--prefix", str(CACHE), *wanted, what=what)


def apt_get(package: str, *, what: str) -> None:
    """Install a *package* of the system, where that is Debian and ours to change."""
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        raise Missing(what, f"{package} is not installed, and installing it needs apt-get and root")
    run("apt-get", "update", "--quiet", what=what)
    run("apt-get", "install", "--yes", "--quiet", "--no-install-recommends", package, what=what)


def run(*command: str, what: str) -> None:
    """Run *command*, and say that *what* is missing if it fails."""
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=10 * MINUTES, env=environment)
    except subprocess.TimeoutExpired as error:
        raise Missing(what, f"{command[0]} did not end within ten minutes") from error
    except (subprocess.CalledProcessError, OSError) as error:
        said = (getattr(error, "stderr", "") or "").strip() or str(error)
        raise Missing(what, f"{command[0]} failed: {said.splitlines()[-1]}") from error


def main() -> None:
    """Have everything, as far as it can be had, and say what."""
    needs: list[Callable[[], Path]] = [have_chromium, have_headless_chromium]
    needs += [partial(have_npm_package, name) for name in VERSIONS]
    for need in needs:
        try:
            sys.stdout.write(f"{need()}\n")
        except Missing as missing:
            sys.stdout.write(f"{missing}\n")


if __name__ == "__main__":
    main()
