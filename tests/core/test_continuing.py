"""What a refresh token of another system means: each line of the table, before each row that there can be."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from fastapi_session.core.continuing import FIRST_GENERATION, ForeignRules, Timeouts, first_lineage, judge_foreign
from fastapi_session.core.refresh_token import stored_hash
from fastapi_session.core.rotation import THEFT, Decision, RotationPolicy, Verdict
from fastapi_session.core.secret import Secret, Secrets
from fastapi_session.foreign_sessions import ForeignToken
from fastapi_session.model import Lineage
from tests.core.foreign_sessions import EXPIRES_AT, ROTATED_AT, RULES, THEIR_GRACE, presented, taken_in, theirs
from tests.core.lineages import ANSWER, POLICY, RING
from tests.milliseconds import GRACE, HOUR

WITHIN = ROTATED_AT + THEIR_GRACE
"""The last millisecond of their grace, which counts for them."""
NOW = WITHIN + 1
EARLIER = Secret.from_material(b"an earlier secret of 32 bytes or more")
BOTH = Secrets([RING.newest, EARLIER])
SECRETS_OF = {"the newest": RING, "both": BOTH, "the earlier": Secrets([EARLIER])}


def decided(token: ForeignToken, row: Lineage | None, *, now: int = NOW, rules: ForeignRules = RULES) -> Decision:
    return judge_foreign(token, row, now=now, rules=rules, issue_id=ANSWER)


def after(token: ForeignToken, row: Lineage, *, now: int = NOW, rules: ForeignRules = RULES) -> Lineage:
    """Return the row once *token* was exchanged here."""
    written = decided(token, row, now=now, rules=rules).write
    assert written is not None
    return written


WAITING = taken_in(5)
UNKNOWN_CHILD = taken_in(4, rotated_at=None, previous=None)
"""The other system wrote T4 down, and its client holds T5 already."""
EXCHANGED = after(presented(5), WAITING)
USED = replace(EXCHANGED, acknowledged=True)
FROM_CHILD = after(presented(5), UNKNOWN_CHILD)
SIBLING = presented(5, branch="another child of the same parent")
ORPHAN = replace(presented(6), parent=presented(5, branch="of a token that is not known").secret)


@dataclass(frozen=True)
class Case:
    """A token before a row, and what has to follow; *sends* is the generation of what is sent."""

    name: str
    token: ForeignToken
    row: Lineage | None
    now: int
    verdict: Verdict
    sends: int | None = None


CASES = [
    Case("the current one", presented(5), WAITING, NOW, Verdict.ROTATED, 3),
    Case("the current one, while a debounce would hold", presented(5), WAITING, ROTATED_AT, Verdict.ROTATED, 3),
    Case("the current one, by a clock behind theirs", presented(5), WAITING, ROTATED_AT - HOUR, Verdict.ROTATED, 3),
    Case("the one before, in their grace", presented(4), WAITING, WITHIN, Verdict.ROTATED, 3),
    Case("the one before, after it", presented(4), WAITING, NOW, Verdict.RECENT_PREV),
    Case("a child that they do not know of", presented(5), UNKNOWN_CHILD, NOW, Verdict.RECOVERED, 4),
    Case("its parent", presented(4), UNKNOWN_CHILD, NOW, Verdict.ROTATED, 3),
    Case("a grandparent", presented(3), WAITING, WITHIN, Verdict.STALE_LINEAGE),
    Case("another child of the one before, in their grace", SIBLING, WAITING, WITHIN, Verdict.STALE_LINEAGE),
    Case("a child of what they never had", ORPHAN, WAITING, NOW, Verdict.STALE_LINEAGE),
    Case("the first of all, long after", presented(0), WAITING, NOW, Verdict.STALE_LINEAGE),
    Case("no row", presented(5), None, NOW, Verdict.GONE),
    Case("after it has ended there", presented(5), WAITING, EXPIRES_AT, Verdict.GONE),
    Case("again, at once", presented(5), EXCHANGED, NOW, Verdict.GRACE, 3),
    Case("again, the answer was lost", presented(5), EXCHANGED, NOW + HOUR // 4, Verdict.REISSUE, 3),
    Case("again, the answer was used", presented(5), USED, NOW + GRACE, Verdict.RECENT_PREV),
    Case("the one before, in their grace, too late", presented(4), EXCHANGED, NOW, Verdict.STALE_LINEAGE),
    Case("a child that came late, of what was exchanged", presented(6), EXCHANGED, NOW, Verdict.GRACE, 3),
    Case("a child that came late, the answer was lost", presented(6), EXCHANGED, NOW + GRACE, Verdict.REISSUE, 3),
    Case("a child that came late, the answer was used", presented(6), USED, NOW + GRACE, Verdict.RECENT_PREV),
    Case("the unknown child again", presented(5), FROM_CHILD, NOW, Verdict.GRACE, 4),
    Case("its parent after it", presented(4), FROM_CHILD, NOW, Verdict.STALE_LINEAGE),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_table(case: Case) -> None:
    """The row says which generation a token is of, and the table of the rotation decides."""
    decision = decided(case.token, case.row, now=case.now)

    assert case.verdict == decision.verdict
    assert case.sends == (decision.to_send.generation if decision.to_send else None)
    assert (case.verdict in THEFT) is decision.revoke


@pytest.mark.parametrize("case", [case for case in CASES if case.sends is not None], ids=lambda case: case.name)
def test_what_is_sent_is_the_row_s(case: Case) -> None:
    """What is sent is the newest token of the row that is written, so the next refresh is as any other."""
    assert case.row is not None
    decision = decided(case.token, case.row, now=case.now)
    row = decision.write or case.row
    assert decision.to_send is not None

    assert stored_hash(decision.to_send.fingerprint, RING.newest) == row.current
    assert (row.generation, RING.newest.kid) == (decision.to_send.generation, decision.to_send.kid)
    assert decision.to_send.fingerprint != theirs(5).current


def test_two_that_came_at_once_are_sent_the_same() -> None:
    """Whoever presents a token, in whichever process: the successor follows from the token and from nothing else."""
    sent = [decided(presented(5), row).to_send for row in (WAITING, WAITING, EXCHANGED)]

    assert [sent[0]] * 3 == sent


@pytest.mark.parametrize(
    ("written_with", "judged_with", "verdict"),
    [
        ("the newest", "both", Verdict.ROTATED),
        ("the earlier", "both", Verdict.ROTATED),
        ("the earlier", "the newest", Verdict.KEY_MISMATCH),
    ],
)
def test_a_secret_that_changes(written_with: str, judged_with: str, verdict: Verdict) -> None:
    """A row that an earlier secret wrote is read as long as that is known; after that nobody is accused."""
    row = taken_in(5, secrets=SECRETS_OF[written_with])
    rules = replace(RULES, secrets=SECRETS_OF[judged_with])

    assert verdict == decided(presented(5), row, rules=rules).verdict


def test_once_exchanged_no_earlier_secret_is_needed() -> None:
    """What was written with an earlier secret is kept by the newest: a token that comes again is known without it."""
    row = after(presented(5), taken_in(5, secrets=Secrets([EARLIER])), rules=replace(RULES, secrets=BOTH))

    assert Verdict.GRACE == decided(presented(5), row).verdict


def test_a_grace_of_ours_does_not_apply_while_it_waits() -> None:
    """However long our own grace period is, what theirs refuses is refused."""
    policy = RotationPolicy(grace=HOUR, debounce=HOUR, lost_response_recovery=True, idle_timeout=HOUR)

    assert Verdict.RECENT_PREV == decided(presented(4), WAITING, rules=replace(RULES, policy=policy)).verdict


def test_a_debounce_returns_no_token_of_theirs() -> None:
    """However long the debounce is, the current one is exchanged."""
    policy = RotationPolicy(grace=HOUR, debounce=2 * HOUR, lost_response_recovery=True, idle_timeout=HOUR)

    assert Verdict.ROTATED == decided(presented(5), WAITING, rules=replace(RULES, policy=policy)).verdict


def test_a_row_that_is_taken_in() -> None:
    """It has no hash of theirs and nothing to recover, ends as it ends there, and begins its windows as theirs did."""
    assert (FIRST_GENERATION, True, None, EXPIRES_AT, None, ROTATED_AT) == (
        WAITING.generation,
        WAITING.acknowledged,
        WAITING.exchanged,
        WAITING.idle_expires_at,
        WAITING.absolute_expires_at,
        WAITING.window_at,
    )
    assert not {theirs(5).current, theirs(5).previous} & {WAITING.current, WAITING.previous}
    assert theirs(5).created_at == taken_in(5, rotated_at=None).window_at


def test_deadlines() -> None:
    """An absolute timeout counts from the move, not from a sign-in years ago; an idle one from the first exchange here."""
    waiting = first_lineage(theirs(5), Timeouts(idle=2 * HOUR, absolute=HOUR), made_by=RING.newest, now=NOW)
    endless = first_lineage(theirs(5, expires_at=NOW + 9 * HOUR), Timeouts(None, None), made_by=RING.newest, now=NOW)

    assert (min(NOW + HOUR, EXPIRES_AT), NOW + HOUR) == (waiting.idle_expires_at, waiting.absolute_expires_at)
    assert min(NOW + 2 * HOUR, NOW + HOUR) == after(presented(5), waiting).idle_expires_at
    assert NOW + 9 * HOUR == endless.idle_expires_at
    assert NOW + POLICY.idle_timeout == after(presented(5), endless).idle_expires_at
