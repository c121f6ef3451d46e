"""All that is found from outside."""

from __future__ import annotations

from collections.abc import AsyncIterator

from fastapi_session.doctor.finding import Check, Finding
from fastapi_session.doctor.outside.reached import Reached

CHECKS: tuple[Check, ...] = ()


def checks_for(reached: Reached) -> tuple[Check, ...]:
    """Return which of `CHECKS` can be made of *reached*: some need its configuration, some a session."""
    del reached
    return CHECKS


async def outside_findings(reached: Reached) -> AsyncIterator[Finding]:
    """Yield what is wrong with what *reached* shows. A deployment that cannot be reached is a finding too."""
    del reached
    none: tuple[Finding, ...] = ()
    for finding in none:
        yield finding
