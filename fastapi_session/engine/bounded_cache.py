"""A cache in bounded memory: of two halves the older one is dropped as a whole when the newer one is full.

A half is full when it has so many values, or so many bytes: a few clients with the largest tokens take no more memory than
many with small ones.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from sys import getsizeof
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

CAPACITY = 4_096
"""Values in each half, by default."""
MAX_BYTES = 8 * 2**20
"""Bytes in each half, by default. As many sessions without claims of their own as there may be values need less."""


class BoundedCache(Generic[K, V]):
    """A cache of values by their key. What is found again moves to the newer half, so a flood drops only what is not in use.

    *weigh* returns how many bytes a key and its value take; it is called when they are kept, never when they are found. One
    that takes more than a half may have is kept alone in it. No value may be `None`.
    """

    def __init__(self, weigh: Callable[[K, V], int], *, capacity: int = CAPACITY, max_bytes: int = MAX_BYTES) -> None:
        self._weigh = weigh
        self._capacity = capacity
        self._max_bytes = max_bytes
        self._bytes = 0
        self._newer: dict[K, V] = {}
        self._older: dict[K, V] = {}

    def __len__(self) -> int:
        """Return how many values are kept."""
        return len(self._newer) + len(self._older)

    def find(self, key: K) -> V | None:
        """Return the value of *key*, `None` if it is not kept."""
        # No lock: each step is atomic under the GIL, and two threads at once lose a value at worst, which is a miss.
        # Not an LRU list: that would be reordered at each hit.
        value = self._newer.get(key)
        if value is None and (value := self._older.get(key)) is not None:
            self.keep(key, value)
        return value

    def keep(self, key: K, value: V) -> None:
        """Keep *value* under *key*."""
        weight = self._weigh(key, value)
        if len(self._newer) >= self._capacity or self._bytes + weight > self._max_bytes:
            self._older, self._newer, self._bytes = self._newer, {}, 0
        self._newer[key] = value
        self._bytes += weight


def memory_size(value: object) -> int:
    """Return how many bytes the JSON *value* takes in memory with all that it holds; what is shared counts each time."""
    size, waiting = 0, [value]  # a loop, since recursion costs a function call for each value
    while waiting:
        each = waiting.pop()
        size += getsizeof(each)
        if isinstance(each, dict):
            waiting.extend(each)
            waiting.extend(each.values())
        elif isinstance(each, list):
            waiting.extend(each)
    return size
