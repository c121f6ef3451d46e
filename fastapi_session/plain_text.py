"""Moments, and what others wrote, as plain text for people and programs: the same at a terminal and on a page.

A user agent may have characters in it that write over a terminal, or turn the direction of the text after it: they are escaped.
"""

from __future__ import annotations

from datetime import UTC, datetime


def printable(text: str) -> str:
    """Return *text* in one line and without control characters, which are escaped as Python does."""
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


def when(at: datetime) -> str:
    """Return *at* for people: RFC 3339, UTC, seconds."""
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def exactly(at: datetime) -> str:
    """Return *at* for programs, as events say it: RFC 3339, UTC, milliseconds."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
