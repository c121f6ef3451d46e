"""Opening a store: an error names the address, and a wrong address is a mistake of the configuration.

| the server | |
|---|---|
| is not there, or does not respond | `StoreUnavailable`: it may come |
| refuses user and password, or has no database of the name | `ConfigurationError`: it does so until somebody corrects it |
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from fastapi_session.errors import ConfigurationError, StoreUnavailable

WRONG_USER = "the server refuses its user and password: correct them, or let the server know them"
WRONG_DATABASE = "the server has no such database: correct its name, or create it"


def _none(_error: BaseException | None) -> None:
    return None


@contextmanager
def opening(place: object, *, mistake: Callable[[BaseException | None], str | None] = _none) -> Iterator[None]:
    """Let a `StoreUnavailable` name *place*: a path, or host and database. Neither user nor password belongs there.

    If *mistake* says of what the driver raised that it is one of the address, it becomes a `ConfigurationError`.
    """
    try:
        yield
    except StoreUnavailable as error:
        if why := mistake(error.__cause__):
            raise ConfigurationError(f"store: {why} ({place})") from error
        raise StoreUnavailable(f"{error}, at {place}") from error
