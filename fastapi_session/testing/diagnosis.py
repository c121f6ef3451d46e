"""What the doctor finds in an application, for a test that wants it to find nothing."""

from __future__ import annotations

from fastapi import FastAPI

from fastapi_session.clock import Clock, system_clock
from fastapi_session.doctor.application.installed import installed_in
from fastapi_session.doctor.examination import examine
from fastapi_session.doctor.finding import Finding, Level
from fastapi_session.errors import ConfigurationError
from fastapi_session.sessions import Sessions


async def findings_of(
    app: FastAPI | Sessions, *, level: Level = Level.WARNING, clock: Clock = system_clock
) -> tuple[Finding, ...]:
    """Return what `fastapi-session doctor` finds in *app* and its store, of *level* and worse: `assert () == await findings_of(app)`.

    The store is opened, read and closed, with connections of its own unless the configuration has a store object; nothing is
    written. A store that cannot be opened is a finding. *clock* is the one that the store's is compared with.
    Raises `ConfigurationError` if *app* has no sessions.
    """
    installed = installed_in(app)
    if installed is None:
        raise ConfigurationError("findings_of: this application has no sessions, call install for it first")
    examination = await examine(installed, clock=clock)
    return tuple(found for found in examination.findings if found.check.level.reaches(level))
