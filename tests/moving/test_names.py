"""The names of `fastapi_session.moving`, some of which need packages that are not installed everywhere."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

from fastapi_session import moving

EXTRAS = ["itsdangerous", "jwt", "redis", "sqlalchemy"]

PROGRAM = f"""
import sys
for package in {EXTRAS}:
    sys.modules[package] = None  # as if it were not installed
from fastapi_session import moving
from fastapi_session.moving import Adopter, Adoption, OldCookie, Presented
try:
    from fastapi_session.moving import StarletteSessions
except ImportError as error:
    print(error)
"""


def test_each_name_is_there() -> None:
    """Each name that is listed can be imported, and no other."""
    assert moving.__all__ == sorted(moving.__all__)
    offered = {name: getattr(moving, name) for name in moving.__all__}
    assert [] == [name for name, value in offered.items() if inspect.isclass(value) and not value.__doc__]
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        getattr(moving, "Nothing")  # noqa: B009 - what a misspelt import comes to


def test_packages_that_are_not_installed() -> None:
    """What needs none of them is there without them, and the error for anything else says what to install."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)

    assert "StarletteSessions needs itsdangerous: pip install 'fastapi-session-auth[adopters]'\n" == done.stdout
