"""What is said of a token. Nothing in it is a part of the token, but what an access token says of its session in the clear."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "refresh token",
    "foreign refresh token",
    "access token",
    "service JWT",
    "other JWT",
    "front token",
    "handle",
    "unknown",
]
SessionState = Literal["alive", "expired", "not there"]


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a text is, and the *outcome* if a client sent it now.

    *genuine* says whether this deployment wrote it, `None` if nothing shows that; what is not genuine may say anything. *row* and *verdict* are those of the
    rotation table. Moments are milliseconds.
    """

    kind: Kind
    outcome: str
    genuine: bool | None = None
    session: SessionState | None = None
    handle: str | None = None
    user_id: str | None = None
    tenant_id: str | None = None
    issued_at: int | None = None
    expires_at: int | None = None
    row: str | None = None
    verdict: str | None = None
