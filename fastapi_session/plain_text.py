"""Moments, durations, and what others wrote, as plain text for people and programs: the same at a terminal and on a page.

A user agent may have characters in it that write over a terminal, or turn the direction of the text after it: they are escaped.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_UNITS = (("day", 86_400_000), ("hour", 3_600_000), ("minute", 60_000))


def printable(text: str) -> str:
    """Return *text* in one line and without control characters, which are escaped as Python does."""
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


def when(at: datetime) -> str:
    """Return *at* for people: RFC 3339, UTC, seconds."""
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def exactly(at: datetime) -> str:
    """Return *at* for programs, as events say it: RFC 3339, UTC, milliseconds."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def lasting(duration: timedelta) -> str:
    """Return *duration*, which is not negative, for people: "100 days", "1 hour 30 minutes"."""
    left, said = duration // timedelta(milliseconds=1), []
    for unit, length in _UNITS:
        number, left = divmod(left, length)
        said += [_counted(number, unit)] if number else []
    if left or not said:
        said.append(_counted(left / 1000, "second"))
    return " ".join(said)


def _counted(number: float, noun: str) -> str:
    return f"{number:g} {noun}{'' if number == 1 else 's'}"
