"""Where random bytes come from: a function that is given as an argument, so that a test can choose them."""

from __future__ import annotations

from collections.abc import Callable

Random = Callable[[int], bytes]
"""Returns so many random bytes, fit for secrets: `secrets.token_bytes`, or what a test gives."""
