"""Moments and durations in plain words."""

from __future__ import annotations

from datetime import timedelta

import pytest

from fastapi_session.plain_text import lasting


@pytest.mark.parametrize(
    ("duration", "said"),
    [
        (timedelta(days=100), "100 days"),
        (timedelta(hours=1), "1 hour"),
        (timedelta(minutes=90), "1 hour 30 minutes"),
        (timedelta(hours=168), "7 days"),
        (timedelta(days=1, seconds=1), "1 day 1 second"),
        (timedelta(seconds=30), "30 seconds"),
        (timedelta(milliseconds=1_500), "1.5 seconds"),
        (timedelta(milliseconds=1), "0.001 seconds"),
        (timedelta(), "0 seconds"),
    ],
)
def test_how_long(duration: timedelta, said: str) -> None:
    """A duration is said in the units that it has, the longest first, with nothing lost."""
    assert said == lasting(duration)
