"""How a session begins: its first refresh token, and where the session stands with it."""

from __future__ import annotations

from collections.abc import Callable

from fastapi_session.config import SessionConfig
from fastapi_session.core import refresh_token
from fastapi_session.core.refresh_token import ISSUE_ID_BYTES, RefreshToken
from fastapi_session.core.secret import Secrets
from fastapi_session.engine.from_config import milliseconds
from fastapi_session.model import Lineage


class Beginning:
    """Makes what a new session begins with. *random* returns so many random bytes."""

    def __init__(self, config: SessionConfig, *, secrets: Secrets, random: Callable[[int], bytes]) -> None:
        absolute = config.absolute_timeout
        self._idle_timeout = milliseconds(config.idle_timeout)
        self._absolute_timeout = None if absolute is None else milliseconds(absolute)
        self._secrets = secrets
        self._random = random

    def token(self) -> RefreshToken:
        """Return the first refresh token of a session that nobody has heard of yet."""
        session_id, secret, issue_id = self._random(16).hex(), self._random(32), self._random(ISSUE_ID_BYTES)
        return refresh_token.first(session_id, secret=secret, kid=self._secrets.newest.kid, issue_id=issue_id)

    def lineage(self, token: RefreshToken, *, now: int) -> Lineage:
        """Return where the session of its first *token* stands that begins at *now* (milliseconds)."""
        return Lineage.first(
            refresh_token.stored_hash(token.fingerprint, self._secrets.newest),
            kid=token.kid,
            used=token.issue_id,
            now=now,
            idle_timeout=self._idle_timeout,
            absolute_timeout=self._absolute_timeout,
        )
