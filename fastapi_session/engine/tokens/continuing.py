"""Exchanging a refresh token of another system for the first one of ours, so that its session goes on here.

| the session here | and there | then |
|---|---|---|
| was exchanged here before | is not asked | the table of `core.continuing` |
| waits, or is missing | goes on | it is taken in, or renewed, and then the same table |
| waits, or is missing | cannot be asked: no database was given | the same table, by what is here |
| waits | is gone | it ended there, and so it ends here |
| is missing, since it ended here | whatever it is | it has ended: it is not taken in again |
| waits, or is missing | is there, and cannot go on here | refused; nothing is lost, and the client's tokens stay |

A store or a database that is down refuses nobody: the client comes again.
"""

from __future__ import annotations

import logging
from copy import copy
from dataclasses import replace
from datetime import timedelta
from functools import partial

from fastapi_session.clock import Clock
from fastapi_session.core import refresh_token
from fastapi_session.core.anti_csrf import AntiCsrfProof
from fastapi_session.core.binding.bound_keys import Possession, proved_key, standing
from fastapi_session.core.continuing import ForeignRules, as_seen, judge_foreign
from fastapi_session.core.refresh_token import RefreshToken
from fastapi_session.core.rotation import Decision
from fastapi_session.engine.announcements import Announcements
from fastapi_session.engine.continued_store import ContinuedStore
from fastapi_session.engine.keys.foreign_keys import keep_foreign_keys
from fastapi_session.engine.tokens.refreshing import ATTEMPTS, Judging, Refreshing, Settled, kept_moving
from fastapi_session.engine.tokens.taking_in import MovingStore, TakingIn
from fastapi_session.errors import PayloadError, UnauthorisedError
from fastapi_session.foreign_sessions import ForeignToken
from fastapi_session.handles import session_handle
from fastapi_session.model import Circumstances, Reading
from fastapi_session.randomness import Random
from fastapi_session.stores.base import SessionStore, Store

logger = logging.getLogger("fastapi_session")


class Continuing:
    """Applies the rotation table to tokens of another system. *refreshing* does what it says, with no debounce."""

    def __init__(
        self,
        store: SessionStore,
        *,
        taking_in: TakingIn,
        refreshing: Refreshing,
        rules: ForeignRules,
        random: Random,
    ) -> None:
        self._store = store
        self._taking_in = taking_in
        self._source = taking_in.source
        self._refreshing = refreshing
        self._rules = rules
        self._random = random
        self.is_open = False

    @property
    def taking_in(self) -> TakingIn:
        """What takes in the sessions of the other system."""
        return self._taking_in

    def within(self, store: MovingStore, announcements: Announcements) -> Continuing:
        """Return a copy that takes in to *store*, in a transaction of the user's. Refreshing is not part of it."""
        joined = copy(self)
        joined._taking_in = self._taking_in.within(store, announcements)  # noqa: SLF001  it is one of these
        return joined

    def continued(self, store: SessionStore) -> ContinuedStore:
        """Return *store* as one in which nothing is missing that is still elsewhere."""
        return ContinuedStore(store, elsewhere=self._taking_in)

    async def open(self, store: Store, *, clock: Clock) -> None:
        """Connect the other system, and keep its public keys in *store*. Raises `ConfigurationError`, `StoreUnavailable`."""
        await self._source.open()
        validity = self._source.access_token_validity // timedelta(milliseconds=1)
        await keep_foreign_keys(store, await self._source.public_keys(), validity=validity, clock=clock)
        self.is_open = True

    async def close(self) -> None:
        """Let go of the other system."""
        self.is_open = False
        await self._source.close()

    def read(self, text: str) -> ForeignToken | None:
        """Return the content of *text*, `None` if the other system did not write it. No I/O."""
        # Frameworks of Python put a cookie into double quotes that has a slash, and base64 has them (RFC 6265, section 4.1.1).
        bare = text[1:-1] if text[:1] == text[-1:] == '"' else text
        return self._source.read_refresh_token(bare)

    async def advance(
        self, token: ForeignToken, *, proof: AntiCsrfProof, by: Circumstances, possession: Possession | None
    ) -> Settled:
        """Return the session of the opened *token*, which came *by* such a request, and the first refresh token of ours.

        Raises as `Refreshing.advance`, and `UnauthorisedError` if *proof* does not hold, which revokes nothing.
        """
        _ensure_proved(token, proof)
        issue_id = self._random(refresh_token.ISSUE_ID_BYTES)
        proved = proved_key(possession, token.session_id)
        judging = Judging(token.session_id, by, judge=partial(self._judge, token, issue_id, proved), lost=None)
        for _ in range(ATTEMPTS):
            reading = await self._reading(token, by)
            current = self._as_current(token, reading)
            settled = None
            if current is not None:
                bound = None if reading.record is None else reading.record.bound_key
                settled = await self._refreshing.exchange(
                    current, by=by, issue_id=issue_id, proved=None if bound is None else proved
                )
            if settled is None:
                settled = await self._refreshing.settle(judging, reading)
            if settled is not None:
                return settled
            judging = replace(judging, lost=judging.judge(reading).verdict)
        raise kept_moving()

    def _judge(self, token: ForeignToken, issue_id: bytes, proved: str | None, reading: Reading) -> Decision:
        record = reading.record
        row, bound = (None, None) if record is None else (record.lineage, record.bound_key)
        # Never overdue: no browser could bind the session before it came here.
        stands = standing(bound, proved, is_overdue=False)
        return judge_foreign(token, row, now=reading.now, rules=self._rules, issue_id=issue_id, standing=stands)

    def _as_current(self, token: ForeignToken, reading: Reading) -> RefreshToken | None:
        """Return *token* if it is what the row has as the newest, so that one conditional write may do."""
        if reading.record is None:
            return None
        row = reading.record.lineage
        seen = as_seen(token, row, now=reading.now, rules=self._rules)
        is_current = seen is not None and seen.token.generation == row.generation and seen.row.current == row.current
        return seen.token if seen is not None and is_current else None

    async def _reading(self, token: ForeignToken, by: Circumstances) -> Reading:
        """Return the session as it is to be judged: first taken in or renewed, or ended, as the table above says."""
        reading = await self._store.get(token.session_id)
        record = reading.record
        if record is not None and (record.tenant_id, record.source) != (token.tenant_id, self._source.name):
            # Who has the key of the other system could name any session of ours.
            raise _refused(token, "it names a session that did not begin there")
        if not self._source.has_database or (record is not None and not record.waits):
            return reading
        try:
            theirs = await self._source.session(token.session_id, token.tenant_id)
        except PayloadError as error:
            raise _refused(token, str(error)) from None
        if theirs is None:
            if record is not None and not await self._taking_in.end(record, by=by):
                return await self._store.get(token.session_id)  # it was exchanged, or ended, meanwhile
            return replace(reading, record=None)
        [arrival] = await self._taking_in.take_in([theirs])
        if arrival.outcome == "unfit":
            raise _refused(token, arrival.reason)
        if arrival.outcome in ("ended", "expired"):
            return replace(reading, record=None)
        return await self._store.get(token.session_id)


def _ensure_proved(token: ForeignToken, proof: AntiCsrfProof) -> None:
    """Raise `UnauthorisedError` unless *proof* holds for *token*: by its own anti-CSRF token, if it has one."""
    if proof.mode == "VIA_TOKEN" and token.anti_csrf_token is None:
        return
    if not proof.holds(token.anti_csrf_token):
        refused = UnauthorisedError("anti-CSRF: the refresh does not prove that no other site forged it")
        raise refused.about(session_handle(token.session_id, token.tenant_id))


def _refused(token: ForeignToken, why: str) -> UnauthorisedError:
    """Return the refusal of *token* that leaves all as it is, after it was logged."""
    handle = session_handle(token.session_id, token.tenant_id)
    logger.error("session %s cannot go on here: %s", handle, why)
    return UnauthorisedError(f"refresh token: {why}", handle=handle)
