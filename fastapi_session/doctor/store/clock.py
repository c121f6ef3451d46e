"""The clock of the store, which decides about deadlines, against that of this machine, which decides about access tokens.

| id | looks at | level |
|---|---|---|
| FS101 | clocks that differ by more than 5 seconds | warning |
| FS102 | clocks that differ by more than a minute | error |

A store on this machine has its clock, and differs by nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

from fastapi_session.doctor.finding import Check, Finding, Level
from fastapi_session.doctor.store.opened import Opened
from fastapi_session.engine.store_clock import store_now
from fastapi_session.plain_text import lasting

NOTICED = 5_000
"""Milliseconds that a clock may be off by before it is worth a word."""
HARMFUL = 60_000
"""Milliseconds from which on tokens are refused, and keys sign that are not published yet."""

APART = Check(
    "FS101",
    Level.WARNING,
    "the clocks of the store and of this machine differ",
    "synchronise both machines by NTP",
)
FAR_APART = Check(
    "FS102",
    Level.ERROR,
    "the clocks of the store and of this machine differ by more than a minute, so sessions and tokens end at wrong times",
    "synchronise both machines by NTP",
)

CHECKS = (APART, FAR_APART)


async def clock_findings(opened: Opened) -> AsyncIterator[Finding]:
    """Yield how far the clocks of *opened* are apart, if they are. The time that the reading took counts for nobody."""
    before = opened.clock()
    by_store = await store_now(opened.engine.store)
    after = opened.clock()
    ahead, behind = by_store - after, before - by_store
    if (apart := max(ahead, behind)) > NOTICED:
        check = FAR_APART if apart > HARMFUL else APART
        off = lasting(timedelta(seconds=round(apart / 1000)))
        yield check.found(f"the store's is {off} {'ahead' if ahead > behind else 'behind'}")
