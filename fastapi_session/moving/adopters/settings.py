"""What an adopter is configured with, checked when it is made: a wrong setting would sign everybody out, or let anybody in."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi_session.errors import ConfigurationError


def secret_of(name: str, given: str) -> str:
    """Return *given*. An empty secret, as of a variable that is not set, would let anybody sign logins.

    Raises `ConfigurationError`.
    """
    if not given:
        raise ConfigurationError(f"{name}: give the secret of the other system, a text that is not empty")
    return given


def texts_of(name: str, given: Sequence[str]) -> Sequence[str]:
    """Return *given*. One text in place of a sequence would count as its characters, of which anybody guesses each.

    Raises `ConfigurationError`.
    """
    if isinstance(given, str) or not all(given):
        raise ConfigurationError(f"{name}: give a list of texts that are not empty, also if it is but one: ['...']")
    return given
