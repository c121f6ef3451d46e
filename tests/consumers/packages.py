"""Programs on Node, with npm packages as they were published."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.browser.setup import CACHE, Missing, npm_package

HERE = Path(__file__).parent


def node(script: str, *arguments: str, package: str) -> Any:
    """Run *script*, which is told where npm packages are and then *arguments*. Return the JSON that it prints.

    The test is skipped by name if Node or *package* is not there.
    """
    program = shutil.which("node")
    if program is None:
        pytest.skip("SKIPPED: Node because no node is on the PATH")
    try:
        npm_package(package)
    except Missing as missing:
        pytest.skip(str(missing))
    command = [program, str(HERE / script), str(CACHE), *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert 0 == ran.returncode, ran.stderr
    return json.loads(ran.stdout)
