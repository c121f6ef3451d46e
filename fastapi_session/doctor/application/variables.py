"""Whether what the environment says is what counts.

| id | looks at | level |
|---|---|---|
| FS083 | variables that begin as settings do and are none, or are settings but for a slip in how they begin | warning |
| FS084 | variables of settings that the application sets itself | warning |

One that begins as settings do, and is one but for its spelling, is refused before anything starts. Slips in the beginning are looked
for in that of this package alone: a prefix of an application's own may lie close to another of its prefixes. Only names are said, never
what is in them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress

from pydantic import ValidationError

from fastapi_session.config import SessionConfig
from fastapi_session.config.environment import slips, strangers
from fastapi_session.config.settings import Settings
from fastapi_session.doctor.application.installed import Installed
from fastapi_session.doctor.finding import Check, Finding, Level

STRANGER = Check(
    "FS083",
    Level.WARNING,
    "there is no such setting, and the variable is ignored",
    "take it out, or write the name of the setting that was meant",
)
OVERRIDDEN = Check(
    "FS084",
    Level.WARNING,
    "the application sets in its code what a variable says otherwise, and the variable is ignored",
    "take out the variable, or the setting in the code",
)

CHECKS = (STRANGER, OVERRIDDEN)

_PREFIX = str(Settings.model_config["env_prefix"])


def variable_findings(installed: Installed) -> Iterator[Finding]:
    """Yield which variables do not count for *installed*."""
    config = installed.config
    prefix, fields = config.model_config["env_prefix"], type(config).model_fields
    for variable in strangers(os.environ, prefix=prefix, settings=fields):
        yield STRANGER.found(variable.name)
    if prefix.lower() == _PREFIX.lower():
        yield from misspelt_findings()
    for field in _overridden(config):
        yield OVERRIDDEN.found(f"{prefix}{field}".upper())


def misspelt_findings() -> Iterator[Finding]:
    """Yield which variables are settings but for a slip in how they begin."""
    for variable in slips(os.environ, prefix=_PREFIX, settings=Settings.model_fields):
        yield STRANGER.found(f"{variable.name}, where {variable.meant} may be meant")


def _overridden(config: SessionConfig) -> Iterator[str]:
    """Yield the settings of *config* that are not as the environment says."""
    with suppress(ValidationError):  # then it is nobody's configuration
        said = Settings(_env_prefix=config.model_config["env_prefix"])
        for field in sorted(said.model_fields_set):
            if getattr(said, field) != getattr(config, field):
                yield field
