"""What becomes of a check that fails: an application, or a store of its own, may have what no check has foreseen.

| id | looks at | level |
|---|---|---|
| FS005 | a check that failed | warning |

The others are made all the same. Of the error its type and its place are said, and not its message: that may have a value in it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from traceback import extract_tb
from typing import ParamSpec

from fastapi_session.doctor.finding import Check, Finding, Level
from fastapi_session.errors import ConfigurationError, StoreUnavailable

P = ParamSpec("P")

FAILED = Check(
    "FS005",
    Level.WARNING,
    "a check failed, so what it looks at was not looked at to its end",
    "see whether what stands there is meant so, and if it is, report it as a mistake of the doctor",
)

CHECKS = (FAILED,)

SAID = (ConfigurationError, StoreUnavailable)
"""Errors that say themselves what is wrong."""

_CHECKS_OF = Path(__file__).parent


def failed(error: Exception) -> Finding:
    """Return that a check failed by *error*, and where: in which line of the doctor, as far as it is known."""
    places = [(Path(frame.filename), frame.lineno) for frame in extract_tb(error.__traceback__)]
    own = [(file, line) for file, line in places if _CHECKS_OF in file.parents and file != Path(__file__)]
    file, line = (own or places)[-1]
    return FAILED.found(f"{type(error).__name__} in {file.name}, line {line}")


def each_of(look: Callable[P, Iterator[Finding]], *args: P.args, **kwargs: P.kwargs) -> Iterator[Finding]:
    """Yield what *look* finds, and that it failed if it did. Raises `ConfigurationError`, `StoreUnavailable`."""
    try:
        yield from look(*args, **kwargs)
    except SAID:
        raise
    except Exception as error:  # noqa: BLE001 - of whatever kind, it is what was found
        yield failed(error)


async def each_found_by(
    look: Callable[P, AsyncIterator[Finding]], *args: P.args, **kwargs: P.kwargs
) -> AsyncIterator[Finding]:
    """Do as `each_of` does with a *look* that waits."""
    try:
        async for finding in look(*args, **kwargs):
            yield finding
    except SAID:
        raise
    except Exception as error:  # noqa: BLE001 - as above
        yield failed(error)
