"""Arguments that are in a variable: `env:NAME` stands for what is in `NAME`.

Other users of the machine see the command line, with every password in it.
"""

from __future__ import annotations

import os

from fastapi_session.errors import ConfigurationError

_VARIABLE = "env:"


def resolved(given: str) -> str:
    """Return what was *given*, or what is in the variable that it names. Raises `ConfigurationError` if that is not set."""
    if not given.startswith(_VARIABLE):
        return given
    variable = given.removeprefix(_VARIABLE)
    if not (found := os.environ.get(variable)):
        raise ConfigurationError(f"the variable {variable} is not set")
    return found
