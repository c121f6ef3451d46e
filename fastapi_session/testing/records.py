"""Records to put into a store: complete and distinct, where a test names only what matters to it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from typing import Any

from fastapi_session.model import NOT_KNOWN, Json, Lineage, Rotation, SessionRecord, SigningKeyRecord

SECOND = 1_000
DEBOUNCE = 30 * SECOND
IDLE_TIMEOUT = 3_600 * SECOND


def digest(text: str) -> bytes:
    """Return 32 bytes that stand for the hash of the refresh token called *text*."""
    return sha256(text.encode()).digest()


def issue_id(text: str) -> bytes:
    """Return 9 bytes that stand for the issue id of the refresh token called *text*."""
    return digest(text)[:9]


MOVED: tuple[Json, ...] = (
    {"generation": 1},
    {"current": digest("another")},
    {"acknowledged": False},
    {"window_at": 1},
    {"exchanged": b"another"},
    {"crossed": 1},
)
"""What makes the lineage of a new session another one, each alone."""

NOT_COMPARED: Json = {
    "previous": digest("x"),
    "current_kid": 9,
    "idle_expires_at": 1,
    "absolute_expires_at": 1,
    "used": b"another",
    "used_at": 1,
}
"""What does not."""


def new_session(name: str, *, now: int, lineage: Json | None = None, **fields: Any) -> SessionRecord:
    """Return the record of a session created at *now* (milliseconds), with *fields* and *lineage* as said."""
    record = SessionRecord(
        session_id=sha256(name.encode()).hexdigest()[:32],
        tenant_id="public",
        user_id="user",
        recipe_user_id="recipe-user",
        access_token_payload={"role": "admin", "nested": {"list": [1, 2.5, None, True, "ü"]}},
        session_data={"cart": ["apple"]},
        version=0,
        circumstances=NOT_KNOWN,
        created_at=now,
        lineage=Lineage(
            generation=0,
            current=digest("S0"),
            previous=None,
            current_kid=1,
            window_at=now,
            acknowledged=True,
            idle_expires_at=now + IDLE_TIMEOUT,
            absolute_expires_at=None,
            used=issue_id("S0"),
            used_at=now,
        ),
    )
    return replace(record, lineage=replace(record.lineage, **(lineage or {})), **fields)


def next_rotation(record: SessionRecord, **fields: Any) -> Rotation:
    """Return the rotation that hands *record* on to its next refresh token, with *fields* as said."""
    generation = record.lineage.generation
    rotation = Rotation(
        session_id=record.session_id,
        generation=generation,
        presented=record.lineage.current,
        issue_id=issue_id(f"S{generation}"),
        successor=digest(f"S{generation + 1}"),
        successor_kid=2,
        debounce=DEBOUNCE,
        idle_timeout=IDLE_TIMEOUT,
    )
    return replace(rotation, **fields)


def new_signing_key(kid: str, *, now: int, **fields: Any) -> SigningKeyRecord:
    """Return the record of a signing key created at *now* (milliseconds), with *fields* as said."""
    record = SigningKeyRecord(
        kid=kid,
        family="d",
        sequence=1,
        algorithm="ES256",
        public_jwk={"kty": "EC", "crv": "P-256", "kid": kid},
        private_key=digest(kid),
        secret_kid=1,
        created_at=now,
        activates_at=now + 600 * SECOND,
        token_lifetime=3_600 * SECOND,
    )
    return replace(record, **fields)


def duration(milliseconds: int) -> timedelta:
    """Return *milliseconds* as a duration."""
    return timedelta(milliseconds=milliseconds)
