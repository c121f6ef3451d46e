"""What the statements are given, by the names that stand in them."""

from __future__ import annotations

from typing import Any

from fastapi_session.model import Lineage, Rotation


def rotation_parameters(rotation: Rotation, *, now: int) -> dict[str, Any]:
    """Return what `ROTATE` is given."""
    return {
        "session_id": rotation.session_id,
        "generation": rotation.generation,
        "presented": rotation.presented,
        "issue_id": rotation.issue_id,
        "successor": rotation.successor,
        "successor_kid": rotation.successor_kid,
        "debounce": rotation.debounce,
        "idle_timeout": rotation.idle_timeout,
        "ip_address": rotation.circumstances.ip_address,
        "user_agent": rotation.circumstances.user_agent,
        "now": now,
    }


def expected_parameters(expected: Lineage) -> dict[str, Any]:
    """Return what says where a session has to stand still."""
    return {
        "expected_generation": expected.generation,
        "expected_current": expected.current,
        "expected_acknowledged": expected.acknowledged,
        "expected_window_at": expected.window_at,
        "expected_exchanged": expected.exchanged,
        "expected_crossed": expected.crossed,
    }
