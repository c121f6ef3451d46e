"""What came of asking validators of a session."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi_session.engine.tokens.issuing import IssuedSession
from fastapi_session.errors import ClaimFailure


@dataclass(frozen=True, slots=True)
class CheckedClaims:
    """Every failure, and the session with its new access token where something was fetched."""

    failures: tuple[ClaimFailure, ...]
    issued: IssuedSession | None


NOTHING_TO_SAY = CheckedClaims((), None)
"""Of a session that claims what it has to, as nearly all do: made once."""
