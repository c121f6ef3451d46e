"""All that is found in a store."""

from __future__ import annotations

from collections.abc import AsyncIterator

from fastapi_session.doctor.finding import Check, Finding
from fastapi_session.doctor.store.opened import Opened

CHECKS: tuple[Check, ...] = ()


def checks_for(opened: Opened) -> tuple[Check, ...]:
    """Return which of `CHECKS` can be made of *opened*: those of its kind of store."""
    del opened
    return CHECKS


async def store_findings(opened: Opened) -> AsyncIterator[Finding]:
    """Yield what is wrong with the store of *opened*. Raises `StoreUnavailable` if it goes away meanwhile."""
    del opened
    none: tuple[Finding, ...] = ()
    for finding in none:
        yield finding
