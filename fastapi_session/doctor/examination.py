"""An examination of an application and its store, each whether or not the other could be looked at.

| of the store | then |
|---|---|
| a SQLite file is not there, or the key file that it needs | nothing of it is looked at: to open it would make one |
| it cannot be reached, or not as it is configured | that is what is found |
| it fails in a way that nobody has foreseen, as one of an application's own may | the same |
| any other | it is read, opened if `store.findings` finds nothing against that, and closed |
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from secrets import token_bytes

from fastapi_session.clock import Clock, system_clock
from fastapi_session.config import SessionConfig
from fastapi_session.doctor.application import findings as application
from fastapi_session.doctor.application import variables
from fastapi_session.doctor.application.installed import Installed, embedded_store
from fastapi_session.doctor.finding import Check, Examination, Level
from fastapi_session.doctor.store import findings as store
from fastapi_session.doctor.store.opened import Opened
from fastapi_session.doctor.unforeseen import FAILED, failed
from fastapi_session.engine.assembly import Engine
from fastapi_session.engine.keys import secret_file
from fastapi_session.errors import ConfigurationError, StoreUnavailable
from fastapi_session.stores.sqlite import SqliteStore
from fastapi_session.stores.sqlite.file import is_there

REFUSED = Check(
    "FS001",
    Level.ERROR,
    "the application or its configuration is refused, so nothing starts",
    "mend what is said of it",
)
NOT_REACHED = Check(
    "FS002",
    Level.ERROR,
    "the store cannot be reached, so nothing of it was looked at",
    "let it run, and let this machine reach it",
)
NOT_THERE = Check(
    "FS003",
    Level.INFO,
    "there is no store yet, so nothing of it was looked at",
    "call the doctor where the application runs, after its first start",
)

MISCONFIGURED = Check(
    "FS004",
    Level.ERROR,
    "the store cannot be opened as it is configured, so nothing of it was looked at",
    "mend what is said of it",
)

CHECKS = (REFUSED, NOT_REACHED, NOT_THERE, MISCONFIGURED, FAILED)


def refused(error: ConfigurationError) -> Examination:
    """Return what *error* says of the application or its configuration, with the slips in variables that may be why."""
    said = [REFUSED.found(line) for line in str(error).splitlines()]
    return Examination([REFUSED, variables.STRANGER], [*said, *variables.misspelt_findings()])


async def examine(installed: Installed, *, clock: Clock = system_clock) -> Examination:
    """Look at the application and at the store of *installed*."""
    found = Examination([REFUSED, *application.checks_for(installed)], [*application.application_findings(installed)])
    found.checked += [NOT_REACHED, NOT_THERE, MISCONFIGURED, FAILED]
    try:
        await _look_at_store(installed, found, clock=clock)
    except (ConfigurationError, StoreUnavailable) as error:
        check = NOT_REACHED if isinstance(error, StoreUnavailable) else MISCONFIGURED
        found.findings += [check.found(line) for line in str(error).splitlines()]
    except Exception as error:  # noqa: BLE001 - a store of an application's own may raise anything
        found.findings.append(failed(error))
    return found


async def _look_at_store(installed: Installed, found: Examination, *, clock: Clock) -> None:
    """Add to *found* what is wrong with the store of *installed*. Raises `ConfigurationError`, `StoreUnavailable`."""
    if missing := await _missing(installed.config):
        found.findings.append(NOT_THERE.found(f"{missing} is not there"))
        return
    async with _opened(installed, clock=clock) as opened:
        found.checked += store.checks_for(opened)
        async for finding in store.store_findings(opened):  # one by one: those before an error count
            found.findings.append(finding)


async def _missing(config: SessionConfig) -> Path | None:
    """Return the database that would be made if the store were opened.

    Raises `ConfigurationError` for what is no database, and if a new secret would be made, with which nothing of one that is there
    can be read.
    """
    store = embedded_store(config)
    if not isinstance(store, SqliteStore):
        return None
    database, key_file = Path(store.path), secret_file.beside(store.path)
    if not is_there(database):
        return database
    if not config.secrets and not is_there(key_file):
        await store.facts()  # what is no database needs no secret
        raise ConfigurationError(f"secret: none is configured, and there is no {key_file}")
    return None


@asynccontextmanager
async def _opened(installed: Installed, *, clock: Clock) -> AsyncIterator[Opened]:
    """Give the deployment of *installed*, with an engine of its own, which does nothing by itself, and opens no store."""
    engine = Engine(installed.config, clock=clock, random=token_bytes, subscribers=())
    try:
        yield Opened(installed.config, engine, clock, installed.moving_from)
    finally:
        await engine.close()
