"""When a request proves that no other site forged it.

Only requests that a browser could have been tricked into sending need it: those whose token came in a cookie.

| mode | proof |
|---|---|
| `NONE` | none is needed; SameSite cookies alone keep other sites out |
| `VIA_CUSTOM_HEADER` | any `rid` header: another site cannot set one without a CORS preflight |
| `VIA_TOKEN` | the `anti-csrf` header equals the anti-CSRF token of the access or refresh token; a refresh may bring that of one of the two generations before |
"""

from __future__ import annotations

import hmac
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal

AntiCsrfMode = Literal["NONE", "VIA_CUSTOM_HEADER", "VIA_TOKEN"]


@dataclass(frozen=True, slots=True)
class AntiCsrfProof:
    """What a request offers under *mode*: its `anti-csrf` header, and whether a custom header came."""

    mode: AntiCsrfMode
    token: str | None = field(default=None, repr=False)
    custom_header: bool = False

    def holds(self, expected: str | None) -> bool:
        """Say whether the request proves itself to the session whose anti-CSRF token is *expected*."""
        if self.mode == "NONE":
            return True
        if self.mode == "VIA_CUSTOM_HEADER":
            return self.custom_header
        if self.token is None or expected is None:
            return False
        # In constant time, else its duration says how much of a guess is right; as bytes, since it refuses text beyond ASCII.
        return hmac.compare_digest(self.token.encode(), expected.encode())

    def holds_for_any(self, accepted: Collection[str]) -> bool:
        """Say whether the request proves itself by one of the anti-CSRF tokens *accepted*."""
        # All are compared, so that the duration says nothing of which.
        return True in [self.holds(expected) for expected in accepted or (None,)]


NOT_ASKED = AntiCsrfProof("NONE")
"""For callers whose token was not sent by a browser on its own, as a cookie is."""
