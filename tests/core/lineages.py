"""Tokens and rows of one session, to write cases of the rotation table down with."""

from __future__ import annotations

from dataclasses import replace

from fastapi_session.core import refresh_token
from fastapi_session.core.refresh_token import RefreshToken
from fastapi_session.core.rotation import RotationPolicy
from fastapi_session.core.secret import Secret, SecretRing
from fastapi_session.model import Lineage

SESSION_ID = "00112233445566778899aabbccddeeff"
RING = SecretRing([Secret.from_material(b"a secret of thirty-two bytes or more")])
GRACE = 30_000
IDLE = 1_000_000
WINDOW_AT = 5_000_000
POLICY = RotationPolicy(grace=GRACE, debounce=GRACE, lost_response_recovery=True, idle_timeout=IDLE)


def token_at(generation: int, *, ring: SecretRing = RING) -> RefreshToken:
    """Answer the genuine token of *generation*."""
    token = refresh_token.first(SESSION_ID, secret=b"S" * 32, kid=ring.newest.kid)
    for _ in range(generation):
        token = refresh_token.successor(token, ring.newest)
    return token


def fork_at(generation: int) -> RefreshToken:
    """Answer a token of *generation* that this deployment's secret authenticates, but that was never handed out."""
    return replace(token_at(generation), secret=b"another secret of thirty-two byte")


def stored(token: RefreshToken, *, ring: SecretRing = RING) -> bytes:
    """Answer what a store keeps of *token*."""
    return refresh_token.stored_hash(token.fingerprint, ring[token.kid])


def row_at(generation: int, *, acknowledged: bool = False, absolute_expires_at: int | None = None) -> Lineage:
    """Answer the row of a session that moved to *generation* at `WINDOW_AT`."""
    return Lineage(
        generation=generation,
        current=stored(token_at(generation)),
        previous=stored(token_at(generation - 1)) if generation else None,
        current_kid=RING.newest.kid,
        window_at=WINDOW_AT,
        acknowledged=acknowledged,
        idle_expires_at=WINDOW_AT + IDLE,
        absolute_expires_at=absolute_expires_at,
    )
