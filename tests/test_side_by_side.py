"""The order in which workers take files of tests."""

from __future__ import annotations

from tests.pages import ROOT
from tests.side_by_side import LONGEST, turn


def test_the_longest_files_come_first() -> None:
    """Each of them is there, and comes before any other."""
    assert [] == [file for file in LONGEST if not (ROOT / file).is_file()]
    assert [*LONGEST, "tests/test_house.py"] == sorted(["tests/test_house.py", *LONGEST[::-1]], key=turn)
