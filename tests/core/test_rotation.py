"""The table of what a presented refresh token means, row by row and in every combination of its conditions."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, fields, replace
from typing import Any

import pytest

from fastapi_session.core import refresh_token, rotation
from fastapi_session.core.binding.bound_keys import Standing
from fastapi_session.core.refresh_token import RefreshToken
from fastapi_session.core.rotation import THEFT, Decision, RotationPolicy, Verdict, belongs_to, judge
from fastapi_session.core.secret import Secret, Secrets
from fastapi_session.model import Lineage
from fastapi_session.testing.records import full_session
from tests.core.lineages import (
    ANSWER,
    IDLE,
    ISSUED,
    POLICY,
    RING,
    SESSION_ID,
    WINDOW_AT,
    fork_at,
    row_at,
    stored,
    token_at,
)
from tests.milliseconds import GRACE

WITHIN = WINDOW_AT + GRACE - 1
AFTER = WINDOW_AT + GRACE
BEHIND = WINDOW_AT - GRACE
"""Of a clock that was set back so far that no window can be open."""
STRICT = replace(POLICY, grace=0, debounce=0, lost_response_recovery=False)
OTHER = b"another--"
"""The issue id of an answer that another client has got, of the same generation."""
USED_BEFORE = {"used": OTHER, "used_at": WINDOW_AT - GRACE // 3}
"""That answer was in use for long enough, before the one called `ISSUED` was exchanged."""
NO_RECOVERY = replace(POLICY, lost_response_recovery=False)


@dataclass(frozen=True)
class Case:
    """One row of the table, as it happens: a token before a row at a moment, and what has to follow."""

    row: str
    when: str
    token: RefreshToken
    lineage: Lineage | None
    now: int
    verdict: Verdict
    writes: dict[str, Any] | None = None
    revokes: bool = False
    answers: int | None = None
    policy: RotationPolicy = POLICY
    standing: Standing = Standing.UNBOUND


def advanced(generation: int, *, now: int, presented: RefreshToken | None = None) -> dict[str, Any]:
    """What a row looks like that has moved on to *generation* at *now*."""
    return {
        "generation": generation,
        "current": stored(token_at(generation)),
        "previous": stored(presented or token_at(generation - 1)),
        "window_at": now,
        "acknowledged": False,
        "idle_expires_at": now + IDLE,
        "exchanged": (presented or token_at(generation)).issue_id,
    }


CASES = [
    Case("D1", "no row", token_at(3), None, WITHIN, Verdict.GONE),
    Case("D1", "idle deadline", token_at(3), row_at(3), WINDOW_AT + IDLE, Verdict.GONE),
    Case("D1", "absolute deadline", token_at(3), row_at(3, absolute_expires_at=WITHIN), WITHIN, Verdict.GONE),
    Case("D1", "unproved", token_at(3), None, WITHIN, Verdict.GONE, standing=Standing.UNPROVED),
    *(
        Case(row, f"{when}, {standing}", token, lineage, now, verdict, standing=standing)
        for row, standing, verdict in (
            ("D1a", Standing.UNPROVED, Verdict.UNPROVED),
            ("D1b", Standing.OVERDUE, Verdict.UNBOUND),
        )
        for when, token, lineage, now in (
            ("the newest", token_at(3), row_at(3), AFTER),
            ("in the debounce", token_at(3), row_at(3), WITHIN),
            ("a fork", fork_at(3), row_at(3), WITHIN),
            ("left behind", token_at(2, issue_id=OTHER), row_at(3, **USED_BEFORE), AFTER),
            ("crossed", token_at(2, issue_id=OTHER), row_at(3, crossed=0b110), WITHIN),
            ("replayed", token_at(2), row_at(3, acknowledged=True), AFTER),
            ("stale", token_at(1), row_at(3), WITHIN),
            ("of a write that was lost", token_at(4), row_at(3), WITHIN),
            ("far ahead", token_at(5), row_at(3), AFTER),
        )
    ),
    Case("D2", "fork in the window", fork_at(3), row_at(3), WITHIN, Verdict.ORPHANED_BRANCH, revokes=True),
    Case("D2", "fork after it", fork_at(3), row_at(3), AFTER, Verdict.ORPHANED_BRANCH, revokes=True),
    Case(
        "D3",
        "not acknowledged",
        token_at(3),
        row_at(3),
        WITHIN,
        Verdict.CURRENT,
        writes={"acknowledged": True, "used": ISSUED, "used_at": WITHIN},
        answers=3,
    ),
    Case("D3", "a little ahead", token_at(3), row_at(3, acknowledged=True), BEHIND + 1, Verdict.CURRENT, answers=3),
    Case(
        "D3",
        "far ahead",
        token_at(3),
        row_at(3, acknowledged=True),
        BEHIND,
        Verdict.CURRENT,
        writes={"window_at": BEHIND},
        answers=3,
    ),
    Case("D3", "acknowledged", token_at(3), row_at(3, acknowledged=True), WITHIN, Verdict.CURRENT, answers=3),
    Case("D3", "at sign-in", token_at(0), row_at(0, acknowledged=True), WINDOW_AT, Verdict.CURRENT, answers=0),
    Case(
        "D4",
        "after the window",
        token_at(3),
        row_at(3),
        AFTER,
        Verdict.ROTATED,
        writes=advanced(4, now=AFTER),
        answers=4,
    ),
    Case(
        "D4", "generation 0", token_at(0), row_at(0), AFTER, Verdict.ROTATED, writes=advanced(1, now=AFTER), answers=1
    ),
    Case(
        "D4",
        "strict",
        token_at(3),
        row_at(3),
        WINDOW_AT,
        Verdict.ROTATED,
        writes=advanced(4, now=WINDOW_AT),
        answers=4,
        policy=STRICT,
    ),
    Case(
        "D4",
        "capped by the absolute deadline",
        token_at(3),
        row_at(3, absolute_expires_at=AFTER + 5),
        AFTER,
        Verdict.ROTATED,
        writes={**advanced(4, now=AFTER), "idle_expires_at": AFTER + 5},
        answers=4,
    ),
    Case(
        "D4",
        "with an idle timeout of its own",
        token_at(3),
        row_at(3, idle_timeout=IDLE // 2),
        AFTER,
        Verdict.ROTATED,
        writes={**advanced(4, now=AFTER), "idle_expires_at": AFTER + IDLE // 2},
        answers=4,
    ),
    Case(
        "D4",
        "crossed before",
        token_at(3, issue_id=OTHER),
        row_at(3, acknowledged=True, crossed=0b110, **USED_BEFORE),
        AFTER,
        Verdict.ROTATED,
        writes={**advanced(4, now=AFTER), "exchanged": OTHER, "crossed": 0b100},
        answers=4,
    ),
    Case(
        "D2",
        "fork with the key",
        fork_at(3),
        row_at(3),
        WITHIN,
        Verdict.ORPHANED_BRANCH,
        revokes=True,
        standing=Standing.PROVED,
    ),
    *(
        Case(
            "D4a",
            when,
            token_at(2, issue_id=OTHER),
            row_at(3, **fields),
            now,
            Verdict.GRACE,
            answers=3,
            standing=Standing.PROVED,
        )
        for when, fields, now in (
            ("acknowledged", {"acknowledged": True}, WITHIN),
            ("crossed twice before", {"crossed": 0b110}, WITHIN),
            ("a little ahead", {"acknowledged": True}, BEHIND + 1),
        )
    ),
    *(
        Case(
            "D4b",
            when,
            token_at(2, issue_id=issue_id),
            row_at(3, **fields),
            now,
            Verdict.REISSUE,
            writes=writes,
            answers=3,
            policy=policy,
            standing=Standing.PROVED,
        )
        for when, issue_id, fields, now, writes, policy in (
            ("not acknowledged", ISSUED, {}, AFTER, {"window_at": AFTER}, POLICY),
            ("acknowledged", ISSUED, {"acknowledged": True}, AFTER, {"window_at": AFTER}, POLICY),
            ("recovery off", ISSUED, {}, AFTER, {"window_at": AFTER}, NO_RECOVERY),
            ("far ahead", ISSUED, {"acknowledged": True}, BEHIND, {"window_at": BEHIND}, POLICY),
            ("strict", ISSUED, {"acknowledged": True}, AFTER, None, STRICT),
            (
                "left behind and crossed",
                OTHER,
                {"crossed": 0b110, "acknowledged": True, **USED_BEFORE},
                AFTER,
                {"window_at": AFTER, "exchanged": OTHER, "used": ISSUED, "used_at": AFTER - GRACE // 3},
                POLICY,
            ),
        )
    ),
    Case(
        "D5",
        "used and left",
        token_at(2, issue_id=OTHER),
        row_at(3, **USED_BEFORE),
        AFTER,
        Verdict.LEFT_BEHIND,
        revokes=True,
    ),
    Case(
        "D5",
        "crossed twice before",
        token_at(2, issue_id=OTHER),
        row_at(3, crossed=0b110, **USED_BEFORE),
        AFTER,
        Verdict.LEFT_BEHIND,
        revokes=True,
    ),
    *(
        Case(
            "D6",
            when,
            token_at(2, issue_id=OTHER),
            row_at(3, **fields),
            now,
            Verdict.CROSSED,
            revokes=True,
            policy=policy,
        )
        for when, fields, now, policy in (
            ("in the window", {"crossed": 0b110}, WITHIN, POLICY),
            ("crossed already", {"crossed": 0b111}, WITHIN, POLICY),
            ("after the window", {"crossed": 0b110}, AFTER, POLICY),
            ("acknowledged", {"crossed": 0b110, "acknowledged": True}, AFTER, POLICY),
            ("strict", {"crossed": 0b110}, WINDOW_AT, STRICT),
            ("used and left, in the window", {"crossed": 0b110, **USED_BEFORE}, WITHIN, POLICY),
            ("window far ahead", {"crossed": 0b110, **USED_BEFORE}, BEHIND, POLICY),
        )
    ),
    Case(
        "D7",
        "crossed once before",
        token_at(2, issue_id=OTHER),
        row_at(3, crossed=0b100, acknowledged=True),
        WITHIN,
        Verdict.GRACE,
        writes={"crossed": 0b101},
        answers=3,
    ),
    Case(
        "D7",
        "crossed already",
        token_at(2, issue_id=OTHER),
        row_at(3, crossed=0b001),
        WITHIN,
        Verdict.GRACE,
        answers=3,
    ),
    Case("D7", "same id, all crossed", token_at(2), row_at(3, crossed=0b110), WITHIN, Verdict.GRACE, answers=3),
    Case(
        "D7",
        "exchange unknown",
        token_at(2),
        row_at(3, exchanged=None, crossed=0b110),
        WITHIN,
        Verdict.GRACE,
        answers=3,
    ),
    Case("D7", "a little ahead", token_at(2), row_at(3, acknowledged=True), BEHIND + 1, Verdict.GRACE, answers=3),
    Case(
        "D8",
        "crossed",
        token_at(2, issue_id=OTHER),
        row_at(3),
        AFTER,
        Verdict.REISSUE,
        writes={
            "window_at": AFTER,
            "exchanged": OTHER,
            "crossed": 0b001,
            "used": ISSUED,
            "used_at": AFTER - GRACE // 3,
        },
        answers=3,
    ),
    Case(
        "D8",
        "used just before another was exchanged",
        token_at(2, issue_id=OTHER),
        row_at(3, used=OTHER, used_at=WINDOW_AT - GRACE // 3 + 1),
        AFTER,
        Verdict.REISSUE,
        writes={
            "window_at": AFTER,
            "exchanged": OTHER,
            "crossed": 0b001,
            "used": ISSUED,
            "used_at": AFTER - GRACE // 3,
        },
        answers=3,
    ),
    Case(
        "D8",
        "crossed, no window",
        token_at(2, issue_id=OTHER),
        row_at(3),
        AFTER,
        Verdict.REISSUE,
        writes={"exchanged": OTHER, "crossed": 0b001, "used": ISSUED, "used_at": AFTER},
        answers=3,
        policy=replace(POLICY, grace=0),
    ),
    Case(
        "D8",
        "exchange unknown",
        token_at(2),
        row_at(3, exchanged=None),
        AFTER,
        Verdict.REISSUE,
        writes={"window_at": AFTER, "exchanged": ISSUED},
        answers=3,
    ),
    Case("D8", "far ahead", token_at(2), row_at(3), BEHIND, Verdict.REISSUE, writes={"window_at": BEHIND}, answers=3),
    Case(
        "D9",
        "far ahead",
        token_at(2),
        row_at(3, acknowledged=True),
        BEHIND,
        Verdict.CLOCK_SET_BACK,
        writes={"window_at": BEHIND - GRACE},
    ),
    Case(
        "D9",
        "recovery off",
        token_at(2),
        row_at(3),
        BEHIND,
        Verdict.CLOCK_SET_BACK,
        writes={"window_at": BEHIND - GRACE},
        policy=NO_RECOVERY,
    ),
    Case("D7", "not acknowledged", token_at(2), row_at(3), WITHIN, Verdict.GRACE, answers=3),
    Case("D7", "acknowledged", token_at(2), row_at(3, acknowledged=True), WITHIN, Verdict.GRACE, answers=3),
    Case("D7", "generation 0", token_at(0), row_at(1), WINDOW_AT, Verdict.GRACE, answers=1),
    Case("D8", "answer lost", token_at(2), row_at(3), AFTER, Verdict.REISSUE, writes={"window_at": AFTER}, answers=3),
    Case("D8", "no window", token_at(2), row_at(3), AFTER, Verdict.REISSUE, answers=3, policy=replace(POLICY, grace=0)),
    Case("D10", "acknowledged", token_at(2), row_at(3, acknowledged=True), AFTER, Verdict.RECENT_PREV, revokes=True),
    Case("D10", "recovery off", token_at(2), row_at(3), AFTER, Verdict.RECENT_PREV, revokes=True, policy=NO_RECOVERY),
    Case("D10", "strict", token_at(2), row_at(3), WINDOW_AT, Verdict.RECENT_PREV, revokes=True, policy=STRICT),
    Case(
        "D11",
        "one write lost",
        token_at(4),
        row_at(3),
        WITHIN,
        Verdict.RECOVERED,
        writes=advanced(5, now=WITHIN),
        answers=5,
    ),
    Case(
        "D11",
        "with an idle timeout of its own",
        token_at(4),
        row_at(3, idle_timeout=IDLE // 2),
        WITHIN,
        Verdict.RECOVERED,
        writes={**advanced(5, now=WITHIN), "idle_expires_at": WITHIN + IDLE // 2},
        answers=5,
    ),
    Case(
        "D11",
        "of generation 0",
        token_at(1),
        row_at(0),
        AFTER,
        Verdict.RECOVERED,
        writes=advanced(2, now=AFTER),
        answers=2,
    ),
    Case("D12", "two writes lost", token_at(5), row_at(3), AFTER, Verdict.STORE_REGRESSED, revokes=True),
    Case(
        "D12",
        "no child of the current",
        replace(token_at(4), parent=fork_at(3).fingerprint),
        row_at(3),
        AFTER,
        Verdict.STORE_REGRESSED,
        revokes=True,
    ),
    Case("D13", "two generations old", token_at(1), row_at(3), WITHIN, Verdict.STALE_LINEAGE, revokes=True),
    Case("D13", "three generations old", token_at(0), row_at(3), AFTER, Verdict.STALE_LINEAGE, revokes=True),
    Case("D13", "fork of the previous", fork_at(2), row_at(3), WITHIN, Verdict.STALE_LINEAGE, revokes=True),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.row} {case.verdict} {case.when}")
def test_row(case: Case) -> None:
    """A token before a row at a moment means what the table says, writes what it says, and is answered as it says."""
    decision = judge(
        case.token,
        case.lineage,
        now=case.now,
        policy=case.policy,
        secrets=RING,
        issue_id=ANSWER,
        standing=case.standing,
    )

    writes = None if case.writes is None or case.lineage is None else replace(case.lineage, **case.writes)
    answer = None if case.answers is None else token_at(case.answers, issue_id=ANSWER)
    assert Decision(case.verdict, write=writes, revoke=case.revokes, to_send=answer) == decision


def test_every_row_has_a_case() -> None:
    """No row of the documented table goes without a case; D0 is the codec's."""
    documented = set(re.findall(r"^\| (D\d+[ab]?) \|.*?\| ([A-Z_]+) \|", rotation.__doc__ or "", re.MULTILINE))

    assert documented == {("D0", "BAD_TOKEN")} | {(case.row, case.verdict.value) for case in CASES}


def literal_table(
    token: RefreshToken, row: Lineage, now: int, policy: RotationPolicy, *, standing: Standing = Standing.UNBOUND
) -> Verdict:
    """The table once more, condition by condition as it is written down, first match wins."""
    n, gen, current = token.generation, row.generation, stored(token) == row.current
    previous = n == gen - 1 and stored(token) == row.previous
    another = previous and row.exchanged is not None and token.issue_id != row.exchanged
    is_open = -policy.grace < now - row.window_at < policy.grace
    child = refresh_token.stored_hash(token.parent, RING.newest) == row.current
    left = token.issue_id == row.used and row.used_at + policy.grace // 3 <= row.window_at
    rows = [
        (row.idle_expires_at <= now, Verdict.GONE),
        (row.absolute_expires_at is not None and row.absolute_expires_at <= now, Verdict.GONE),
        (standing is Standing.UNPROVED, Verdict.UNPROVED),
        (standing is Standing.OVERDUE, Verdict.UNBOUND),
        (n == gen and not current, Verdict.ORPHANED_BRANCH),
        (n == gen and now < row.window_at + policy.debounce, Verdict.CURRENT),
        (n == gen, Verdict.ROTATED),
        (previous and standing is Standing.PROVED and is_open, Verdict.GRACE),
        (previous and standing is Standing.PROVED, Verdict.REISSUE),
        (another and left and now >= row.window_at + policy.grace, Verdict.LEFT_BEHIND),
        (another and row.crossed in (0b110, 0b111), Verdict.CROSSED),
        (previous and is_open, Verdict.GRACE),
        (previous and not row.acknowledged and policy.lost_response_recovery, Verdict.REISSUE),
        (previous and now < row.window_at, Verdict.CLOCK_SET_BACK),
        (previous, Verdict.RECENT_PREV),
        (n == gen + 1 and child, Verdict.RECOVERED),
        (n > gen, Verdict.STORE_REGRESSED),
        (True, Verdict.STALE_LINEAGE),
    ]
    return next(verdict for holds, verdict in rows if holds)


MOMENTS = [
    BEHIND,
    BEHIND + 1,
    WINDOW_AT - 1,
    WINDOW_AT,
    WITHIN,
    AFTER,
    AFTER + 1,
    WINDOW_AT + IDLE - 1,
    WINDOW_AT + IDLE,
]
POLICIES = [POLICY, NO_RECOVERY, STRICT, replace(POLICY, grace=0), replace(POLICY, debounce=0)]


def differing(
    tokens: list[RefreshToken], rows: list[Lineage], *, standing: Standing = Standing.UNBOUND
) -> tuple[int, list[Any]]:
    """Return how many combinations of *tokens* and *rows* there are at every moment and policy, and which are misjudged."""
    combinations = list(itertools.product(tokens, rows, MOMENTS, POLICIES))
    return len(combinations), [
        (token, row, now, policy)
        for token, row, now, policy in combinations
        if judge(token, row, now=now, policy=policy, secrets=RING, issue_id=ANSWER, standing=standing).verdict
        != literal_table(token, row, now, policy, standing=standing)
    ]


@pytest.mark.parametrize("standing", Standing)
def test_every_combination(standing: Standing) -> None:
    """Every combination of generation, hashes, acknowledgement, window, deadline, setting and key means what the table says."""
    tokens = [make(generation) for make in (token_at, fork_at) for generation in range(8)]
    tokens += [replace(token, parent=fork_at(3).fingerprint) for token in tokens]
    rows = [
        row_at(generation, acknowledged=acknowledged, absolute_expires_at=absolute)
        for generation in (0, 1, 4)
        for acknowledged in (True, False)
        for absolute in (None, WINDOW_AT + 1, AFTER + 1)
    ]

    assert (25_920, []) == differing(tokens, rows, standing=standing)


@pytest.mark.parametrize("standing", Standing)
def test_every_combination_of_answers(standing: Standing) -> None:
    """Whichever answer comes, was exchanged, was used, since when, and after which exchanges: it means what the table says."""
    tokens = [token_at(generation, issue_id=issue_id) for generation in (3, 4) for issue_id in (ISSUED, OTHER)]
    rows = [
        row_at(4, acknowledged=acknowledged, exchanged=exchanged, used=used, used_at=used_at, crossed=crossed)
        for acknowledged in (True, False)
        for exchanged in (None, ISSUED, OTHER)
        for used in (None, OTHER)
        for used_at in (WINDOW_AT - GRACE // 3, WINDOW_AT - GRACE // 3 + 1, WINDOW_AT)
        for crossed in (0b000, 0b010, 0b100, 0b110, 0b111)
    ]

    assert (32_400, []) == differing(tokens, rows, standing=standing)


@pytest.mark.parametrize("standing", [Standing.UNPROVED, Standing.OVERDUE])
def test_without_the_key_nothing_happens(standing: Standing) -> None:
    """Whatever token comes without the key, in whatever state its session is: nothing is written, revoked, sent or called theft."""
    tokens = [make(generation) for make in (token_at, fork_at) for generation in range(8)]
    rows = [row_at(generation, acknowledged=acknowledged) for generation in (0, 1, 4) for acknowledged in (True, False)]
    decisions = {
        judge(token, row, now=now, policy=policy, secrets=RING, issue_id=ANSWER, standing=standing)
        for token, row, now, policy in itertools.product(tokens, rows, MOMENTS, POLICIES)
    }

    refused = Verdict.UNPROVED if standing is Standing.UNPROVED else Verdict.UNBOUND
    assert {Decision(refused), Decision(Verdict.GONE)} == decisions
    assert not THEFT & {refused}


def test_theft_revokes_and_only_what_revokes_answers_nothing() -> None:
    """Whatever is called theft revokes, and nothing that revokes hands out a token."""
    revoking = {case.verdict for case in CASES if case.revokes}

    assert revoking == THEFT | {Verdict.STORE_REGRESSED}
    assert all(case.answers is None for case in CASES if case.revokes)


class TestSecretRotation:
    """The newest secret makes tokens, each older one still reads and repeats its own."""

    old = Secret.from_material(b"the older secret, at least 32 bytes long")
    new = Secret.from_material(b"the newer secret, at least 32 bytes long")

    def row(self, secrets: Secrets, token: RefreshToken) -> Lineage:
        decision = judge(token, self.first_row(token), now=AFTER, policy=POLICY, secrets=secrets, issue_id=ISSUED)
        assert decision.write is not None
        return decision.write

    def first_row(self, token: RefreshToken) -> Lineage:
        current = refresh_token.stored_hash(token.fingerprint, self.old)
        return Lineage.first(
            current, kid=self.old.kid, used=token.issue_id, now=WINDOW_AT, idle_timeout=IDLE, absolute_timeout=None
        )

    def test_a_token_of_the_older_secret_is_followed_by_one_of_the_newer(self) -> None:
        """The first rotation after a new secret is put before the old one moves the session to it."""
        token = refresh_token.first(SESSION_ID, secret=b"S" * 32, kid=self.old.kid, issue_id=ISSUED)
        decision = judge(
            token,
            self.first_row(token),
            now=AFTER,
            policy=POLICY,
            secrets=Secrets([self.new, self.old]),
            issue_id=ANSWER,
        )

        assert decision.to_send is not None
        assert (Verdict.ROTATED, self.new.kid) == (decision.verdict, decision.to_send.kid)

    def test_a_repeated_answer_is_the_same_after_the_newest_secret_changed(self) -> None:
        """A token that rotated under the older secret has the same successor when it is presented under a newer one."""
        token = refresh_token.first(SESSION_ID, secret=b"S" * 32, kid=self.old.kid, issue_id=ISSUED)
        row = self.row(Secrets([self.old]), token)
        decision = judge(
            token, row, now=AFTER + 1, policy=POLICY, secrets=Secrets([self.new, self.old]), issue_id=ANSWER
        )

        assert Decision(Verdict.GRACE, to_send=refresh_token.successor(token, self.old, issue_id=ANSWER)) == decision

    def test_a_dropped_secret_is_no_theft(self) -> None:
        """Where the secret that made the successor is gone, the client has to sign in again, and nobody is accused."""
        token = refresh_token.first(SESSION_ID, secret=b"S" * 32, kid=self.old.kid, issue_id=ISSUED)
        row = self.row(Secrets([self.new, self.old]), token)
        decision = judge(token, row, now=AFTER + 1, policy=POLICY, secrets=Secrets([self.old]), issue_id=ANSWER)

        assert Decision(Verdict.KEY_MISMATCH) == decision

    def test_a_successor_that_does_not_hash_to_the_row_is_no_theft(self) -> None:
        """Where the derived successor is not the row's, the answer is unauthorised, and the row stays."""
        token = token_at(2)
        row = replace(row_at(3), current=b"?" * 32)

        assert Decision(Verdict.KEY_MISMATCH) == judge(
            token, row, now=WITHIN, policy=POLICY, secrets=RING, issue_id=ANSWER
        )
        assert Decision(Verdict.KEY_MISMATCH) == judge(
            token, row, now=AFTER, policy=POLICY, secrets=RING, issue_id=ANSWER
        )


@pytest.mark.parametrize(
    ("own", "parent", "expected"),
    [
        (token_at(3), token_at(2), True),
        (token_at(2), token_at(1), True),
        (token_at(4), token_at(3), True),
        (token_at(1), token_at(0), False),
        (token_at(5), token_at(4), False),
        (fork_at(3), token_at(2), False),
        (token_at(3), None, True),
        (token_at(4), None, False),
    ],
)
def test_belongs_to(own: RefreshToken, parent: RefreshToken | None, expected: bool) -> None:
    """An access token belongs to the row of its session with the current and previous refresh token, and with a child of the current one."""
    carried = None if parent is None else parent.fingerprint

    assert expected == belongs_to(own.fingerprint, carried, row_at(3), secrets=RING)


def test_an_exchange_keeps_what_it_does_not_change() -> None:
    """A field of the row that an exchange does not name stays as it was, one of a later version too."""
    newest = {name: getattr(row_at(3), name) for name in ("generation", "current", "current_kid", "window_at")}
    row = replace(full_session("a", now=WINDOW_AT).lineage, **newest)
    written = judge(token_at(3), row, now=AFTER, policy=POLICY, secrets=RING, issue_id=ANSWER).write
    others = {each.name for each in fields(Lineage)} - {*advanced(4, now=AFTER), "current_kid", "crossed"}

    assert {name: getattr(row, name) for name in others} == {name: getattr(written, name) for name in others}
