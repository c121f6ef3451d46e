"""A session as commands say it: for people, and as JSON."""

from __future__ import annotations

from typing import Any

from fastapi_session.plain_text import exactly, when
from fastapi_session.session_information import SessionInformation

HEAD = ("HANDLE", "TENANT", "KIND", "CREATED", "LAST SEEN", "EXPIRES", "DEVICE")


def row(session: SessionInformation) -> tuple[str, ...]:
    """Return *session* as a row below `HEAD`."""
    moments = session.created_at, session.last_seen_at, session.expires_at
    return session.handle, session.tenant_id, session.kind, *map(when, moments), device(session) or "-"


def device(session: SessionInformation) -> str | None:
    """Return by which device it is used: as its user agent says, or that itself."""
    return session.label or session.device.text or session.last_seen.user_agent


def as_json(session: SessionInformation) -> dict[str, Any]:
    """Return *session* as JSON, without its claims and its data."""
    return {
        "handle": session.handle,
        "user_id": session.user_id,
        "tenant_id": session.tenant_id,
        "kind": session.kind,
        "remembered": session.remembered,
        "bound": session.bound,
        "created_at": exactly(session.created_at),
        "last_seen_at": exactly(session.last_seen_at),
        "expires_at": exactly(session.expires_at),
        "label": session.label,
        "device": session.device.text,
        "ip_address": session.last_seen.ip_address,
        "user_agent": session.last_seen.user_agent,
        "first_ip_address": session.first_seen.ip_address,
        "first_user_agent": session.first_seen.user_agent,
        "actor": None if session.actor is None else session.actor.user_id,
        "actor_reason": None if session.actor is None else session.actor.reason,
    }
