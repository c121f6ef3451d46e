"""What would become of an access token at a route with `verify_session()`. The first row that matches decides.

| the token | outcome |
|---|---|
| its key is not there | try refresh token |
| its key did not sign it | try refresh token |
| has expired | try refresh token |
| was issued for another address | try refresh token |
| its session has ended, as the feed says | as of `engine.revocation.ended_sessions` |
| its session is not there, and the feed says nothing | accepted; unauthorised with `check_database` |
| is some generations behind | accepted; try refresh token with `check_database` |
| has other claims than its session has now | accepted; try refresh token if they were changed by handle |
| else | accepted |
"""

from __future__ import annotations

from fastapi_session.cli.explaining.explanation import Explanation, SessionState
from fastapi_session.cli.explaining.refresh_tokens import state_of
from fastapi_session.cli.opened import Deployment
from fastapi_session.core.access_token import AccessToken, ParsedAccessToken
from fastapi_session.core.payload import is_same
from fastapi_session.core.rotation import belongs_to
from fastapi_session.core.signing_keys import VerifyingKey
from fastapi_session.engine.keys.known_keys import known_keys
from fastapi_session.engine.revocation.feed import SLACK
from fastapi_session.engine.revocation.known_notices import ENDED
from fastapi_session.errors import SessionError, TryRefreshTokenError
from fastapi_session.handles import split_handle
from fastapi_session.model import Notice, Reading

_TRY_REFRESH = "try refresh token (401)"
_UNAUTHORISED = "unauthorised (401)"
_ACCEPTED = "accepted"
_UNKNOWN_END = (
    f"{_ACCEPTED}, since the feed says nothing of it; {_UNAUTHORISED} with check_database: its session is not there"
)


async def explain_access_token(parsed: ParsedAccessToken, deployment: Deployment) -> Explanation:
    """Explain what has the structure of an access token. Raises `StoreUnavailable`."""
    engine, content = deployment.engine, parsed.content
    keys = known_keys(await engine.store.signing_keys(), engine.secrets)
    key = keys.verifying(parsed.kid, now=engine.clock())
    is_signed = None if key is None else parsed.is_signed_by(key)
    reading = await engine.store.get(split_handle(content.session_handle)[0])
    outcome = _refused_unread(parsed, key, deployment) or await _of_its_session(content, reading, deployment)
    needs_proof = content.jkt is not None and outcome.startswith(_ACCEPTED)
    return Explanation(
        "access token",
        f"with a DPoP proof of its key: {outcome}" if needs_proof else outcome,
        genuine=is_signed,
        session=_state(content, reading),
        handle=content.session_handle,
        user_id=content.user_id,
        tenant_id=content.tenant_id,
        issued_at=content.issued_at * 1000,
        expires_at=content.expires_at * 1000,
    )


def _refused_unread(parsed: ParsedAccessToken, key: VerifyingKey | None, deployment: Deployment) -> str | None:
    """Return why the token is refused whatever the store says of its session, `None` if it is not."""
    engine = deployment.engine
    if key is None:
        return f"{_TRY_REFRESH}: its key is not there, or verifies no more"
    if not parsed.is_signed_by(key):
        return f"{_TRY_REFRESH}: the key that it names did not sign it"
    if parsed.content.expires_at * 1000 <= engine.clock():
        return f"{_TRY_REFRESH}: it has expired"
    if not engine.verified_tokens.accepts(parsed.content.issuer):
        return f"{_TRY_REFRESH}: it was issued for another address"
    return None


async def _of_its_session(content: AccessToken, reading: Reading, deployment: Deployment) -> str:
    """Return the outcome for the genuine token of *content*, which has not expired."""
    engine, state = deployment.engine, _state(content, reading)
    actor = None if content.actor is None else content.actor.session_id
    subjects = {content.session_id: state, **({} if not actor else {actor: state_of(await engine.store.get(actor))})}
    for subject, its_state in subjects.items():
        if its_state != "alive":
            notice = await _notice_of_end(subject, content, deployment)
            return _UNKNOWN_END if notice is None else _said(engine.ended_sessions.refusal(notice))
    record = reading.record
    if record is None or not _is_of(content, reading, deployment):
        return f"{_ACCEPTED}; {_TRY_REFRESH} with check_database: its session is some refreshes ahead"
    if not is_same(record.access_token_payload, content.custom):
        return f"{_ACCEPTED}, with the claims of before; {_TRY_REFRESH} if they were changed by handle"
    return _ACCEPTED


def _said(refusal: SessionError) -> str:
    response = _TRY_REFRESH if isinstance(refusal, TryRefreshTokenError) else _UNAUTHORISED
    return f"{response}: {refusal}"


def _state(content: AccessToken, reading: Reading) -> SessionState:
    record = reading.record
    return "not there" if record is not None and record.tenant_id != content.tenant_id else state_of(reading)


def _is_of(content: AccessToken, reading: Reading, deployment: Deployment) -> bool:
    """Say whether the token goes with one of the newest refresh tokens of its session."""
    assert reading.record is not None
    try:
        own, parent = bytes.fromhex(content.refresh_token_hash), bytes.fromhex(content.parent_refresh_token_hash or "")
    except ValueError:
        return False  # of another system, whose sessions go on here
    return belongs_to(own, parent or None, reading.record.lineage, secrets=deployment.engine.secrets)


async def _notice_of_end(session_id: str, content: AccessToken, deployment: Deployment) -> Notice | None:
    """Return what the feed says of the end of the session. Only what came after the token was issued can concern it."""
    found = (await deployment.engine.store.notices(after=content.issued_at * 1000 - SLACK)).notices
    return next((each for each in reversed(found) if each.subject == session_id and each.kind in ENDED), None)
