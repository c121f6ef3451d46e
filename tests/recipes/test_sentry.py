"""What Sentry, set up as the recipe does it, is sent about an error: the user and the handle, and no token."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from tests.pages import ROOT

PIECE = 24
"""So many characters of a token in a row are too many."""


def test_no_token_is_sent() -> None:
    """A broken route is told with its user, its session and its variables, but with no piece of a token; a refusal is not."""
    command = [sys.executable, "-m", "tests.recipes.sentry_events"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stderr
    said = json.loads(done.stdout)

    assert ["cookie", "header"] == [*said]
    for told in said.values():
        [event] = told["events"]
        text = json.dumps(event)
        pieces = {token[i : i + PIECE] for token in told["tokens"] for i in range(len(token) - PIECE + 1)}
        last = event["exception"]["values"][-1]
        assert [500, 401] == told["statuses"]
        assert len(pieces) > 10 * PIECE
        assert [] == [piece for piece in pieces if piece in text]
        assert ("ada", "ZeroDivisionError") == (event["user"]["id"], last["type"])
        assert len(event["tags"]["session"]) >= PIECE
        assert "vars" in last["stacktrace"]["frames"][-1]
