"""What time it is: whole milliseconds since the epoch.

A clock is any function that returns them, so that a test can drive time by hand.
"""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], int]
"""A function that returns what time it is, in whole milliseconds since the epoch."""


def system_clock() -> int:
    """Return the machine's own time, in milliseconds since the epoch."""
    # Not a monotonic clock: moments are kept for months, and compared with those of other machines.
    return time.time_ns() // 1_000_000
