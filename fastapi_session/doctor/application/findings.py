"""All that is found in an application and its configuration. It is free: `install` has it done at each start."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi_session.doctor.application.installed import Installed
from fastapi_session.doctor.finding import Check, Finding

CHECKS: tuple[Check, ...] = ()


def checks_for(installed: Installed) -> tuple[Check, ...]:
    """Return which of `CHECKS` can be made of *installed*."""
    del installed
    return CHECKS


def application_findings(installed: Installed) -> Iterator[Finding]:
    """Yield what is wrong with *installed*."""
    del installed
    yield from ()
