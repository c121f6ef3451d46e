"""Reading what may be much in pages, so that neither a database nor an event loop is held up by how much there is."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import TypeVar

from fastapi_session.stores.columns import Row

Place = TypeVar("Place")
T = TypeVar("T")

_SESSION_ID = re.compile("[0-9a-f]{32}")

SESSIONS_PAGE = 500
"""How many sessions of a user are read at once: to make records of them takes milliseconds."""
NOTICES_PAGE = 1_000
"""How many notices are read at once."""


async def pages(
    read: Callable[[Place], Awaitable[Sequence[Row]]], *, size: int, first: Place, place: Callable[[Row], Place]
) -> AsyncIterator[Sequence[Row]]:
    """Yield what *read* returns: at most *size* rows after the place *first*, then those after the *place* of the last one."""
    after = first
    # A full page may be the last one: then the next is empty.
    while len(rows := await read(after)) == size:
        yield rows
        after = place(rows[-1])
    yield rows


def id_before(place: str | None) -> str:
    """Return the session id after which a page begins whose *place* is one. Raises ValueError if it is not."""
    if place is not None and not _SESSION_ID.fullmatch(place):
        raise ValueError("no place of a page")
    return place or ""


def in_batches(every: Sequence[T], *, size: int) -> Iterator[Sequence[T]]:
    """Yield what is in *every*, at most *size* at once."""
    return (every[first : first + size] for first in range(0, len(every), size))
