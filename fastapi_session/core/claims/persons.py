"""Demands on who uses a session: its user, not an actor; a user who has signed in, not a guest.

| demand | fails with the id | if |
|---|---|---|
| `NotImpersonated()` | `st-actor` | somebody acts as the user |
| `NotGuest()` | `st-guest` | the user is a guest |
"""

from __future__ import annotations

from dataclasses import dataclass

from fastapi_session.core.claims.validators import SessionFacts, SessionRule
from fastapi_session.errors import ClaimFailure


@dataclass(frozen=True)
class NotImpersonated(SessionRule):
    """Demand that nobody acts as the user: for what is dangerous, such as changing a password, paying, deleting."""

    def failure_of(self, facts: SessionFacts, *, now: int) -> ClaimFailure | None:
        """Return a failure if somebody acts as the user."""
        return None if facts.actor is None else ClaimFailure("st-actor", {"message": "not while impersonating"})


@dataclass(frozen=True)
class NotGuest(SessionRule):
    """Demand that the user has signed in."""

    def failure_of(self, facts: SessionFacts, *, now: int) -> ClaimFailure | None:
        """Return a failure if the user is a guest."""
        return ClaimFailure("st-guest", {"message": "not for guests"}) if facts.is_guest else None
