"""What is used stays, what is not is dropped, and there is never more than twice the capacity."""

from __future__ import annotations

from collections import OrderedDict

from hypothesis import given
from hypothesis import strategies as st

from fastapi_session.engine.recent import Recent

CAPACITY = 4


def test_what_is_not_kept_is_not_found() -> None:
    """A key that was never kept has no value."""
    assert Recent[str, str]().find("a") is None


def test_the_last_value_counts() -> None:
    """A key that is kept again has its new value, in whichever half it was."""
    recent = Recent[str, str](capacity=1)
    for value in ("first", "second", "third"):
        recent.keep("a", value)

        assert value == recent.find("a")


@given(st.lists(st.integers(0, 12), max_size=200))
def test_what_is_used_stays(keys: list[int]) -> None:
    """Whatever is looked for and kept, the last few used are found, all found are right, and no more are kept than may be."""
    recent, used = Recent[int, str](CAPACITY), OrderedDict[int, None]()
    for key in keys:
        if recent.find(key) is None:
            recent.keep(key, str(key))
        used[key] = None
        used.move_to_end(key)
        assert len(recent) <= 2 * CAPACITY
        assert str(key) == recent.find(key)

    for key in list(used)[-CAPACITY:]:
        assert str(key) == recent.find(key)
