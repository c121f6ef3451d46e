"""`fastapi-session doctor`: what is wrong with a deployment, and what to do about it.

| exit code | means |
|---|---|
| 0 | nothing was found at the level, or above it |
| 1 | something was |
| 2 | the command line is wrong |

What could not be looked at is a finding itself. The JSON has the same keys in every version of its schema.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated

import typer

from fastapi_session.cli.deployment import App, configuration_of, named_object, sessions_of
from fastapi_session.cli.opened import quiet
from fastapi_session.cli.printing import AsJson, numbered, print_json
from fastapi_session.doctor.application.installed import Installed, installed_in
from fastapi_session.doctor.examination import examine, refused
from fastapi_session.doctor.finding import Examination, Finding, Level
from fastapi_session.doctor.outside.findings import look_from_outside
from fastapi_session.doctor.outside.reached import reaching
from fastapi_session.errors import ConfigurationError
from fastapi_session.origin import Origin
from fastapi_session.plain_text import printable

Url = Annotated[
    str | None,
    typer.Option(
        "--url", metavar="ORIGIN", help="Where clients reach it, as in https://api.example.com: looks from there too."
    ),
]
Probe = Annotated[
    bool, typer.Option("--probe", help="With --url: make a session, look at what arrives of it, and end it.")
]
FailLevel = Annotated[
    Level, typer.Option("--fail-level", help="From which level on findings are shown, and exit code 1.")
]


def examine_deployment(
    *,
    app: App = None,
    url: Url = None,
    probe: Probe = False,
    fail_level: FailLevel = Level.WARNING,
    json: AsJson = False,
) -> None:
    """Find out what is wrong with the deployment, and say what to do about it."""
    origin = _origin(url)
    if probe and origin is None:
        raise typer.BadParameter("--probe needs --url", param_hint="--probe")
    examination = asyncio.run(_examine(app, origin, probe=probe))
    if json:
        _print_as_json(examination)
    else:
        _tell(examination, fail_level)
    raise typer.Exit(1 if any(found.check.level.reaches(fail_level) for found in examination.findings) else 0)


def _origin(url: str | None) -> Origin | None:
    origin = None if url is None else Origin.parse(url)
    if url is not None and origin is None:
        raise typer.BadParameter("give an origin, as in https://api.example.com", param_hint="--url")
    return origin


async def _examine(app: str | None, url: Origin | None, *, probe: bool) -> Examination:
    """Look at the deployment, from inside and at *url*, each whether or not the other could be looked at."""
    installed = None
    try:
        with quiet():
            installed = _installed(app)
        examination = await examine(installed)
    except ConfigurationError as error:
        examination = refused(error)
    if url is not None:
        await _look_from_outside(url, installed, examination, probe=probe)
    return examination


async def _look_from_outside(
    url: Origin, installed: Installed | None, examination: Examination, *, probe: bool
) -> None:
    """Add to *examination* what is wrong with what is at *url*."""
    with quiet():
        async with reaching(url, None if installed is None else installed.config, probe=probe) as reached:
            await look_from_outside(reached, examination)


def _installed(app: str | None) -> Installed:
    """Return what is installed in the deployment that the option says. Raises `ConfigurationError`."""
    if app is None:
        return Installed(configuration_of(None))
    return installed_in(named_object(app)) or Installed(sessions_of(app).config)


def _print_as_json(examination: Examination) -> None:
    print_json(
        findings=[_as_json(found) for found in examination.findings],
        checked=[check.id for check in examination.checked],
    )


def _as_json(found: Finding) -> dict[str, str]:
    check = found.check
    return {"id": check.id, "level": check.level.value, "says": check.says, "seen": found.seen, "fix": check.fix}


def _tell(examination: Examination, least: Level) -> None:
    shown: Sequence[Finding] = [found for found in examination.findings if found.check.level.reaches(least)]
    for found in sorted(shown, key=lambda each: [*Level].index(each.check.level)):  # the worst first
        typer.echo(f"{found.check.level.value}: {printable(str(found))}")
    hidden = len(examination.findings) - len(shown)
    rest = f", {hidden} below {least.value} not shown" if hidden else ""
    typer.echo(f"{numbered(len(examination.checked), 'check')}, {numbered(len(shown), 'finding')}{rest}")
