"""Which row of the rotation table a refresh token would meet now: the row is read and judged, and nothing is written.

What comes beside it is not known here: it is judged as if its request had the anti-CSRF token, and proved the key of a bound session.
"""

from __future__ import annotations

from dataclasses import replace

from fastapi_session.cli.explaining.explanation import Explanation, Kind, SessionState
from fastapi_session.cli.explaining.verdicts import ACTOR_IS_GONE, EXCUSED, NEEDS_PROOF, OUTCOMES, ROWS
from fastapi_session.cli.opened import Deployment
from fastapi_session.core import base64url, refresh_token
from fastapi_session.core.binding.bound_keys import Standing, standing
from fastapi_session.core.refresh_token import ISSUE_ID_BYTES, RefreshToken
from fastapi_session.core.rotation import Verdict, judge
from fastapi_session.engine.from_config import rotation_policy
from fastapi_session.handles import split_handle
from fastapi_session.model import Reading, SessionRecord
from fastapi_session.stores.base import SessionStore

NO_ISSUE_ID = bytes(ISSUE_ID_BYTES)
"""In the place of the id of the token that would be sent."""


def looks_like_one(text: str) -> bool:
    """Say whether *text* has the form of a refresh token, whoever wrote it."""
    data = base64url.decode(text) if len(text) == refresh_token.LENGTH else None
    return data is not None and data[0] == refresh_token.VERSION


def bad_token() -> Explanation:
    """Explain what has the form of a refresh token, and is none of this deployment (row D0)."""
    return Explanation(
        "refresh token",
        OUTCOMES[Verdict.BAD_TOKEN],
        genuine=False,
        row=ROWS[Verdict.BAD_TOKEN],
        verdict=Verdict.BAD_TOKEN.value,
    )


async def explain_refresh_token(token: RefreshToken, deployment: Deployment) -> Explanation:
    """Explain the authenticated *token*. Raises `StoreUnavailable`."""
    engine = deployment.engine
    reading = await engine.store.get(token.session_id)
    decision = judge(
        token,
        None if reading.record is None else reading.record.lineage,
        now=reading.now,
        policy=rotation_policy(deployment.config),
        secrets=engine.secrets,
        issue_id=NO_ISSUE_ID,
        standing=standing_with_proof(reading, deployment),
    )
    found = await judged("refresh token", decision.verdict, reading, deployment)
    return found if found.handle is not None else replace(found, handle=token.session_id)


def standing_with_proof(reading: Reading, deployment: Deployment) -> Standing:
    """Return how a refresh stands to the session that was read, if it proves the key of that."""
    record, within = reading.record, rotation_policy(deployment.config).binds_within
    bound = None if record is None else record.bound_key
    is_overdue = record is not None and within is not None and reading.now - record.created_at >= within
    return standing(bound, bound, is_overdue=is_overdue)


async def judged(kind: Kind, verdict: Verdict, reading: Reading, deployment: Deployment) -> Explanation:
    """Explain a genuine token of *kind* that got this *verdict* before what was read. Raises `StoreUnavailable`."""
    record, outcome = reading.record, OUTCOMES[verdict]
    if verdict is Verdict.RECENT_PREV and deployment.config.recent_token_reuse_behaviour != "TOKEN_THEFT":
        outcome = EXCUSED
    if record is None:
        row = ROWS.get(verdict)
        return Explanation(kind, outcome, genuine=True, session="not there", row=row, verdict=verdict.value)
    if not await has_actor(record, deployment.engine.store):
        outcome = ACTOR_IS_GONE
    elif record.bound_key is not None:
        outcome += NEEDS_PROOF
    return Explanation(
        kind,
        outcome,
        genuine=True,
        session=state_of(reading),
        handle=record.handle,
        user_id=record.user_id,
        tenant_id=record.tenant_id,
        expires_at=record.lineage.idle_expires_at,
        row=ROWS.get(verdict),
        verdict=verdict.value,
    )


def state_of(reading: Reading) -> SessionState:
    """Say whether the session that was read is alive."""
    if reading.record is None:
        return "not there"
    return "expired" if reading.record.lineage.expired(reading.now) else "alive"


async def has_actor(record: SessionRecord, store: SessionStore) -> bool:
    """Say whether the session of who acts in *record* is alive, or nobody acts in it. Raises `StoreUnavailable`."""
    if record.actor_session is None:
        return True
    return state_of(await store.get(split_handle(record.actor_session)[0])) == "alive"
