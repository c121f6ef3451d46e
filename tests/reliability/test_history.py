"""The checker of histories sees what it is there to see."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.reliability.history import OK, THEFT, UNAUTHORISED, Answer, lost_clients, violations

GRACE = 30

FIRST = Answer("a", "s", 0, 100, 101, OK, "s", 1, "t1")
SECOND = Answer("a", "s", 1, 200, 201, OK, "s", 2, "t2")
LATE = Answer("b", "s", 0, 110, 111, OK, "s", 1, "t1")
REPLAY = Answer("thief", "s", 0, 300, 301, THEFT)
HONEST = [FIRST, LATE, SECOND]


def broken(*history: Answer, revoked: int | None = None) -> set[str]:
    found = violations(history, grace=GRACE, revoked={} if revoked is None else {"s": revoked})
    return {promise for promise, _ in found}


def test_an_honest_history_breaks_no_promise() -> None:
    """Two tabs, a rotation and a late replay are what the promises allow."""
    assert set() == broken(*HONEST, REPLAY, revoked=301)


@pytest.mark.parametrize(
    ("promise", "lie"),
    [
        ("one_successor", replace(LATE, digest="another")),
        ("one_successor", replace(LATE, generation=2, digest="t2")),
        ("never_back", replace(LATE, began=250, ended=251)),
        ("no_false_theft", Answer("b", "s", 2, 300, 301, THEFT)),
        ("no_false_theft", Answer("b", "s", 1, 210, 211, THEFT)),
        ("no_missed_replay", replace(LATE, began=250, ended=251)),
        ("own_session", replace(LATE, session="other")),
        ("final_revocation", replace(SECOND, began=302, ended=303)),
    ],
)
def test_each_promise_is_watched(promise: str, lie: Answer) -> None:
    """One answer that cannot be, among honest ones, is found out."""
    assert promise in broken(*HONEST, lie, revoked=301)


def test_lost_clients() -> None:
    """A client is lost whose last answer is a refusal; one that was refused before is not."""
    refused = Answer("b", "s", 0, 90, 91, UNAUTHORISED)

    assert [] == lost_clients([*HONEST, refused])
    assert ["b"] == lost_clients([*HONEST, replace(refused, began=400, ended=401)])
