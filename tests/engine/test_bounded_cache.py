"""What is used stays, what is not is dropped, and there is never more than twice the capacity, in values and in bytes."""

from __future__ import annotations

import json
import tracemalloc
from collections import OrderedDict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastapi_session.engine.bounded_cache import BoundedCache, memory_size

CAPACITY = 4


def weightless(_key: object, _value: object) -> int:
    return 0


def length(_key: object, value: str) -> int:
    return len(value)


def test_what_is_not_kept_is_not_found() -> None:
    """A key that was never kept has no value."""
    assert BoundedCache[str, str](weightless).find("a") is None


def test_the_last_value_counts() -> None:
    """A key that is kept again has its new value, in whichever half it was."""
    recent = BoundedCache[str, str](weightless, capacity=1)
    for value in ("first", "second", "third"):
        recent.keep("a", value)

        assert value == recent.find("a")


@given(st.lists(st.integers(0, 12), max_size=200))
def test_what_is_used_stays(keys: list[int]) -> None:
    """Whatever is looked for and kept, the last few used are found, all found are right, and no more are kept than may be."""
    recent, used = BoundedCache[int, str](weightless, capacity=CAPACITY), OrderedDict[int, None]()
    for key in keys:
        if recent.find(key) is None:
            recent.keep(key, str(key))
        used[key] = None
        used.move_to_end(key)
        assert len(recent) <= 2 * CAPACITY
        assert str(key) == recent.find(key)

    for key in list(used)[-CAPACITY:]:
        assert str(key) == recent.find(key)


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(1, 120)), max_size=200))
def test_it_is_bounded_by_bytes(uses: list[tuple[int, int]]) -> None:
    """Each half has at most its bytes, however few values they are of; a single larger one is kept, but alone."""
    recent, most = BoundedCache[int, str](length, max_bytes=100), 100
    for key, size in uses:
        if recent.find(key) is None:
            recent.keep(key, "x" * size)
        for half in (recent._newer, recent._older):
            assert len(half) == 1 or sum(map(len, half.values())) <= most
        assert recent.find(key) is not None


@pytest.mark.parametrize(
    "value",
    [
        {"x": "x" * 2_000},
        {"list": [[] for _ in range(680)]},
        {"list": [{} for _ in range(680)]},
        {str(number): {"v": number, "t": 2_000_000_000_000 + number} for number in range(90)},
        {"list": [0.5 + number for number in range(480)]},
    ],
    ids=["text", "lists", "objects", "claims", "numbers"],
)
def test_the_size_of_a_value(value: dict[str, Any]) -> None:
    """What a payload is said to take in memory is what it takes when it is read, or a little more."""
    text = json.dumps(value)
    tracemalloc.start()
    read = json.loads(text)
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert taken <= memory_size(read) * 1.1
    assert memory_size(read) <= taken * 3  # names that repeat are shared, and count each time
