"""Sessions of another system that go on here: what their refresh tokens mean, by the one table of `rotation`.

An opened token of theirs is a `RefreshToken` whose secret is what that system compares with its row (`ForeignToken.secret`). So its
fingerprint and its successor follow as for any other, the same in every process. It says no generation: the row does, and the first
line that matches decides. *gen*, *cur* and *prev* are those of the row, as in `rotation`. The row *waits* while nothing was exchanged here.

| the token is | and | it is judged as |
|---|---|---|
| cur | | of gen |
| prev | the row waits, and prev was replaced there no longer ago than their grace period | of gen, in the place of cur: there it goes on as well |
| prev | | of gen - 1 |
| a child of cur | | of gen + 1: the other system has not written it down yet, which it does at the first use |
| a child of prev | its parent was exchanged here meanwhile | its parent, of gen - 1: both have the same successor |
| any other | | of gen - 2, which is stale |

No debounce holds for it, since that returns the presented token itself. While the row waits, its window is theirs: ours does not
apply to it. If the secret is gone that the row was written with, nothing can be compared: that is a
mismatch of keys, and no theft.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace

from fastapi_session.core.binding.bound_keys import Standing
from fastapi_session.core.refresh_token import ISSUE_ID_BYTES, NO_PARENT, RefreshToken, fingerprint_of, stored_hash
from fastapi_session.core.rotation import Decision, RotationPolicy, Verdict, judge
from fastapi_session.core.secret import Secret, Secrets
from fastapi_session.foreign_sessions import ForeignSession, ForeignToken
from fastapi_session.model import Lineage

FIRST_GENERATION = 2
"""That of the current token of a session that is taken in: a token from before the one before has one too."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """What a session that is taken in gets of this deployment, in milliseconds: *idle* if it keeps one of its own, *absolute* if there is one."""

    idle: int | None
    absolute: int | None


@dataclass(frozen=True, slots=True)
class ForeignRules:
    """What tokens of theirs are judged by; *their_grace* is in milliseconds. The *policy* counts without its debounce."""

    policy: RotationPolicy
    secrets: Secrets
    their_grace: int


@dataclass(frozen=True, slots=True)
class Seen:
    """A *token* of theirs with the generation that its row says, and that *row* as the rotation table is to see it."""

    token: RefreshToken
    row: Lineage = field(repr=False)


def first_lineage(session: ForeignSession, timeouts: Timeouts, *, made_by: Secret, now: int) -> Lineage:
    """Return the lineage of *session*, which is taken in at *now* (milliseconds).

    It has their hashes only as they are hashed once more by the secret *made_by*. Until its first exchange here it ends when it ends
    there. An absolute timeout counts from now, so that nobody is logged out by the move.
    """
    ends_at = None if timeouts.absolute is None else now + timeouts.absolute
    return Lineage(
        generation=FIRST_GENERATION,
        current=stored_hash(fingerprint_of(session.current), made_by),
        previous=None if session.previous is None else stored_hash(fingerprint_of(session.previous), made_by),
        current_kid=made_by.kid,
        window_at=session.created_at if session.rotated_at is None else session.rotated_at,
        acknowledged=True,
        idle_expires_at=session.expires_at if ends_at is None else min(session.expires_at, ends_at),
        absolute_expires_at=ends_at,
        idle_timeout=timeouts.idle,
    )


def judge_foreign(
    token: ForeignToken,
    row: Lineage | None,
    *,
    now: int,
    rules: ForeignRules,
    issue_id: bytes,
    standing: Standing = Standing.UNBOUND,
) -> Decision:
    """Say what *token* means for the *row* of its session, as `judge` does."""
    if row is None or row.expired(now):
        return Decision(Verdict.GONE)
    seen = as_seen(token, row, now=now, rules=rules)
    if seen is None:
        return Decision(Verdict.KEY_MISMATCH)
    policy = replace(rules.policy, debounce=0)
    return judge(
        seen.token, seen.row, now=now, policy=policy, secrets=rules.secrets, issue_id=issue_id, standing=standing
    )


def as_seen(token: ForeignToken, row: Lineage, *, now: int, rules: ForeignRules) -> Seen | None:
    """Return *token* as the *row* of its session sees it at *now*; `None` if the secret is gone that the row was written with."""
    secrets, generation = rules.secrets, row.generation
    if secrets.get(row.current_kid) is None:
        return None
    own, parent = _hashes(token.secret, secrets), _hashes(token.parent, secrets)
    is_in_their_grace = row.exchanged is None and abs(now - row.window_at) <= rules.their_grace
    if row.exchanged is None:
        row = replace(row, window_at=min(row.window_at, now - rules.policy.grace))
    # What matches by an earlier secret is judged, and kept, by the newest.
    if row.current in own or (row.previous in own and is_in_their_grace):
        return Seen(_read(token, generation, secrets), replace(row, current=own[0]))
    if row.previous in own:
        return Seen(_read(token, generation - 1, secrets), replace(row, previous=own[0]))
    if row.current in parent:
        return Seen(_read(token, generation + 1, secrets), row)
    if row.previous in parent and token.parent is not None and row.exchanged == _issue_id(token.parent):
        stands_for = replace(token, secret=token.parent, parent=None)
        return Seen(_read(stands_for, generation - 1, secrets), replace(row, previous=parent[0]))
    return Seen(_read(token, generation - 2, secrets), row)


def _hashes(secret: bytes | None, secrets: Secrets) -> list[bytes]:
    """Return what a row may have of the token of *secret*, by each of *secrets*, the newest first; nothing if there is none."""
    # They are looked up by a plain comparison: what is compared is an HMAC, so a guess that is nearly right is so by chance.
    return [] if secret is None else [stored_hash(fingerprint_of(secret), each) for each in secrets]


def _read(token: ForeignToken, generation: int, secrets: Secrets) -> RefreshToken:
    return RefreshToken(
        kid=secrets.newest.kid,
        session_id=token.session_id,
        generation=generation,
        secret=token.secret,
        parent=NO_PARENT if token.parent is None else fingerprint_of(token.parent),
        issue_id=_issue_id(token.secret),
    )


def _issue_id(secret: bytes) -> bytes:
    """Return the issue id of the token of theirs that has *secret*: it is handed out once."""
    return hashlib.sha256(b"fastapi_session/issue" + secret).digest()[:ISSUE_ID_BYTES]
