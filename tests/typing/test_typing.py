"""Type checkers infer what an application's sessions and claims are, and refuse what they are not.

They find no fault with the examples of the documentation either.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pages import EXAMPLES, PAGES, files_of

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
FILES = [str(HERE / name) for name in ("typed_sessions.py", "typed_claims.py", "refused.py")]


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **environment}
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


def skip_unless_it_runs(checker: str) -> None:
    found = run(checker, "--version")
    if found.returncode:
        pytest.skip(f"{checker} does not run here: {(found.stderr or found.stdout).strip()}")


def test_mypy() -> None:
    """Mypy, strict, infers every type of these files."""
    skip_unless_it_runs("mypy")
    done = run("mypy", "--strict", "--warn-unused-ignores", *FILES)

    assert 0 == done.returncode, done.stdout + done.stderr


@pytest.mark.timeout(600)  # What mypy has not looked at before, it reads from every package that a page is about.
def test_mypy_on_the_pages(tmp_path: Path) -> None:
    """Mypy, strict, finds nothing to say of what a reader copies from any page: its examples in one file, and each file that it names.

    Modules of the reader, and packages that come without types, are of no known type to it.
    """
    skip_unless_it_runs("mypy")
    for name in PAGES:
        folder = tmp_path / re.sub(r"\W", "_", name)
        files = {file: text for file, text in files_of(name).items() if file.endswith(".py") and "/" not in file}
        if name in EXAMPLES:
            files["page.py"] = EXAMPLES[name]
        for file, text in files.items():
            folder.mkdir(exist_ok=True)
            (folder / file).write_text(text, "utf-8")
    lenient = (
        "--disable-error-code=import-not-found",
        "--disable-error-code=import-untyped",
        "--allow-untyped-decorators",
    )
    done = run("mypy", "--strict", *lenient, str(tmp_path), MYPYPATH=str(tmp_path))

    assert 0 == done.returncode, done.stdout + done.stderr


def test_pyright() -> None:
    """Pyright, strict, infers every type of these files."""
    skip_unless_it_runs("pyright")
    done = run("pyright", "--pythonpath", sys.executable, "--project", str(HERE))

    assert 0 == done.returncode, done.stdout + done.stderr
