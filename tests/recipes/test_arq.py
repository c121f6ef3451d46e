"""A worker of arq works for the session that asked, over a real queue."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.browser.setup import Missing
from tests.pages import ROOT
from tests.recipes.setup import ARQ, fetched


def test_who_is_signed_in_gets_the_report(valkey_store_url: str) -> None:
    """The report is written for a session that lives; for one that has ended there is none."""
    try:
        path = f"{fetched(ARQ)}{os.pathsep}{ROOT}"
    except Missing as missing:
        pytest.skip(str(missing))
    environment = os.environ | {"PYTHONPATH": path, "QUEUE_URL": valkey_store_url}
    command = [sys.executable, "-m", "tests.recipes.arq_jobs"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stderr

    assert {"asked": 202, "alive": ["a report for ada"], "ended": ["a report for ada"]} == json.loads(done.stdout)
