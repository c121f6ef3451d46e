"""The connection to a deployment: its certificate, and its clock.

| id | looks at | level |
|---|---|---|
| FS216 | the certificate is valid for 14 days more, or the last fifth of its life if that is less: by then it should have been renewed | warning |
| FS217 | its `Date` against our clock; with `--probe` when an access token was issued | warning |

`Date` is in whole seconds and may be a proxy's, so a clock is only wrong that is off by more than the response took and 5 seconds.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from email.utils import parsedate_to_datetime

from fastapi_session.doctor.finding import Check, Finding, Level
from fastapi_session.doctor.outside.asking import Response
from fastapi_session.doctor.outside.reached import Reached
from fastapi_session.plain_text import lasting

ENDS_SOON = Check(
    "FS216",
    Level.WARNING,
    "the certificate ends soon",
    "renew it, and see why that was not done by itself",
)
CLOCK_OFF = Check(
    "FS217",
    Level.WARNING,
    "the clock of the deployment and that of this machine differ",
    "set both by NTP: tokens and proofs are good for moments",
)

CHECKS = (ENDS_SOON, CLOCK_OFF)

_DAY = 24 * 3_600_000
_SOON, _LAST_PART = 14 * _DAY, 0.2
LEEWAY = 5_000
"""Milliseconds by which clocks may differ."""


async def connection_findings(reached: Reached) -> AsyncIterator[Finding]:
    """Yield what is wrong with the connection. Raises `Unreached`."""
    response = await reached.refresh()
    if (left := _left(response)) is not None:
        yield ENDS_SOON.found(f"that of {reached.url.host}, in {left / _DAY:.1f} days")
    if (said := _milliseconds(response.value("date"))) is not None:
        off = difference(said, sent_at=response.sent_at, came_at=response.came_at)
        if off is not None:
            yield CLOCK_OFF.found(f"Date is {off}")


def _left(response: Response) -> int | None:
    """Return for how many milliseconds the certificate is still valid, `None` unless it should have been renewed by now."""
    if response.connection.certificate is None:
        return None
    begins, ends = response.connection.certificate
    left = ends - response.came_at
    return left if left < min(_SOON, (ends - begins) * _LAST_PART) else None


def difference(said: int, *, sent_at: int, came_at: int) -> str | None:
    """Return by how much a clock is off that *said* a moment, in whole seconds, between two of ours; `None` if it need not be."""
    if said < sent_at - 1_000 - LEEWAY:
        return f"{_seconds(sent_at - said)} behind"
    if said > came_at + LEEWAY:
        return f"{_seconds(said - came_at)} ahead"
    return None


def _seconds(milliseconds: int) -> str:
    return lasting(timedelta(seconds=round(milliseconds / 1000)))


def _milliseconds(date: str | None) -> int | None:
    try:
        return None if date is None else int(parsedate_to_datetime(date).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None
