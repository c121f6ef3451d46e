"""Spans of time that tests let pass, named once. What counts in whole milliseconds takes them from tests/milliseconds.py."""

from __future__ import annotations

from datetime import timedelta

MILLISECOND = timedelta(milliseconds=1)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
WEEK = timedelta(days=7)

GRACE = timedelta(seconds=30)
"""The grace period of a refresh token, if no test says otherwise."""
PAST_GRACE = GRACE + SECOND
"""Longer than the grace period, shorter than the life of an access token."""
