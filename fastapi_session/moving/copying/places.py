"""The two stores of a copy, and what the parts of one share."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from fastapi_session.stores.base import MovableStore, Store
from fastapi_session.stores.pages import in_batches

T = TypeVar("T")
R = TypeVar("R")

BATCH = 100
"""Rows that are read and written at once: data may be a megabyte each."""
AT_ONCE = 16
"""How many calls of a store are under way at the same time, if each is about one row."""


class CopyStore(Store, MovableStore, Protocol):
    """A store that can be copied, or copied into."""


@dataclass(frozen=True, slots=True)
class Places:
    """The store that the application runs on, and the one that it is to run on."""

    old: CopyStore
    new: CopyStore


async def each(items: Sequence[T], do: Callable[[T], Awaitable[R]]) -> list[R]:
    """Return what *do* does to each of *items*, in their order; some are under way at once."""
    done: list[R] = []
    for group in in_batches(items, size=AT_ONCE):
        done += await asyncio.gather(*map(do, group))
    return done
