"""Exchanging a refresh token for the next one, without a lock.

The usual case is one conditional write. Otherwise the row is read, judged by the table of `core.rotation`, and written by
compare-and-set. If the row has changed in between, this begins again.

| the session | the request | is written first by | |
|---|---|---|---|
| is not bound | proves no key | one conditional write | |
| is bound | proves its key | one conditional write | |
| is not bound | proves a key | none: that matches nothing, and the key counts for nothing | one more round trip |
| is bound | does not prove its key | none: that matches nothing | refused, as row D1a says |
| need not be bound yet, but soon | proves no key | none: its age has to be known | read first |
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from fastapi_session.audit import Audit
from fastapi_session.core import refresh_token
from fastapi_session.core.binding.bound_keys import Possession, proved_key, standing
from fastapi_session.core.refresh_token import RefreshToken
from fastapi_session.core.rotation import THEFT, Decision, RotationPolicy, Verdict, judge
from fastapi_session.core.secret import Secrets
from fastapi_session.engine.announcements import Announcements
from fastapi_session.engine.revocation.ended_sessions import EndedSessions
from fastapi_session.engine.tokens.alarms import Alarm, Alarms
from fastapi_session.errors import StoreUnavailable, TokenTheftError, UnauthorisedError, UnprovenKeyError
from fastapi_session.model import Circumstances, Lineage, Reading, Rotation, SessionRecord
from fastapi_session.randomness import Random
from fastapi_session.stores.base import SessionStore

ATTEMPTS = 5
"""How often this is tried, if other writers change the row in between, before the client is asked to come again."""

logger = logging.getLogger("fastapi_session")


Settled = tuple[SessionRecord, RefreshToken]
"""The session of a token that was exchanged, and the refresh token to send."""


@dataclass(frozen=True, slots=True)
class Judging:
    """How a token is judged that came *by* such a request. *lost* is the verdict that another writer came first with, if one did."""

    session_id: str
    by: Circumstances
    judge: Callable[[Reading], Decision]
    lost: Verdict | None


class Refreshing:
    """Applies the rotation table to a store."""

    def __init__(
        self,
        store: SessionStore,
        *,
        secrets: Secrets,
        policy: RotationPolicy,
        announcements: Announcements,
        ended_sessions: EndedSessions,
        reuse_is_theft: bool,
        random: Random,
        alarms: Alarms,
    ) -> None:
        self._store = store
        self._secrets = secrets
        self._policy = policy
        self._announcements = announcements
        self._ended_sessions = ended_sessions
        self._reuse_is_theft = reuse_is_theft
        self._random = random
        self._alarms = alarms

    async def advance(self, token: RefreshToken, *, by: Circumstances, possession: Possession | None = None) -> Settled:
        """Return the session of the authenticated *token*, which came *by* such a request, and the refresh token to send.

        Raises `UnauthorisedError` and `TokenTheftError` as the table says, the session then already revoked if it
        says so, `UnprovenKeyError`, `SessionSupersededError` and `StoreUnavailable`.
        """
        # One for all attempts: only one token is sent.
        issue_id = self._random(refresh_token.ISSUE_ID_BYTES)
        successor = refresh_token.successor(token, self._secrets.newest, issue_id=issue_id)
        audits = self._announcements.audits_refreshes  # asked here: without them this costs no call
        rotation = self._announcements.audit_of_refresh(Verdict.ROTATED, by=by) if audits else None
        proved = None if possession is None else proved_key(possession, token.session_id)
        demanded = proved  # of the row, to be its key
        reads_first = proved is None and self._policy.binds_within is not None
        lost: Verdict | None = None
        for _ in range(ATTEMPTS):
            asked = None if reads_first else self._rotation(token, successor, by, demanded)
            rotated = None if asked is None else await self._store.rotate(asked, audit=rotation)
            if rotated is not None:
                self._announcements.refreshed(rotated, verdict=Verdict.ROTATED, by=by, audit=rotation)
                return rotated, successor
            reading = await self._store.get(token.session_id)
            judging = Judging(token.session_id, by, judge=partial(self._judge, token, issue_id, proved), lost=lost)
            decision = judging.judge(reading)
            if decision.verdict is Verdict.ROTATED:
                # From what was proved each time: another writer may bind it in between.
                reads_first, demanded = False, _counting(proved, reading.record)
                continue  # it may be written now: the debounce has ended, or the session is not bound
            if (settled := await self.settle(judging, reading)) is not None:
                return settled
            lost = decision.verdict
        raise kept_moving()

    async def exchange(
        self, token: RefreshToken, *, by: Circumstances, issue_id: bytes, proved: str | None
    ) -> Settled | None:
        """Exchange the newest *token* of its session in one conditional write (row D4), `None` if that matches nothing."""
        successor = refresh_token.successor(token, self._secrets.newest, issue_id=issue_id)
        audit = self._announcements.audit_of_refresh(Verdict.ROTATED, by=by)
        rotated = await self._store.rotate(self._rotation(token, successor, by, proved), audit=audit)
        if rotated is None:
            return None
        self._announcements.refreshed(rotated, verdict=Verdict.ROTATED, by=by, audit=audit)
        return rotated, successor

    async def settle(self, judging: Judging, reading: Reading) -> Settled | None:
        """Do what is judged of *reading*, and return the session and the token to send; `None` if the row has moved since.

        Raises as `advance`.
        """
        decision, record, by = judging.judge(reading), reading.record, judging.by
        if record is None:
            reason = f"refresh token: {decision.verdict}"
            refusal = await self._ended_sessions.refusal_of_refresh_token(judging.session_id, reason=reason)
            raise refusal.about(judging.session_id)  # a handle without the tenant, which only the row knew
        is_served = judging.lost is Verdict.REISSUE and _changes_only_the_window(decision, record.lineage)
        alarm = Alarm(record, decision.verdict, by, judge=judging.judge)
        audit = self._announcements.audit_of_refresh(decision.verdict, by=by)
        if is_served or await self._write(decision, alarm, audit):
            return self._outcome(decision, alarm, audit)
        return None

    def _rotation(
        self, token: RefreshToken, successor: RefreshToken, by: Circumstances, proved: str | None
    ) -> Rotation:
        return Rotation(
            session_id=token.session_id,
            generation=token.generation,
            presented=refresh_token.stored_hash(token.fingerprint, self._secrets[token.kid]),
            issue_id=token.issue_id,
            successor=refresh_token.stored_hash(successor.fingerprint, self._secrets.newest),
            successor_kid=successor.kid,
            debounce=self._policy.debounce,
            idle_timeout=self._policy.idle_timeout,
            circumstances=by,
            proved=proved,
        )

    def _judge(self, token: RefreshToken, issue_id: bytes, proved: str | None, reading: Reading) -> Decision:
        record, policy, now = reading.record, self._policy, reading.now
        row, bound, began = (
            (None, None, now) if record is None else (record.lineage, record.bound_key, record.created_at)
        )
        is_overdue = policy.binds_within is not None and now - began >= policy.binds_within
        stands = standing(bound, proved, is_overdue=is_overdue)
        return judge(token, row, now=now, policy=policy, secrets=self._secrets, issue_id=issue_id, standing=stands)

    async def _write(self, decision: Decision, alarm: Alarm, audit: Audit | None) -> bool:
        """Do what *decision* says, if the row has not changed since it was judged, and say whether that is so."""
        record = alarm.record
        if decision.revoke:
            return await self._alarms.end(alarm)
        if decision.write is None:
            return True
        told = None if decision.to_send is None else audit
        return await self._store.replace(record.session_id, expected=record.lineage, lineage=decision.write, audit=told)

    def _outcome(self, decision: Decision, alarm: Alarm, audit: Audit | None) -> Settled:
        record = alarm.record
        if decision.verdict in (Verdict.RECOVERED, Verdict.KEY_MISMATCH):
            logger.warning("refresh of session %s: %s", record.handle, decision.verdict)
        if decision.to_send is not None:
            self._announcements.refreshed(record, verdict=decision.verdict, by=alarm.by, audit=audit)
            return replace(record, lineage=decision.write or record.lineage), decision.to_send
        if decision.verdict is Verdict.UNPROVED:
            self._announcements.mismatched(record, by=alarm.by)
            raise UnprovenKeyError(f"refresh token: {decision.verdict}", handle=record.handle)
        if decision.verdict is Verdict.CLOCK_SET_BACK:
            raise StoreUnavailable("the store's clock was set back after the session was refreshed: come again")
        if decision.verdict in THEFT and not self._is_excused(decision.verdict):
            raise TokenTheftError(decision.verdict, user_id=record.user_id, handle=record.handle)
        is_over = decision.verdict is not Verdict.UNBOUND  # which may be bound by the next request
        raise UnauthorisedError(f"refresh token: {decision.verdict}", clears_tokens=is_over, handle=record.handle)

    def _is_excused(self, verdict: Verdict) -> bool:
        return verdict is Verdict.RECENT_PREV and not self._reuse_is_theft


def kept_moving() -> StoreUnavailable:
    """Return the error for a session that other writers changed at each attempt."""
    return StoreUnavailable("the session kept moving while its refresh token was judged")


def _counting(proved: str | None, record: SessionRecord | None) -> str | None:
    """Return the key *proved*, `None` if the session of *record* is not bound: then it counts for nothing."""
    return None if record is None or record.bound_key is None else proved


def _changes_only_the_window(decision: Decision, row: Lineage) -> bool:
    """Say whether *decision* is a reissue that changes only window_at; a concurrent reissue has already done that."""
    write = decision.write
    return write is not None and decision.verdict is Verdict.REISSUE and replace(write, window_at=row.window_at) == row
