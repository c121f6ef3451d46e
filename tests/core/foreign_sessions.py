"""Tokens and rows of a session that began in another system, to write cases down with: T0 was first, each is the child of the one before."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

from fastapi_session.core.continuing import ForeignRules, Timeouts, first_lineage
from fastapi_session.core.secret import Secrets
from fastapi_session.foreign_sessions import ForeignSession, ForeignToken
from fastapi_session.model import Lineage
from tests.core.lineages import POLICY, RING, SESSION_ID

ROTATED_AT = 5_000_000
EXPIRES_AT = ROTATED_AT + 1_000_000
THEIR_GRACE = 30_000
RULES = ForeignRules(POLICY, RING, THEIR_GRACE)


def secret_at(place: int, *, branch: str = "") -> bytes:
    """Return what the other system compares of T*place*, or of another child of the same parent."""
    return hashlib.sha256(f"{branch}{place}".encode()).digest()


def presented(place: int, *, branch: str = "", parent_branch: str = "") -> ForeignToken:
    """Return T*place*, opened."""
    parent = secret_at(place - 1, branch=parent_branch) if place else None
    return ForeignToken(SESSION_ID, "public", secret_at(place, branch=branch), parent)


def theirs(current: int, **fields: Any) -> ForeignSession:
    """Return the session as the other system has it, with T*current* as the newest that it knows of."""
    session = ForeignSession(
        session_id=SESSION_ID,
        tenant_id="public",
        user_id="ada",
        recipe_user_id="ada",
        access_token_payload={},
        session_data={},
        created_at=ROTATED_AT - 1_000_000,
        expires_at=EXPIRES_AT,
        current=secret_at(current),
        previous=secret_at(current - 1) if current else None,
        rotated_at=ROTATED_AT,
    )
    return replace(session, **fields)


def taken_in(current: int, *, secrets: Secrets = RING, now: int = ROTATED_AT, **fields: Any) -> Lineage:
    """Return the row of that session, as it was taken in."""
    return first_lineage(theirs(current, **fields), Timeouts(None, None), made_by=secrets.newest, now=now)
