"""A clock that a test advances."""

from __future__ import annotations

from datetime import timedelta

MILLISECOND = timedelta(milliseconds=1)


class HandClock:
    """A clock driven by hand: it returns *now*, in milliseconds since the epoch, until it is advanced."""

    # Years from today: whatever goes by the machine's clock instead finds every deadline far off, and its test fails.
    def __init__(self, now: int = 2_000_000_000_000) -> None:
        self._now = now

    def __call__(self) -> int:
        """Return what time it is, in milliseconds since the epoch."""
        return self._now

    def advance(self, duration: timedelta) -> None:
        """Let *duration* pass, to the millisecond; a negative one sets the clock back."""
        # Whole numbers: a float of seconds would round some milliseconds away.
        self._now += duration // MILLISECOND
