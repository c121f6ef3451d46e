"""When a session is handed on, and what its lineage is then: the table of `stores.rotating`, row by row."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fastapi_session.model import Lineage, Rotation
from fastapi_session.stores.rotating import rotated
from fastapi_session.testing.records import DEBOUNCE, IDLE_TIMEOUT, digest, issue_id, new_session, next_rotation

BEGAN = 1_700_000_000_000
NOW = BEGAN + DEBOUNCE
"""The first moment at which the session is handed on."""
RECORD = new_session("a", now=BEGAN)
ROTATION = next_rotation(RECORD, debounce=DEBOUNCE)


@pytest.mark.parametrize(
    ("rotation", "lineage", "now"),
    [
        (replace(ROTATION, generation=1), RECORD.lineage, NOW),
        (replace(ROTATION, presented=digest("another")), RECORD.lineage, NOW),
        (ROTATION, RECORD.lineage, NOW - 1),
        (ROTATION, replace(RECORD.lineage, idle_expires_at=NOW), NOW),
        (ROTATION, replace(RECORD.lineage, absolute_expires_at=NOW), NOW),
    ],
    ids=["another generation", "another token", "within the debounce", "idle for too long", "too old"],
)
def test_a_session_that_is_not_handed_on(rotation: Rotation, lineage: Lineage, now: int) -> None:
    """One thing alone is otherwise, and the session stays as it is."""
    assert rotated(lineage, rotation, bound_key=None, now=now) is None


@pytest.mark.parametrize(
    ("bound_key", "proved"),
    [
        ("dbsc:own", "dbsc:other"),
        ("dbsc:own", None),
        (None, "dbsc:own"),
        ("dbsc:own", "dpop:own"),
        ("", None),
        (None, ""),
    ],
)
def test_a_key_that_was_not_proved(bound_key: str | None, proved: str | None) -> None:
    """A session goes by the key that it is bound to, and by none if it is bound to none."""
    assert rotated(RECORD.lineage, replace(ROTATION, proved=proved), bound_key=bound_key, now=NOW) is None


def test_a_key_that_was_proved() -> None:
    """A bound session whose key was proved is handed on as one is that is not bound."""
    bound = rotated(RECORD.lineage, replace(ROTATION, proved="dbsc:own"), bound_key="dbsc:own", now=NOW)

    assert bound is not None
    assert rotated(RECORD.lineage, ROTATION, bound_key=None, now=NOW) == bound


def test_a_session_that_is_handed_on() -> None:
    """The newest token becomes the one before, its successor the newest, and what is not about the exchange stays."""
    assert replace(
        RECORD.lineage,
        generation=1,
        current=ROTATION.successor,
        previous=RECORD.lineage.current,
        current_kid=ROTATION.successor_kid,
        window_at=NOW,
        acknowledged=False,
        idle_expires_at=NOW + IDLE_TIMEOUT,
        exchanged=ROTATION.issue_id,
    ) == rotated(RECORD.lineage, ROTATION, bound_key=None, now=NOW)


def test_exchanges_that_were_crossed() -> None:
    """Each exchange is a further bit, and the one before the last three is forgotten."""
    lineage = replace(RECORD.lineage, crossed=0b101, exchanged=issue_id("before"))
    moved = rotated(lineage, ROTATION, bound_key=None, now=NOW)

    assert moved is not None
    assert 0b010 == moved.crossed
