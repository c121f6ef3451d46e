"""Values that a setting cannot have: what pydantic finds, worded as any other error of a configuration, with no value in it."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic_core import ErrorDetails

_FOLLOWS = "default_factory_not_called"
"""What pydantic says of a default that would have been made from the wrong value."""

_DURATION = "give a timedelta, or as text a number of seconds or ISO 8601: 3600, PT1H"
_SECRET = "give text, or a list of such with the newest first; in the environment that list is JSON"


def wrong_values(errors: Iterable[ErrorDetails]) -> list[str]:
    """Return a line for each setting that *errors* are about: its name and what it takes.

    | the error | the line says |
    |---|---|
    | of a secret, whatever it is | text, or a list of such |
    | of a duration | a `timedelta`, seconds or ISO 8601 |
    | none of some words | the words |
    | another | what pydantic says |
    | follows from one of these | nothing |
    """
    found: dict[str, dict[str, None]] = {}
    for error in errors:
        if error["type"] != _FOLLOWS:
            name = str(error["loc"][0])
            found.setdefault(name, {})[_fix(name, error)] = None
    return [f"{name}: {', or '.join(fixes)}" for name, fixes in found.items()]


def _fix(name: str, error: ErrorDetails) -> str:
    # Whatever pydantic says of a secret may quote it.
    if name == "secret":
        return _SECRET
    if error["type"].startswith("time_delta"):
        return _DURATION
    if error["type"] == "literal_error":
        return f"give {error['ctx']['expected']}"
    return error["msg"][:1].lower() + error["msg"][1:]
