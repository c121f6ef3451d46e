"""Impersonation: a user, the actor, acts as another one. What a token says of it, and its limits.

The claim `act` (RFC 8693, section 4.1) names the actor by `sub`, and by `sessionHandle` the actor's own session, which
waits meanwhile. There is no actor of an actor: nobody starts an impersonation in an impersonation.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from fastapi_session.core.payload import ensure_text, is_name
from fastapi_session.errors import ConfigurationError, PayloadError
from fastapi_session.model import MAX_NAME, Actor

CLAIM = "act"
_MEMBERS = frozenset({"sub", "sessionHandle"})

LONGEST = timedelta(hours=1)
"""How long an impersonation lasts at most."""


def act_claim(actor: Actor) -> dict[str, Any]:
    """Return the claim that names *actor*."""
    return {"sub": actor.user_id, "sessionHandle": actor.handle}


def actor_in(claim: object) -> Actor | None:
    """Return the actor whom *claim* names, `None` if it is not as `act_claim` writes it."""
    if type(claim) is not dict or claim.keys() != _MEMBERS or not all(type(value) is str for value in claim.values()):
        return None
    return Actor(claim["sub"], claim["sessionHandle"])


def checked_reason(reason: str) -> str:
    """Return the *reason* for an impersonation. Raises `PayloadError` if it says nothing, or is too long."""
    ensure_text(reason, "reason")
    if not reason.strip() or not is_name(reason):
        raise PayloadError(f"reason: give a text of 1 to {MAX_NAME} characters, such as the number of the ticket")
    return reason


def checked_lifetime(lifetime: object) -> timedelta:
    """Return *lifetime*, or the longest one if that is shorter. Raises `ConfigurationError` for less than a second."""
    if not isinstance(lifetime, timedelta) or lifetime < timedelta(seconds=1):
        raise ConfigurationError("lifetime: give a timedelta of at least one second, as in timedelta(minutes=30)")
    return min(lifetime, LONGEST)
