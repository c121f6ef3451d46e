"""The pages of administrators where their extra is not installed."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
sys.modules["starlette_admin"] = None  # as if it were not installed
import fastapi_session
try:
    import fastapi_session.admin.pages
except ImportError as error:
    print(error)
"""


def test_the_error_says_what_to_install() -> None:
    """The package is there without them, and the error for the pages names the extra."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)

    assert "these pages need starlette_admin: pip install 'fastapi-session-auth[admin]'\n" == done.stdout
