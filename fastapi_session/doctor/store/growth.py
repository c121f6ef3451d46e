"""What a store keeps though nobody needs it any more, and what grows in memory.

| id | looks at | level |
|---|---|---|
| FS181 | many sessions that ended more than a day ago | warning |
| FS182 | many notices of the revocation feed that concern no token any more | warning |
| FS183 | many events that are older than they are to be kept | warning |
| FS184 | events that a store in memory keeps for long | info |

The application deletes them, with sign-ins, at most each quarter of an hour.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from fastapi_session.config import SessionConfig
from fastapi_session.doctor.finding import Check, Finding, Level
from fastapi_session.doctor.store.opened import Opened
from fastapi_session.engine.from_config import key_policy, milliseconds
from fastapi_session.engine.revocation.feed import SLACK
from fastapi_session.plain_text import lasting
from fastapi_session.stores.facts import MOST_COUNTED, ExaminableStore

DAY = 86_400_000
"""Milliseconds that something may be overdue: an application with few sign-ins cleans up rarely."""
MANY = 1_000
"""How much is worth a word. A round deletes all, so whatever is left has survived many rounds."""
LONG_IN_MEMORY = 14 * DAY

_FIX = "see in the log of the application why it cannot clear away, and run fastapi-session sessions purge"

SESSIONS = Check("FS181", Level.WARNING, "expired sessions are not deleted, so tables and backups grow", _FIX)
NOTICES = Check("FS182", Level.WARNING, "old notices are not deleted, so each process reads a feed that grows", _FIX)
EVENTS = Check(
    "FS183",
    Level.WARNING,
    "events are kept for longer than audit_retention says, with their addresses and user agents",
    "with audit on, run fastapi-session sessions purge; if you have switched it off, delete the events by hand",
)
IN_MEMORY = Check(
    "FS184",
    Level.INFO,
    "events are kept in memory for weeks, half a kilobyte each",
    "hand them on to an archive, and set audit_retention to some days",
)

CHECKS = (SESSIONS, NOTICES, EVENTS, IN_MEMORY)


async def growth_findings(opened: Opened) -> AsyncIterator[Finding]:
    """Yield what the store of *opened* keeps too long, if it can say."""
    config, store, now = opened.config, opened.engine.store, opened.clock() - DAY
    if not isinstance(store, ExaminableStore):
        return
    retention = milliseconds(config.audit_retention)
    found = await store.overdue(sessions=now, notices=now - await _needed_for(opened) - SLACK, events=now - retention)
    for check, number in ((SESSIONS, found.sessions), (NOTICES, found.notices), (EVENTS, found.events)):
        if number >= MANY:
            yield check.found(f"{number} or more" if number >= MOST_COUNTED else f"{number} of them")
    if store.kind == "redis" and _keeps_long(config):
        yield IN_MEMORY.found(f"audit_retention is {lasting(config.audit_retention)}")


async def _needed_for(opened: Opened) -> int:
    """Return how long a notice may concern a token, as the feed reckons it: as long as any key lets a token live."""
    keys = await opened.engine.store.signing_keys()
    return max([key_policy(opened.config).token_lifetime, *(key.token_lifetime for key in keys)])


def _keeps_long(config: SessionConfig) -> bool:
    return bool(config.audit) and milliseconds(config.audit_retention) > LONG_IN_MEMORY
