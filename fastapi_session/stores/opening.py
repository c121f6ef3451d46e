"""A store that cannot be opened says where it was looked for: the first thing to compare with what was meant."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fastapi_session.errors import StoreUnavailable


@contextmanager
def opening(place: object) -> Iterator[None]:
    """Let a `StoreUnavailable` name *place*: a path, or host and database. Neither user nor password belongs there."""
    try:
        yield
    except StoreUnavailable as error:
        raise StoreUnavailable(f"{error}, at {place}") from error
