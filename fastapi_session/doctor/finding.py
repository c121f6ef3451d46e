"""What is looked for, and what was found.

| ids | are about |
|---|---|
| FS001 to FS099 | the application and its configuration |
| FS101 to FS199 | the store, its keys and its clock |
| FS201 to FS299 | the deployment as it is seen from outside |

An id is never used again for another thing: people write it into their configuration and search for it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Level(StrEnum):
    """How bad it is."""

    ERROR = "error"
    """Something does not work, or is not safe."""
    WARNING = "warning"
    """It works, and will do harm."""
    INFO = "info"
    """It may be meant so, and is worth knowing."""

    def reaches(self, least: Level) -> bool:
        """Say whether this is as bad as *least*, or worse."""
        order = [*Level]
        return order.index(self) <= order.index(least)


@dataclass(frozen=True, slots=True)
class Check:
    """What is looked for: a row of a table."""

    id: str
    """Such as `FS001`."""
    level: Level
    says: str
    """What is wrong where it is found, in a sentence."""
    fix: str
    """What to do about it, in a sentence."""

    def found(self, seen: str) -> Finding:
        """Return that it was found: *seen* says where, or with which values."""
        return Finding(self, seen)


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found. It has no token, no secret and no password of a URL in it."""

    check: Check
    seen: str
    """What was seen, with names and numbers."""

    def __str__(self) -> str:
        return f"{self.check.id} {self.check.says}: {self.seen}; {self.check.fix}"


@dataclass(slots=True)
class Examination:
    """What was looked for so far, and what was found."""

    checked: list[Check] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
