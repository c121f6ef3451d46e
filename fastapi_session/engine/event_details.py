"""What each event says beside the session that it is about, as its attributes: for subscribers and for the audit alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi_session.core.rotation import Verdict
from fastapi_session.model import Actor, Circumstances, Ending, SessionRecord


def making_room(record: SessionRecord) -> Ending:
    """Return why sessions end that make room for *record*."""
    return Ending("limit", by=Actor(record.user_id, record.handle), circumstances=record.circumstances)


def said_of(ending: Ending) -> dict[str, Any]:
    """Return what is said of a session that ended."""
    return {"reason": ending.reason, "by": ending.by, "circumstances": ending.circumstances}


def said_of_creation(
    record: SessionRecord, replaced: Sequence[str], upgraded_from: str | None, *, is_new_device: bool | None = None
) -> dict[str, Any]:
    """Return what is said of the session of *record*, which was created in the place of those *replaced*."""
    return {
        "circumstances": record.circumstances,
        "replaced": tuple(replaced),
        "upgraded_from": upgraded_from,
        "is_new_device": is_new_device,
        "bound": record.bound_key is not None,
    }


def said_of_adoption(record: SessionRecord) -> dict[str, Any]:
    """Return what is said of a session that began in another system."""
    return {"circumstances": record.circumstances, "source": record.source}


def said_of_elevation(record: SessionRecord, previous: SessionRecord, methods: Sequence[str]) -> dict[str, Any]:
    """Return what is said of the session of *record*, which took the place of *previous*."""
    return {"previous_handle": previous.handle, "methods": tuple(methods), "acr": record.acr}


def said_of_refresh(verdict: Verdict, by: Circumstances) -> dict[str, Any]:
    """Return what is said of a refresh that came *by* such a request."""
    return {"circumstances": by, "is_rotated": verdict in (Verdict.ROTATED, Verdict.RECOVERED)}


def said_of_theft(record: SessionRecord, verdict: Verdict, by: Circumstances) -> dict[str, Any]:
    """Return what is said of a used refresh token that came back *by* such a request."""
    return {"reason": verdict.value, **said_of_mismatch(record, by)}


def said_of_mismatch(record: SessionRecord, by: Circumstances) -> dict[str, Any]:
    """Return what is said of a refresh token that came *by* such a request, and perhaps not by the session's own client."""
    return {"presented_by": by, "last_seen": record.circumstances}
