"""What a presented refresh token means: this table, first match wins. It stands here and nowhere else.

n is the token's generation, H its peppered hash, P its parent's fingerprint; gen, cur, prev, window_at, acked are the row's.
`now` is the store's clock, read with the row. G is the grace period, D the debounce.

| row | condition | verdict | write | answer |
|---|---|---|---|---|
| D0 | length, alphabet, version, kid or MAC wrong | BAD_TOKEN | none, store not asked | unauthorised |
| D1 | no row, or a deadline passed | GONE | none | unauthorised |
| D2 | n = gen, H != cur | ORPHANED_BRANCH | revoke | theft |
| D3 | n = gen, now < window_at + D | CURRENT | acked | the same refresh token |
| D4 | n = gen | ROTATED | the next generation | the successor |
| D5 | n = gen - 1, H = prev, now < window_at + G | GRACE | none | the successor |
| D6 | n = gen - 1, H = prev, not acked, recovery on | REISSUE | window_at = now, if G > 0 | the successor |
| D7 | n = gen - 1, H = prev | RECENT_PREV | revoke | theft, or unauthorised where so configured |
| D8 | n = gen + 1, HMAC(pepper, P) = cur | RECOVERED | generation n + 1 | the successor |
| D9 | n > gen | STORE_REGRESSED | revoke | unauthorised |
| D10 | otherwise | STALE_LINEAGE | revoke | theft |

The successor of D5 and D6 must hash to cur. Where it does not, the secret that made it is gone: KEY_MISMATCH, unauthorised, no theft.

Why each row is there: D3 lets two tabs refresh at once, D5 and D6 let a client come back whose answer was lost,
D8 recovers from a store that lost its last write, and `acked` closes D6 as soon as the successor has been used,
so that a thief cannot live on it.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, replace
from enum import StrEnum

from fastapi_session.core import refresh_token
from fastapi_session.core.refresh_token import RefreshToken
from fastapi_session.core.secret import SecretRing
from fastapi_session.model import Lineage


class Verdict(StrEnum):
    """What a presented refresh token means: the rows of the table."""

    BAD_TOKEN = "BAD_TOKEN"
    GONE = "GONE"
    ORPHANED_BRANCH = "ORPHANED_BRANCH"
    CURRENT = "CURRENT"
    ROTATED = "ROTATED"
    GRACE = "GRACE"
    REISSUE = "REISSUE"
    RECENT_PREV = "RECENT_PREV"
    RECOVERED = "RECOVERED"
    STORE_REGRESSED = "STORE_REGRESSED"
    STALE_LINEAGE = "STALE_LINEAGE"
    KEY_MISMATCH = "KEY_MISMATCH"


THEFT = frozenset({Verdict.ORPHANED_BRANCH, Verdict.RECENT_PREV, Verdict.STALE_LINEAGE})
"""The verdicts that only a copied token explains."""


@dataclass(frozen=True, slots=True)
class RotationPolicy:
    """What a deployment chose. All durations are milliseconds."""

    grace: int
    debounce: int
    lost_response_recovery: bool
    idle_timeout: int


@dataclass(frozen=True, slots=True)
class Decision:
    """One row of the table, applied: what to *write* (if anything), whether to *revoke*, which token to *answer* with."""

    verdict: Verdict
    write: Lineage | None = None
    revoke: bool = False
    answer: RefreshToken | None = None


def judge(token: RefreshToken, row: Lineage | None, *, now: int, policy: RotationPolicy, ring: SecretRing) -> Decision:
    """Say what the authenticated *token* means for the *row* of its session: rows D1 to D10.

    *token* was read with *ring*, *now* (milliseconds) is the store's clock as it was read with the row.
    """
    if row is None or row.expired(now):
        return Decision(Verdict.GONE)
    case = _Case(token, row, now, policy, ring, presented=_hash(token, ring))
    ahead = token.generation - row.generation
    if ahead == 0:
        return case.presented_current()
    if ahead == -1:
        return case.presented_previous()
    if ahead == 1:
        return case.presented_next()
    return Decision(Verdict.STORE_REGRESSED if ahead > 0 else Verdict.STALE_LINEAGE, revoke=True)


def stands(own: bytes, parent: bytes | None, row: Lineage, *, ring: SecretRing) -> bool:
    """Say whether an access token may be believed for *row*: it goes with its current or previous refresh token, or is newer.

    *own* and *parent* are the fingerprints the token carries. Newer is a child of the current one: a replica that lags,
    or a store that lost a write.
    """
    for secret in ring:
        if refresh_token.stored_hash(own, secret) in (row.current, row.previous):
            return True
        if parent is not None and _same(refresh_token.stored_hash(parent, secret), row.current):
            return True
    return False


@dataclass(frozen=True, slots=True)
class _Case:
    """One token before one row that is alive."""

    token: RefreshToken
    row: Lineage
    now: int
    policy: RotationPolicy
    ring: SecretRing
    presented: bytes

    def presented_current(self) -> Decision:
        """n = gen: rows D2, D3, D4."""
        if not _same(self.presented, self.row.current):
            return Decision(Verdict.ORPHANED_BRANCH, revoke=True)
        if self.now < self.row.window_at + self.policy.debounce:
            write = None if self.row.acknowledged else replace(self.row, acknowledged=True)
            return Decision(Verdict.CURRENT, write=write, answer=self.token)
        return self._advance(Verdict.ROTATED)

    def presented_previous(self) -> Decision:
        """n = gen - 1: rows D5, D6, D7, and D10 where the hash is another's."""
        if self.row.previous is None or not _same(self.presented, self.row.previous):
            return Decision(Verdict.STALE_LINEAGE, revoke=True)
        if self.now < self.row.window_at + self.policy.grace:
            return self._answer_again(Verdict.GRACE, write=None)
        if self.policy.lost_response_recovery and not self.row.acknowledged:
            window = replace(self.row, window_at=self.now) if self.policy.grace else None
            return self._answer_again(Verdict.REISSUE, write=window)
        return Decision(Verdict.RECENT_PREV, revoke=True)

    def presented_next(self) -> Decision:
        """n = gen + 1: row D8, and D9 where the token is no child of the current one."""
        made_by = self.ring.get(self.row.current_kid)
        if made_by is not None and _same(refresh_token.stored_hash(self.token.parent, made_by), self.row.current):
            return self._advance(Verdict.RECOVERED)
        return Decision(Verdict.STORE_REGRESSED, revoke=True)

    def _advance(self, verdict: Verdict) -> Decision:
        """Move the row on to the generation after the presented one."""
        answer = refresh_token.successor(self.token, self.ring.newest)
        write = Lineage(
            generation=answer.generation,
            current=_hash(answer, self.ring),
            previous=self.presented,
            current_kid=answer.kid,
            window_at=self.now,
            acknowledged=False,
            idle_expires_at=self.row.idle_deadline(self.now + self.policy.idle_timeout),
            absolute_expires_at=self.row.absolute_expires_at,
        )
        return Decision(verdict, write=write, answer=answer)

    def _answer_again(self, verdict: Verdict, *, write: Lineage | None) -> Decision:
        """Hand out the successor that the row already stands at."""
        made_by = self.ring.get(self.row.current_kid)
        if made_by is None:
            return Decision(Verdict.KEY_MISMATCH)
        answer = refresh_token.successor(self.token, made_by)
        if not _same(_hash(answer, self.ring), self.row.current):
            return Decision(Verdict.KEY_MISMATCH)
        return Decision(verdict, write=write, answer=answer)


def _hash(token: RefreshToken, ring: SecretRing) -> bytes:
    return refresh_token.stored_hash(token.fingerprint, ring[token.kid])


def _same(left: bytes, right: bytes) -> bool:
    return hmac.compare_digest(left, right)
