"""Tokens and rows of one session, to write cases of the rotation table down with."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fastapi_session.core import refresh_token
from fastapi_session.core.refresh_token import RefreshToken
from fastapi_session.core.rotation import RotationPolicy
from fastapi_session.core.secret import Secret, Secrets
from fastapi_session.model import Lineage
from tests.milliseconds import GRACE

SESSION_ID = "00112233445566778899aabbccddeeff"
RING = Secrets([Secret.from_material(b"a secret of thirty-two bytes or more")])
IDLE = 1_000_000
WINDOW_AT = 5_000_000
POLICY = RotationPolicy(grace=GRACE, debounce=GRACE, lost_response_recovery=True, idle_timeout=IDLE)


ISSUED = b"the one--"
"""The issue id of the answers that are exchanged and used, unless a test says otherwise."""
ANSWER = b"the next-"
"""The issue id of what is answered."""


def token_at(generation: int, *, issue_id: bytes = ISSUED, secrets: Secrets = RING) -> RefreshToken:
    """Return the genuine token of *generation*, as it was handed out as *issue_id*."""
    token = refresh_token.first(SESSION_ID, secret=b"S" * 32, kid=secrets.newest.kid, issue_id=issue_id)
    for _ in range(generation):
        token = refresh_token.successor(token, secrets.newest, issue_id=issue_id)
    return token


def fork_at(generation: int) -> RefreshToken:
    """Return a token of *generation* that this deployment's secret authenticates, but that was never handed out."""
    return replace(token_at(generation), secret=b"another secret of thirty-two byte")


def stored(token: RefreshToken, *, secrets: Secrets = RING) -> bytes:
    """Return what a store keeps of *token*."""
    return refresh_token.stored_hash(token.fingerprint, secrets[token.kid])


def row_at(generation: int, **fields: Any) -> Lineage:
    """Return the row of a session that moved to *generation* at `WINDOW_AT`, with *fields* as said."""
    row = Lineage(
        generation=generation,
        current=stored(token_at(generation)),
        previous=stored(token_at(generation - 1)) if generation else None,
        current_kid=RING.newest.kid,
        window_at=WINDOW_AT,
        acknowledged=False,
        idle_expires_at=WINDOW_AT + IDLE,
        absolute_expires_at=None,
        exchanged=ISSUED if generation else None,
    )
    return replace(row, **fields)
