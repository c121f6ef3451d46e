"""What a store takes and returns when it inserts a session: how many its user may have, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fastapi_session.model import SessionRecord


@dataclass(frozen=True, slots=True)
class Limit:
    """How many sessions a user may have in a tenant at once, the new one included, and what makes room for it.

    If *kind* is given, only sessions of that kind count, else those of all kinds but *uncounted*. If it *refuses*, no session ends
    but those whose ids are *evict*; else any may, those first. The table of `stores.limits` says which.
    """

    count: int
    kind: str | None = None
    uncounted: frozenset[str] = frozenset()
    refuses: bool = False
    evict: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Insertion:
    """What became of a new session.

    It was kept, and *evicted* are the sessions that ended to make room under a limit; or nothing was written, since the session
    that it was to succeed `has_moved`, or since the limit is `refused`.
    """

    outcome: Literal["kept", "has_moved", "refused"]
    evicted: tuple[SessionRecord, ...] = ()

    @property
    def is_kept(self) -> bool:
        """Whether the session is there now."""
        return self.outcome == "kept"


KEPT = Insertion("kept")
HAS_MOVED = Insertion("has_moved")
REFUSED = Insertion("refused")
