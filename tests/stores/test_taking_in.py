"""What is newer of a session that was taken in: the tables of `stores.taking_in`, row by row."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fastapi_session.model import LATEST, Circumstances, SessionRecord
from fastapi_session.stores.taking_in import (
    MOVING_KEPT,
    Taking,
    has_stale_claims,
    mark_of,
    marked_session,
    marked_until,
    renewed,
    taking,
)
from fastapi_session.testing.records import digest, issue_id, new_session

LOWER, HIGHER = {"generation": 1}, {"generation": 2}
UNUSED = {"acknowledged": False}


def session(*, waits: bool, lineage: dict[str, Any] | None = None, **said: Any) -> SessionRecord:
    """Return a session that began elsewhere; if it does not wait, it has gone on here."""
    exchanged = None if waits else issue_id("S0")
    return new_session(
        "a", now=1_000, lineage={"exchanged": exchanged, **(lineage or {})}, **{"source": "elsewhere", **said}
    )


@pytest.mark.parametrize(
    ("kept", "record", "is_newer"),
    [
        pytest.param(session(waits=True), session(waits=True), False, id="the same"),
        pytest.param(session(waits=True), session(waits=True, lineage={"generation": 1}), True, id="another generation"),
        pytest.param(session(waits=True, lineage=HIGHER), session(waits=True, lineage=LOWER), True, id="though lower"),
        pytest.param(session(waits=True), session(waits=True, lineage={"current": b"c"}), True, id="another token"),
        pytest.param(session(waits=True), session(waits=True, lineage={"previous": b"p"}), True, id="another before"),
        pytest.param(session(waits=True), session(waits=True, lineage={"window_at": 9}), False, id="the same tokens"),
        pytest.param(session(waits=True, lineage=HIGHER), session(waits=False, lineage=LOWER), True, id="exchanged elsewhere"),
        pytest.param(session(waits=False, lineage=LOWER), session(waits=True, lineage=HIGHER), False, id="exchanged here"),
        pytest.param(session(waits=False, source=None), session(waits=True, lineage=HIGHER), False, id="began here"),
        pytest.param(session(waits=False, lineage=LOWER), session(waits=False, lineage=HIGHER), True, id="higher"),
        pytest.param(session(waits=False, lineage=HIGHER), session(waits=False, lineage=LOWER), False, id="lower"),
        pytest.param(session(waits=False, lineage=UNUSED), session(waits=False), True, id="used there"),
        pytest.param(session(waits=False), session(waits=False, lineage=UNUSED), False, id="used here"),
        pytest.param(session(waits=False), session(waits=False, lineage={"window_at": 1_001}), True, id="sent again there"),
        pytest.param(session(waits=False), session(waits=False, lineage={"window_at": 999}), False, id="sent again here"),
        pytest.param(session(waits=False), session(waits=False, lineage={"crossed": 1}), True, id="crossed there"),
        pytest.param(session(waits=False, lineage={"crossed": 1}), session(waits=False), False, id="crossed here"),
        pytest.param(session(waits=False, lineage=UNUSED), session(waits=False, lineage={"current": b"c"}), False, id="a branch"),
    ],
)  # fmt: skip
def test_which_lineage_is_newer(kept: SessionRecord, record: SessionRecord, is_newer: bool) -> None:
    """The lineage of the record counts, with the circumstances of its newest refresh token, where the table says so, and no part of it elsewhere."""
    record = replace(record, circumstances=Circumstances("192.0.2.1", "another"))
    expected = replace(kept, lineage=record.lineage, circumstances=record.circumstances) if is_newer else kept

    assert expected == renewed(kept, record)


@pytest.mark.parametrize(
    ("kept", "record", "is_newer"),
    [
        (session(waits=True, version=1), session(waits=True, version=1), True),
        (session(waits=True, version=1), session(waits=True, version=0), False),
        (session(waits=False, version=1), session(waits=True, version=1), False),
        (session(waits=False, version=1), session(waits=False, version=1), False),
        (session(waits=False, version=1), session(waits=False, version=2), True),
    ],
)
def test_which_payload_is_newer(kept: SessionRecord, record: SessionRecord, is_newer: bool) -> None:
    """Payload, data and label go with the higher version; of the same one, with the system in which the session still goes on."""
    said = {"access_token_payload": {"a": 1}, "session_data": {"b": 2}, "label": "mine"}
    record = replace(record, **said)  # type: ignore[arg-type]

    expected = replace(kept, version=record.version, **said) if is_newer else kept  # type: ignore[arg-type]
    assert expected == renewed(kept, record)
    assert has_stale_claims(kept, expected) is (is_newer and not kept.waits)


@pytest.mark.parametrize("waits", [True, False])
def test_whose_it_is_is_newer_while_both_wait(waits: bool) -> None:
    """An account that was linked elsewhere is another user, until the session has gone on here; the tenant never changes."""
    kept = session(waits=waits)
    record = session(waits=True, user_id="linked", recipe_user_id="linked too", tenant_id="t1")

    expected = replace(kept, user_id="linked", recipe_user_id="linked too") if waits else kept
    assert expected == renewed(kept, record)


@pytest.mark.parametrize(("ours", "theirs"), [(1, 2), (2, 1)])
def test_the_later_deadline_counts(ours: int, theirs: int) -> None:
    """Whoever was last to see the session in use says until when it lives."""
    kept = session(waits=False, lineage={"idle_expires_at": ours}, last_seen_at=ours)
    record = session(waits=False, lineage={"idle_expires_at": theirs}, last_seen_at=theirs)

    assert session(waits=False, lineage={"idle_expires_at": 2}, last_seen_at=2) == renewed(kept, record)


@pytest.mark.parametrize(
    ("kept", "record", "expected"),
    [
        (None, "dbsc:own", "dbsc:own"),
        ("dbsc:own", None, "dbsc:own"),
        ("dbsc:own", "dbsc:other", "dbsc:own"),
        (None, None, None),
    ],
)
@pytest.mark.parametrize("waits", [True, False])
def test_a_key_is_kept(kept: str | None, record: str | None, expected: str | None, waits: bool) -> None:
    """A session is bound once: where it has no key it gets the one of elsewhere, and never another."""
    ours, theirs = (session(waits=waits, bound_key=key) for key in (kept, record))

    assert session(waits=waits, bound_key=expected) == renewed(ours, theirs)


def test_a_mark_names_its_session() -> None:
    """A store remembers an id in 32 bytes that say whose they are, and that no other digest is."""
    session_id = new_session("a", now=0).session_id

    assert 32 == len(mark_of(session_id))
    assert session_id == marked_session(mark_of(session_id))
    assert [None, None] == [marked_session(each) for each in (digest("a"), mark_of(session_id)[:-1])]


def test_an_id_is_remembered_as_long_as_it_can_come_back() -> None:
    """Until the deadline after which the session is over anywhere, or else for as long as moving takes: another system knows no deadline of ours."""
    deadlines = {"idle_expires_at": 1, "absolute_expires_at": 9}
    bounded = session(waits=False, source=None, lineage=deadlines)
    unbounded = session(waits=False, source=None, lineage={"idle_expires_at": 1})
    elsewhere = session(waits=True, lineage=deadlines)

    assert [9, 1 + MOVING_KEPT, 1 + MOVING_KEPT] == [marked_until(each) for each in (bounded, unbounded, elsewhere)]


@pytest.mark.parametrize("said", [{"tenant_id": "t1"}, {"source": "a third system"}, {"source": None}])
def test_another_session_of_the_same_id(said: dict[str, Any]) -> None:
    """Nothing is taken of a session of another tenant, or that began in another place: an id alone does not say that it is the same."""
    other = session(
        waits=True, user_id="another", version=9, lineage={"generation": 9, "idle_expires_at": LATEST}, **said
    )

    assert Taking("there") == taking(other, session(waits=True), was_taken_in=True)
