"""`Depends(verify_session)`, without its parentheses: an error that says so, when the route is defined.

FastAPI would take our function for a dependency of somebody's own and its parameters for those of the request. A parameter
that carries this mark tells it, and the developer, what was meant.
"""

from __future__ import annotations

from typing import Any, NoReturn

from fastapi.params import Depends

from fastapi_session.errors import ConfigurationError


class Uncalled(Depends):
    """Marks a parameter of the function *name*, which makes a provider and is none itself."""

    def __init__(self, name: str) -> None:
        object.__setattr__(self, "_name", name)  # Depends is frozen

    def __repr__(self) -> str:
        return f"Uncalled({self._name!r})"

    __eq__ = object.__eq__  # Depends compares what it depends on
    __hash__ = object.__hash__

    @property
    def dependency(self) -> NoReturn:  # what FastAPI looks at first
        """Raise `ConfigurationError`, with the fix."""
        raise ConfigurationError(f"Depends({self._name}): write Depends({self._name}()), with parentheses")

    _name: Any
