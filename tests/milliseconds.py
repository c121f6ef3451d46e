"""The spans of tests/moments.py as the core and the stores count them: in whole milliseconds."""

from __future__ import annotations

MILLISECOND = 1
SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WEEK = 7 * DAY

GRACE = 30 * SECOND
"""The grace period of a refresh token, if no test says otherwise."""
