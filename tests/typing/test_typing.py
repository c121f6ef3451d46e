"""Type checkers infer what an application's sessions and claims are, and refuse what they are not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
FILES = [str(HERE / name) for name in ("typed_sessions.py", "typed_claims.py", "refused.py")]


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)


def skip_unless_it_runs(checker: str) -> None:
    found = run(checker, "--version")
    if found.returncode:
        pytest.skip(f"{checker} does not run here: {(found.stderr or found.stdout).strip()}")


def test_mypy() -> None:
    """Mypy, strict, infers every type of these files."""
    skip_unless_it_runs("mypy")
    done = run("mypy", "--strict", "--warn-unused-ignores", *FILES)

    assert 0 == done.returncode, done.stdout + done.stderr


def test_pyright() -> None:
    """Pyright, strict, infers every type of these files."""
    skip_unless_it_runs("pyright")
    done = run("pyright", "--pythonpath", sys.executable, "--project", str(HERE))

    assert 0 == done.returncode, done.stdout + done.stderr
