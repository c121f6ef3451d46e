"""Waiting for what will be true, instead of for a time to pass."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE = 30.0
PAUSE = 0.01


def until(condition: Callable[[], object]) -> None:
    """Return as soon as *condition* holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"still not true after {PATIENCE:.0f} s: {condition}")
        time.sleep(PAUSE)
