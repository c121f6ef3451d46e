"""`fastapi-session secret check`: whether the configured secrets are good ones. None of them is printed, nor a part of one.

| what is found | it is |
|---|---|
| a secret that is too short, or that anybody can guess | a problem |
| two that are equal, or have the same number | a problem |
| a key file that others can read or change | a problem |
| none at all, and no key file | a problem |
| several, a key file, one with blanks around it | a remark |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import typer

from fastapi_session.cli.deployment import App
from fastapi_session.cli.opened import quiet_configuration
from fastapi_session.cli.printing import AsJson, numbered, print_json
from fastapi_session.clock import system_clock
from fastapi_session.config import SessionConfig
from fastapi_session.core.secret import Secret, Secrets
from fastapi_session.engine.from_config import configured_store
from fastapi_session.engine.keys import secret_file
from fastapi_session.errors import ConfigurationError
from fastapi_session.secret_strength import MAKE_A_SECRET, weakness
from fastapi_session.stores.sqlite import SqliteStore

_SETTING = "secret:"

Source = Literal["configuration", "key file"]


@dataclass(slots=True)
class _Report:
    """What is said of the secrets, each by its length and the number in the tokens that it made."""

    secrets: list[dict[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def check_secret(*, json: AsJson = False, app: App = None) -> None:
    """Check the secrets of the deployment. Exit code 1 says that there is a problem."""
    report = _report(app)
    if json:
        print_json(secrets=report.secrets, problems=report.problems, remarks=report.remarks)
    else:
        _tell(report)
    raise typer.Exit(1 if report.problems else 0)


def _tell(report: _Report) -> None:
    for place, secret in enumerate(report.secrets):
        role = "makes and reads tokens" if place == 0 else "reads tokens"
        typer.echo(f"secret {place + 1}: {numbered(secret['bytes'], 'byte')}, from the {secret['source']}, {role}")
    for remark in report.remarks:
        typer.echo(f"note: {remark}")
    for problem in report.problems:
        typer.echo(f"problem: {problem}", err=True)
    if not report.problems:
        typer.echo("nothing is wrong")


def _report(app: str | None) -> _Report:
    report = _Report()
    try:
        config = quiet_configuration(app)
        _look_at(*_materials(config), report)
    except ConfigurationError as error:
        # What is wrong with a secret is a finding, whichever way it was found. What is wrong elsewhere has to be mended first.
        found = [line for line in str(error).splitlines() if line.startswith(_SETTING)]
        if not found:
            raise
        report.problems += [line.removeprefix(_SETTING).strip() for line in found]
    return report


def _materials(config: SessionConfig) -> tuple[Sequence[bytes], Source]:
    """Return the secrets, newest first, and where they are from. Raises `ConfigurationError` if there is none."""
    if config.secrets:
        return config.secrets, "configuration"
    store = configured_store(config, clock=system_clock)
    material = secret_file.read(secret_file.beside(store.path)) if isinstance(store, SqliteStore) else None
    if material is None:
        raise ConfigurationError(f"{_SETTING} there is none (FASTAPI_SESSION_SECRET); {MAKE_A_SECRET}")
    return (material,), "key file"


def _look_at(materials: Sequence[bytes], source: Source, report: _Report) -> None:
    """Add what is to be said of *materials*. Raises `ConfigurationError` if they cannot be used."""
    secrets = [*map(Secret.from_material, materials)]
    for material, secret in zip(materials, secrets, strict=True):
        report.secrets.append({"bytes": len(material), "kid": secret.kid, "source": source})
    weak = [(place, why) for place, why in enumerate(map(weakness, materials), 1) if why is not None]
    report.problems += [f"secret {place}: {why}, so anybody can guess it; {MAKE_A_SECRET}" for place, why in weak]
    blank = [place for place, material in enumerate(materials, 1) if material != material.strip()]
    report.remarks += [f"secret {place} has blanks around it, which belong to it" for place in blank]
    if source == "key file":
        report.remarks.append(
            "a copy of the file is needed wherever the database goes; an https address needs one configured"
        )
    if len(materials) > 1:
        report.remarks.append(
            "the earlier ones can go when keys list names no key of theirs, and all sessions have refreshed or ended"
        )
    Secrets(secrets)
