"""Whether what the environment says is what counts.

| id | looks at | level |
|---|---|---|
| FS083 | variables that begin as settings do and are none | warning |
| FS084 | variables of settings that the application sets itself | warning |

One that is a setting but for its spelling is refused before anything starts. Only names are said, never what is in them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress

from pydantic import ValidationError

from fastapi_session.config import SessionConfig
from fastapi_session.config.environment import strangers
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
    "take out one of the two",
)

CHECKS = (STRANGER, OVERRIDDEN)


def variable_findings(installed: Installed) -> Iterator[Finding]:
    """Yield which variables do not count for *installed*."""
    config = installed.config
    prefix, fields = config.model_config["env_prefix"], type(config).model_fields
    for variable in strangers(os.environ, prefix=prefix, settings=fields):
        yield STRANGER.found(variable.name)
    for field in _overridden(config):
        yield OVERRIDDEN.found(f"{prefix}{field}".upper())


def _overridden(config: SessionConfig) -> Iterator[str]:
    """Yield the settings of *config* that are not as the environment says."""
    with suppress(ValidationError):  # then it is nobody's configuration
        said = Settings(_env_prefix=config.model_config["env_prefix"])
        for field in sorted(said.model_fields_set):
            if getattr(said, field) != getattr(config, field):
                yield field
