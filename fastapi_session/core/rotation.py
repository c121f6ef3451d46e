"""What a presented refresh token means: one table, and the first row that matches decides.

Stores repeat only D4, as one conditional write (`SessionStore.rotate`).

| name | meaning |
|---|---|
| n, H, P, id | of the presented token: its generation, its peppered hash, the fingerprint of its parent, its issue id |
| gen, cur, prev | of the row: the generation of the newest token, the peppered hash of that token, and of the one before |
| window_at, acked, exchanged, used, used_at, crossed | of the row: its fields, see `Lineage` |
| now | the store's clock, read with the row |
| G, D | the grace period and the debounce |
| the key, proved | the key that the session is bound to; that the request showed that its client has it, as the table of `bound_keys.standing` says |
| the window is open | now and window_at lie less than G apart |
| an exchange is crossed | the token of issue id `exchanged` was exchanged, and another token of the same generation came as well |

All tokens of one generation have the same hash. Each that is sent has an issue id of its own.

| row | condition | verdict | write | response |
|---|---|---|---|---|
| D0 | length, alphabet, version, kid or MAC wrong | BAD_TOKEN | none, store not read | unauthorised |
| D1 | no row, or a deadline passed | GONE | none | unauthorised |
| D1a | the session is bound, and its key was not proved | UNPROVED | none | unproved |
| D1b | the session is not bound, and has to be by now | UNBOUND | none | unauthorised |
| D2 | n = gen, H != cur | ORPHANED_BRANCH | revoke | theft |
| D3 | n = gen, now < window_at + D | CURRENT | acked, used = id, used_at = now, unless acked; window_at = now, if window_at is at least D in the future | the same generation |
| D4 | n = gen | ROTATED | the next generation, exchanged = id, crossed moves on | the successor |
| D4a | n = gen - 1, H = prev, the key was proved for this very request, the window is open | GRACE | none | the successor |
| D4b | n = gen - 1, H = prev, the key was proved for this very request | REISSUE | as D8 | the successor |
| D5 | n = gen - 1, H = prev, now >= window_at + G, id = used, id != exchanged, used_at + G/3 <= window_at | LEFT_BEHIND | revoke | theft |
| D6 | n = gen - 1, H = prev, id != exchanged, the two exchanges before this one were crossed | CROSSED | revoke | theft |
| D7 | n = gen - 1, H = prev, the window is open | GRACE | crossed, if id != exchanged | the successor |
| D8 | n = gen - 1, H = prev, not acked, recovery on | REISSUE | exchanged = id, window_at = now, if G > 0; if id != exchanged, crossed, used = the old exchanged, used_at = now - G/3 | the successor |
| D9 | n = gen - 1, H = prev, now < window_at | CLOCK_SET_BACK | window_at = now - G | come again |
| D10 | n = gen - 1, H = prev | RECENT_PREV | revoke | theft, or unauthorised if so configured |
| D11 | n = gen + 1, HMAC(pepper, P) = cur | RECOVERED | generation n + 1 | the successor |
| D12 | n > gen | STORE_REGRESSED | revoke | unauthorised |
| D13 | otherwise | STALE_LINEAGE | revoke | theft |

The successor of D4a, D4b, D7 and D8 must hash to cur. If it does not, the secret that made it is gone: KEY_MISMATCH, unauthorised, no theft.
A row whose `exchanged` is `None` was never rotated, or was written before issue ids existed: D5 and D6 do not apply to it.

| rows | why they are there |
|---|---|
| D1a | whoever copies the tokens of a bound session has no use of them, and cannot end it by trying: nobody is accused |
| D3 | two tabs may refresh at once |
| D4a, D4b | who proves the key with the request itself is the owner, and comes back since a response was lost |
| D7, D8 | a client whose response was lost may come back |
| `acked` | closes D8 once the successor has been used, so that a thief cannot live on it |
| D5, D6 | find a thief who holds the same generation as the owner, with another issue id, by D7 or D8 |
| D9 | a store's clock may be set back |
| D11 | a store may have lost its last write |

An example of D5. At 12:00 a thief exchanges the owner's token. At 12:05 the owner presents it too and recovers by D8. Both now
have a token of the same generation, and the owner uses his. At 13:05 the thief exchanges the other one (D4). At 14:05
the owner's token comes, which was left behind. Without a thief this cannot happen: cookies hold one token, so one that was
used does not come back after another was exchanged.

An example of D6. The thief refreshes some seconds after the owner each time, by D7: each exchange is crossed. Responses that
overtake each other do that once or twice, not three times in a row. G/3 is how long a message may be on its way.

If the store's clock was set back, window_at may lie in the future:

| presented | window_at is less than G (for D3, D) ahead | further ahead |
|---|---|---|
| the newest token | D3, as usual | D3, and the window begins again |
| the one before | D7: the window is open | D8, if not acked. Else D9 closes the window and refuses without an accusation: it may be a late request of a tab, or an old replay |
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field, replace
from enum import StrEnum

from fastapi_session.core import refresh_token
from fastapi_session.core.binding.bound_keys import Standing
from fastapi_session.core.refresh_token import RefreshToken
from fastapi_session.core.secret import Secrets
from fastapi_session.model import CROSSED_EXCHANGES, Lineage

_ALL_CROSSED = 2**CROSSED_EXCHANGES - 1


class Verdict(StrEnum):
    """What a presented refresh token means: the rows of the rotation table."""

    BAD_TOKEN = "BAD_TOKEN"
    GONE = "GONE"
    UNPROVED = "UNPROVED"
    UNBOUND = "UNBOUND"
    ORPHANED_BRANCH = "ORPHANED_BRANCH"
    CURRENT = "CURRENT"
    ROTATED = "ROTATED"
    LEFT_BEHIND = "LEFT_BEHIND"
    CROSSED = "CROSSED"
    GRACE = "GRACE"
    REISSUE = "REISSUE"
    CLOCK_SET_BACK = "CLOCK_SET_BACK"
    RECENT_PREV = "RECENT_PREV"
    RECOVERED = "RECOVERED"
    STORE_REGRESSED = "STORE_REGRESSED"
    STALE_LINEAGE = "STALE_LINEAGE"
    KEY_MISMATCH = "KEY_MISMATCH"


THEFT = frozenset(
    {Verdict.ORPHANED_BRANCH, Verdict.LEFT_BEHIND, Verdict.CROSSED, Verdict.RECENT_PREV, Verdict.STALE_LINEAGE}
)
"""The verdicts that only a copied token explains."""

_UNHEARD = {Standing.UNPROVED: Verdict.UNPROVED, Standing.OVERDUE: Verdict.UNBOUND}
"""The verdicts on a request whose token is not looked at: rows D1a and D1b."""


@dataclass(frozen=True, slots=True)
class RotationPolicy:
    """What a deployment chose. All durations are milliseconds.

    *binds_within* is how old a session may be that is not bound yet, `None` if it need not be bound.
    """

    grace: int
    debounce: int
    lost_response_recovery: bool
    idle_timeout: int
    binds_within: int | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """One row of the table, applied: what to *write* (if anything), whether to *revoke*, which refresh token *to_send* (if any)."""

    verdict: Verdict
    write: Lineage | None = None
    revoke: bool = False
    to_send: RefreshToken | None = None


def judge(
    token: RefreshToken,
    row: Lineage | None,
    *,
    now: int,
    policy: RotationPolicy,
    secrets: Secrets,
    issue_id: bytes,
    standing: Standing = Standing.UNBOUND,
) -> Decision:
    """Say what the authenticated *token* means for the *row* of its session: rows D1 to D13.

    *token* was read with *secrets*, *now* (milliseconds) is the store's clock as it was read with the row. *issue_id*, 9 random
    bytes, is that of the token to send, if there is one. *standing* says how its request stands to the key of the session.
    """
    if row is None or row.expired(now):
        return Decision(Verdict.GONE)
    if standing in _UNHEARD:
        return Decision(_UNHEARD[standing])
    is_proved = standing is Standing.PROVED
    presented = _hash(token, secrets)
    case = _Case(token, row, now, policy, secrets, presented=presented, issue_id=issue_id, is_proved=is_proved)
    ahead = token.generation - row.generation
    if ahead == 0:
        return case.presented_current()
    if ahead == -1:
        return case.presented_previous()
    if ahead == 1:
        return case.presented_next()
    return Decision(Verdict.STORE_REGRESSED if ahead > 0 else Verdict.STALE_LINEAGE, revoke=True)


def belongs_to(own: bytes, parent: bytes | None, row: Lineage, *, secrets: Secrets) -> bool:
    """Say whether an access token belongs to *row*: was issued with its current or previous refresh token, or with a newer one.

    *own* and *parent* are the fingerprints that the access token carries. A newer refresh token is a child of the current
    one: the row comes from a replica that lags, or from a store that lost a write.
    """
    # By every secret, since an earlier one may have made what the row has. A plain comparison: what is compared is an HMAC, so
    # a guess that is nearly right is so by chance, and the duration reveals nothing.
    for secret in secrets:
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
    secrets: Secrets
    presented: bytes = field(repr=False)
    issue_id: bytes = field(repr=False)
    is_proved: bool

    def presented_current(self) -> Decision:
        """n = gen: rows D2, D3, D4."""
        if not _same(self.presented, self.row.current):
            return Decision(Verdict.ORPHANED_BRANCH, revoke=True)
        if self.now < self.row.window_at + self.policy.debounce:
            same_generation = replace(self.token, issue_id=self.issue_id)
            return Decision(Verdict.CURRENT, write=_if_new(self._used(), self.row), to_send=same_generation)
        return self._advance(Verdict.ROTATED)

    def presented_previous(self) -> Decision:
        """n = gen - 1: rows D4a, D4b and D5 to D10, and D13 if the hash is another's."""
        if self.row.previous is None or not _same(self.presented, self.row.previous):
            return Decision(Verdict.STALE_LINEAGE, revoke=True)
        if self.is_proved:
            return self._presented_by_the_owner()
        if self._is_left_behind():
            return Decision(Verdict.LEFT_BEHIND, revoke=True)
        noted = replace(self.row, crossed=self.row.crossed | self._is_crossing())
        if self._is_crossing() and noted.crossed == _ALL_CROSSED:
            return Decision(Verdict.CROSSED, revoke=True)
        if self._is_open():
            return self._send_successor(Verdict.GRACE, write=noted)
        return self._presented_late(noted)

    def _presented_by_the_owner(self) -> Decision:
        """n = gen - 1, and the key was proved for this very request: rows D4a and D4b."""
        if self._is_open():
            return self._send_successor(Verdict.GRACE, write=self.row)
        return self._send_successor(Verdict.REISSUE, write=self._reissued(self.row))

    def _presented_late(self, noted: Lineage) -> Decision:
        """n = gen - 1, and the window is not open: rows D8, D9, D10."""
        if self.policy.lost_response_recovery and not self.row.acknowledged:
            return self._send_successor(Verdict.REISSUE, write=self._reissued(noted))
        if self.now < self.row.window_at:
            closed = replace(self.row, window_at=self.now - self.policy.grace)
            return Decision(Verdict.CLOCK_SET_BACK, write=closed)
        return Decision(Verdict.RECENT_PREV, revoke=True)

    def presented_next(self) -> Decision:
        """n = gen + 1: row D11, and D12 if the token is no child of the current one."""
        made_by = self.secrets.get(self.row.current_kid)
        if made_by is not None and _same(refresh_token.stored_hash(self.token.parent, made_by), self.row.current):
            return self._advance(Verdict.RECOVERED)
        return Decision(Verdict.STORE_REGRESSED, revoke=True)

    def _advance(self, verdict: Verdict) -> Decision:
        """Move the row on to the generation after the presented one."""
        successor = refresh_token.successor(self.token, self.secrets.newest, issue_id=self.issue_id)
        # Not a new `Lineage`: what an exchange does not change stays, fields of a later version too.
        write = replace(
            self.row,
            generation=successor.generation,
            current=_hash(successor, self.secrets),
            previous=self.presented,
            current_kid=successor.kid,
            window_at=self.now,
            acknowledged=False,
            idle_expires_at=self.row.idle_deadline(self.now, configured=self.policy.idle_timeout),
            exchanged=self.token.issue_id,
            crossed=self.row.crossed_before(successor.generation - self.row.generation),
        )
        return Decision(verdict, write=write, to_send=successor)

    def _used(self) -> Lineage:
        """Note that the newest token has been used, and let the window begin again if it lies too far ahead."""
        row = self.row
        if not row.acknowledged:
            row = replace(row, acknowledged=True, used=self.token.issue_id, used_at=self.now)
        is_ahead = self.now <= row.window_at - self.policy.debounce
        return replace(row, window_at=self.now) if is_ahead else row

    def _is_open(self) -> bool:
        """Say whether the window is open."""
        return abs(self.now - self.row.window_at) < self.policy.grace

    def _is_crossing(self) -> bool:
        """Say whether another token of this generation was exchanged."""
        return self.row.exchanged is not None and self.row.exchanged != self.token.issue_id

    def _is_left_behind(self) -> bool:
        """Say whether this token was in use for some time before another one of its generation was exchanged."""
        row, grace = self.row, self.policy.grace
        is_left = row.used_at + grace // 3 <= row.window_at and row.window_at + grace <= self.now
        return self._is_crossing() and row.used == self.token.issue_id and is_left

    def _reissued(self, row: Lineage) -> Lineage:
        """Let this token take the place of the one that was exchanged, which is left behind if it was another."""
        if self._is_crossing():
            row = replace(row, used=row.exchanged, used_at=self.now - self.policy.grace // 3)
        # Without a grace period there is no window that could begin.
        window_at = self.now if self.policy.grace else row.window_at
        return replace(row, exchanged=self.token.issue_id, window_at=window_at)

    def _send_successor(self, verdict: Verdict, *, write: Lineage) -> Decision:
        """Send the successor that the row has already."""
        made_by = self.secrets.get(self.row.current_kid)
        if made_by is None:  # its secret was taken out of the list
            return Decision(Verdict.KEY_MISMATCH)
        successor = refresh_token.successor(self.token, made_by, issue_id=self.issue_id)
        if not _same(_hash(successor, self.secrets), self.row.current):
            return Decision(Verdict.KEY_MISMATCH)
        return Decision(verdict, write=_if_new(write, self.row), to_send=successor)


def _if_new(lineage: Lineage, row: Lineage) -> Lineage | None:
    """Return *lineage*, if it is not the same as *row*."""
    # Most repeats change nothing: then there is nothing to write, and a refresh is one reading.
    return None if lineage == row else lineage


def _hash(token: RefreshToken, secrets: Secrets) -> bytes:
    return refresh_token.stored_hash(token.fingerprint, secrets[token.kid])


def _same(left: bytes, right: bytes) -> bool:
    return hmac.compare_digest(left, right)
