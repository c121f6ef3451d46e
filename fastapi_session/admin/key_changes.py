"""What administrators change of the signing keys. No event tells of it, since no session ends: the log says by whom it was done."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime

from fastapi_session.model import Actor, moment
from fastapi_session.sessions import Sessions

logger = logging.getLogger("fastapi_session")


@dataclass(frozen=True, slots=True)
class NextKey:
    """The key that signs next, and whether it was *made* now: if not, one was waiting already."""

    kid: str
    signs_from: datetime
    made: bool


async def make_next_key(sessions: Sessions, *, by: Actor) -> NextKey | None:
    """Make the next signing key before its time, unless one waits. `None` if one key signs for ever. Raises `StoreUnavailable`."""
    if not sessions.config.use_dynamic_access_token_signing_key:
        return None
    key, made = await sessions.administration.rotate_keys()
    logger.info("signing key %s: rotation asked for by %r", key.kid, by.user_id)
    return NextKey(key.kid, moment(key.record.activates_at), made)


async def delete_key(sessions: Sessions, kid: str, *, by: Actor) -> bool:
    """Delete a signing key, and say whether there was one. Raises `StoreUnavailable`."""
    if kid not in {key.kid for key in await sessions.administration.keys()}:
        return False
    await sessions.revoke_signing_key(kid)
    logger.warning("signing key %s: deleted by %r", kid, by.user_id)
    return True
