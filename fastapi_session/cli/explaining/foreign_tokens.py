"""What a refresh token of another system would meet, whose sessions go on here: by `core.continuing`, and nothing is taken in.

| the session here | it is judged by |
|---|---|
| was exchanged here before | its row here |
| waits, or is missing, and goes on there | the row that it would have once it was taken in |
| waits, or is missing, and cannot be asked there | its row here, if it has one |
| is missing, since it ended here, or is gone there | nothing: it has ended |
"""

from __future__ import annotations

from dataclasses import replace

from fastapi_session.cli.explaining.explanation import Explanation
from fastapi_session.cli.explaining.refresh_tokens import NO_ISSUE_ID, judged, standing_with_proof
from fastapi_session.cli.opened import Deployment
from fastapi_session.core.continuing import ForeignRules, judge_foreign
from fastapi_session.engine.from_config import milliseconds, rotation_policy
from fastapi_session.errors import PayloadError
from fastapi_session.foreign_sessions import ForeignSessions, ForeignToken
from fastapi_session.model import Reading
from fastapi_session.stores.taking_in import mark_of


async def explain_foreign_token(token: ForeignToken, source: ForeignSessions, deployment: Deployment) -> Explanation:
    """Explain the opened *token* of *source*. Raises `StoreUnavailable`."""
    engine = deployment.engine
    try:
        reading = await _as_it_would_be(token, source, deployment)
    except PayloadError as error:
        return Explanation("foreign refresh token", f"refused: the session cannot go on here: {error}", genuine=True)
    record = reading.record
    if record is not None and (record.tenant_id, record.source) != (token.tenant_id, source.name):
        return Explanation(
            "foreign refresh token", "refused: it names a session that did not begin there", genuine=True
        )
    rules = ForeignRules(rotation_policy(deployment.config), engine.secrets, milliseconds(source.rotation_grace))
    row = None if record is None else record.lineage
    stands = standing_with_proof(reading, deployment)
    decision = judge_foreign(token, row, now=reading.now, rules=rules, issue_id=NO_ISSUE_ID, standing=stands)
    return await judged("foreign refresh token", decision.verdict, reading, deployment)


async def _as_it_would_be(token: ForeignToken, source: ForeignSessions, deployment: Deployment) -> Reading:
    """Return what the store would have of the session if the token came. Raises `PayloadError` if it cannot go on here."""
    engine = deployment.engine
    reading = await engine.store.get(token.session_id)
    record = reading.record
    if not source.has_database or (record is not None and not record.waits):
        return reading
    theirs = await source.session(token.session_id, token.tenant_id)
    has_ended = record is None and await engine.store.is_remembered(mark_of(token.session_id))
    if theirs is None or has_ended or theirs.expires_at <= reading.now:
        return replace(reading, record=None)
    made = engine.new_sessions.continued_record(theirs, source=source.name, now=reading.now)
    return replace(reading, record=made)
