"""An immutable mapping with a hash, which a frozen configuration needs."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value", covariant=True)


# Python has one of its own from 3.15 on (`frozendict`, PEP 814). A MappingProxyType is a view of what may change, without a hash.
class FrozenMapping(Mapping[Key, Value]):
    """A copy of *items*, equal to every mapping of the same items, and hashable if the values are."""

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[Key, Value]) -> None:
        self._items = dict(items)

    def __getitem__(self, key: Key) -> Value:
        return self._items[key]

    def __iter__(self) -> Iterator[Key]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        return hash(frozenset(self._items.items()))

    def __repr__(self) -> str:
        return repr(self._items)
