"""What was used lately, in bounded memory: of two halves the older one is dropped as a whole when the newer one is full."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

CAPACITY = 4_096
"""Entries in each half, by default."""


class Recent(Generic[K, V]):
    """Values by their key. What is found again moves to the newer half, so a flood drops only what is not in use.

    No value may be false.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._newer: dict[K, V] = {}
        self._older: dict[K, V] = {}

    def __len__(self) -> int:
        """Answer how many values are kept."""
        return len(self._newer) + len(self._older)

    def find(self, key: K) -> V | None:
        """Answer the value of *key*, `None` where it is not kept."""
        return self._newer.get(key) or self._older_one(key)

    def keep(self, key: K, value: V) -> None:
        """Keep *value* under *key*."""
        if len(self._newer) >= self._capacity:
            self._older, self._newer = self._newer, {}
        self._newer[key] = value

    def _older_one(self, key: K) -> V | None:
        value = self._older.get(key)
        if value is not None:
            self.keep(key, value)
        return value
