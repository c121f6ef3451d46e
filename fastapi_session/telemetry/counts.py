"""What is counted: plain numbers, which are read when metrics are exported. Threads that count at once may lose a few."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Literal, get_args

from fastapi_session.model import EndReason

What = Literal["refreshes", "created", "adopted", "revocations", "thefts"]

REASONS = frozenset(get_args(EndReason))
OTHER = "other"
"""The reason of sessions that an application ended for one of its own: there may be any number of those."""


def _numbers() -> defaultdict[str, int]:
    return defaultdict(int)


@dataclass(slots=True)
class Counts:
    """How often what happened since the process began. Whoever counts asks *is_on* first."""

    is_on: bool = False
    verified: dict[Literal["cookie", "header"], int] = field(default_factory=lambda: {"cookie": 0, "header": 0})
    """Access tokens that were accepted, by how they came: apart, since each request of a session counts one."""
    refused: defaultdict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    """Access tokens that were not accepted, or did not come, by outcome and by how they came."""
    refreshes: defaultdict[str, int] = field(default_factory=_numbers)
    """By the row of the rotation table that decided."""
    created: defaultdict[str, int] = field(default_factory=_numbers)
    """By kind."""
    adopted: defaultdict[str, int] = field(default_factory=_numbers)
    """By the system in which they began."""
    revocations: defaultdict[str, int] = field(default_factory=_numbers)
    """By reason."""
    thefts: defaultdict[str, int] = field(default_factory=_numbers)
    """By the row of the rotation table that decided."""

    @property
    def verifications(self) -> dict[tuple[str, str], int]:
        """All checks of access tokens, by outcome and by how they came."""
        accepted: dict[tuple[str, str], int] = {
            ("verified", source): number for source, number in self.verified.items() if number
        }
        return {**accepted, **self.refused}

    def add(self, what: What, of: str) -> None:
        """Count one *what* of this kind."""
        numbers: defaultdict[str, int] = getattr(self, what)
        numbers[of if what != "revocations" or of in REASONS else OTHER] += 1
