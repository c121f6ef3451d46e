"""What a client is sent for a session: the two tokens, and what goes with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from fastapi_session.clock import Clock
from fastapi_session.config import SessionConfig
from fastapi_session.core import access_token, refresh_token
from fastapi_session.core.access_token import AccessToken
from fastapi_session.core.refresh_token import RefreshToken
from fastapi_session.core.secret import SecretRing
from fastapi_session.core.signing_keys import SigningKey
from fastapi_session.engine.deployment import milliseconds
from fastapi_session.model import Json, SessionRecord, Tokens

_WIDEST_HASH = "0" * 64


@dataclass(frozen=True, slots=True)
class IssuedSession:
    """A session whose client is sent something new: the access token's content, and the tokens."""

    access_token: AccessToken
    tokens: Tokens


class Mint:
    """Makes tokens from records. *clock* decides about their moments, *random* (bytes) about their jitter."""

    def __init__(
        self, config: SessionConfig, *, ring: SecretRing, clock: Clock, random: Callable[[int], bytes]
    ) -> None:
        self._issuer = config.issuer
        self._validity = milliseconds(config.access_token_validity)
        self._jitter = config.access_token_validity_jitter
        self._ring = ring
        self._clock = clock
        self._random = random

    def issue(self, record: SessionRecord, token: RefreshToken, *, key: SigningKey, anti_csrf: bool) -> IssuedSession:
        """Answer *record* with the refresh token *token* and a new access token signed by *key*.

        Raises `PayloadError` where the payload is too large; for the first token of a session already where those that
        follow, which say more, would be.
        """
        if token.generation == 0:
            self.ensure_fits(record, key=key)
        made_by = self._ring[token.kid]
        content = replace(
            self._content(record, key=key),
            refresh_token_hash=token.fingerprint.hex(),
            parent_refresh_token_hash=token.parent.hex() if token.generation else None,
            anti_csrf_token=refresh_token.anti_csrf_token(token, made_by) if anti_csrf else None,
        )
        tokens = replace(
            _tokens(content, key),
            refresh_token=refresh_token.mint(token, made_by),
            refresh_token_expires_at=record.lineage.idle_expires_at,
        )
        return IssuedSession(content, tokens)

    def reissue(self, content: AccessToken, payload: Json, *, key: SigningKey) -> IssuedSession:
        """Answer the session of *content* with an access token of the same life and other custom claims."""
        changed = replace(content, custom=access_token.custom_claims(payload))
        return IssuedSession(changed, _tokens(changed, key))

    def ensure_fits(self, record: SessionRecord, *, key: SigningKey) -> None:
        """Raise `PayloadError` where the access token of *record* would not fit into a cookie."""
        access_token.ensure_fits(self._content(record, key=key), key)

    def _content(self, record: SessionRecord, *, key: SigningKey) -> AccessToken:
        now = self._clock()
        return AccessToken(
            user_id=record.user_id,
            recipe_user_id=record.recipe_user_id,
            tenant_id=record.tenant_id,
            session_handle=record.handle,
            refresh_token_hash=_WIDEST_HASH,
            parent_refresh_token_hash=_WIDEST_HASH,
            anti_csrf_token=_WIDEST_HASH,
            issuer=self._issuer,
            issued_at=now // 1000,
            expires_at=self._expires_at(now, record, key),
            custom=access_token.custom_claims(record.access_token_payload),
        )

    def _expires_at(self, now: int, record: SessionRecord, key: SigningKey) -> int:
        """Whole seconds: after the shortened lifetime, at the latest with the session; at least the next full second."""
        lifetime = min(self._validity, key.record.token_lifetime)
        shortened = lifetime - int(lifetime * self._jitter * int.from_bytes(self._random(4)) / 2**32)
        return min(max((now + shortened) // 1000, now // 1000 + 1), record.lineage.idle_expires_at // 1000)


def _tokens(content: AccessToken, key: SigningKey) -> Tokens:
    return Tokens(
        access_token=access_token.mint(content, key),
        access_token_expires_at=content.expires_at * 1000,
        claims=content.claims(),
        anti_csrf_token=content.anti_csrf_token,
    )
