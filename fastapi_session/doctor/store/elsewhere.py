"""The system whose sessions go on here, if there is one.

| id | looks at | level |
|---|---|---|
| FS191 | another system that cannot be read | error |
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from fastapi_session.doctor.finding import Check, Finding, Level
from fastapi_session.errors import ConfigurationError, StoreUnavailable
from fastapi_session.foreign_sessions import ForeignSessions

NOT_READ = Check(
    "FS191",
    Level.ERROR,
    "the system from which sessions are moving cannot be read, so who has not moved yet cannot go on",
    "let its database run and this machine reach it, or leave moving_from out if all have moved",
)

CHECKS = (NOT_READ,)


async def elsewhere_findings(moving_from: ForeignSessions) -> AsyncIterator[Finding]:
    """Yield why *moving_from* cannot be read. Its keys are read, and none is kept here."""
    try:
        await moving_from.open()
        await moving_from.public_keys()
    except (ConfigurationError, StoreUnavailable) as error:
        yield NOT_READ.found(f"{moving_from.name}: {error}")
    finally:
        await moving_from.close()
