"""`Depends(verify_session)` without its parentheses raises an error that says so, when the route is defined.

FastAPI would take our function for a dependency and its parameters for those of the request. So one of its parameters carries a
mark, which raises the error as soon as FastAPI looks at it. A function without parameters shows FastAPI one.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import NoReturn, TypeVar

from fastapi.params import Depends

from fastapi_session.errors import ConfigurationError

Provider = TypeVar("Provider", bound=Callable[[], object])


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

    _name: str


def marked(function: Provider) -> Provider:
    """Return *function*, which makes a provider and has no parameters, with the mark in its signature."""
    mark = inspect.Parameter("uncalled", inspect.Parameter.KEYWORD_ONLY, default=Uncalled(function.__name__))
    function.__signature__ = inspect.Signature([mark])  # type: ignore[attr-defined]  # that of inspect, not of types
    return function
