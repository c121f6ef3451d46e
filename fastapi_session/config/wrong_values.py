"""Values that a setting cannot have: what pydantic finds, worded as any other error of a configuration, with no value in it."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic_core import ErrorDetails

_FOLLOWS = "default_factory_not_called"
"""What pydantic says of a default that would have been made from the wrong value."""

_DURATION = "give a timedelta, or as text a number of seconds or ISO 8601: 3600, PT1H"
_OWN = {
    "secret": "give text, or a list of such with the newest first; in the environment that list is JSON",
    "audit": "give True, False or 'all'",
    "acr_order": 'give a list of levels with the lowest first, as ["aal1", "aal2"]; in the environment that list is JSON',
    "client_address": "give a function of the connection that returns the address of its client as text, or None",
}
"""What those settings take whose types say too little. Whatever pydantic says of a secret may quote it."""


def wrong_values(errors: Iterable[ErrorDetails]) -> list[str]:
    """Return a line for each setting that *errors* are about: its name and what it takes.

    | the error | the line says |
    |---|---|
    | of a secret, or another setting whose type says too little | what it takes |
    | of a duration | a `timedelta`, seconds or ISO 8601 |
    | none of some words | the words |
    | of no setting of a kind | that there is none |
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
    if name in _OWN:
        return _OWN[name]
    if error["type"].startswith("time_delta"):
        return _DURATION
    if error["type"] == "extra_forbidden":
        return "there is no such setting"
    if error["type"] == "literal_error":
        return f"give {error['ctx']['expected']}"
    return error["msg"][:1].lower() + error["msg"][1:]
