"""What a client is sent for a session: the two tokens, and what goes with them."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace

from fastapi_session.clock import Clock
from fastapi_session.config import SessionConfig
from fastapi_session.core import access_token, access_token_size, refresh_token
from fastapi_session.core.access_token import AccessToken
from fastapi_session.core.authentication import authenticated
from fastapi_session.core.binding.bound_keys import device_key, is_device_key, jkt_of
from fastapi_session.core.refresh_token import RefreshToken
from fastapi_session.core.secret import Secrets
from fastapi_session.core.signing_keys import SigningKey, SigningKeys
from fastapi_session.engine.dropped_names import DroppedNames
from fastapi_session.engine.from_config import access_token_validities, milliseconds
from fastapi_session.errors import PayloadError
from fastapi_session.model import GUEST_KIND, Actor, Json, SessionRecord, Tokens
from fastapi_session.randomness import Random


@dataclass(frozen=True, slots=True)
class _Links:
    """What an access token says of the refresh token that it goes with, and of the anti-CSRF token."""

    own: str = field(repr=False)
    parent: str | None = field(repr=False)
    anti_csrf: str | None = field(repr=False)
    issue_id: bytes | None = field(repr=False)


_WIDEST = _Links("0" * 64, "0" * 64, "0" * 64, bytes(refresh_token.ISSUE_ID_BYTES))
_SOME_DEVICE = device_key("0" * 43)
_LATEST = 9_999_999_999_000
"""A moment (milliseconds) of as many digits as any that a token has."""
_FITS_SURELY = 3_000
"""Characters of a session's first access token up to which all later tokens fit too, whichever algorithm signs them."""

logger = logging.getLogger("fastapi_session")


@dataclass(frozen=True, slots=True)
class IssuedSession:
    """A session whose client is sent something new: the access token's content, and the tokens.

    It *is_repeated* if a client had the same before, by a login of another system that has come again.
    """

    access_token: AccessToken
    tokens: Tokens
    is_repeated: bool = False


class Mint:
    """Makes tokens from records. *clock* decides about their moments, *random* (bytes) about their jitter."""

    def __init__(self, config: SessionConfig, *, secrets: Secrets, clock: Clock, random: Random) -> None:
        self._issuer = config.issuer
        self._validity = milliseconds(config.access_token_validity)  # also of a kind that is configured no more
        self._validities = access_token_validities(config)
        self._grace = milliseconds(config.refresh_token_rotation_grace_period)
        self._longest = access_token_size.longest(config.cookie_prefix)
        self._jitter = config.access_token_validity_jitter
        self._secrets = secrets
        self._clock = clock
        self._random = random
        self._may_be_bound = config.device_binding != "off"
        self._has_warned = False
        self.dropped_names = DroppedNames()
        """What changes of claims have tried to set."""

    def issue(self, record: SessionRecord, token: RefreshToken, *, key: SigningKey, anti_csrf: bool) -> IssuedSession:
        """Return *record* with the refresh token *token* and a new access token signed by *key*.

        Raises `PayloadError` if that is the first token of a session, and it or those that follow, which say more, would
        be too long. A session that goes on is never refused for it.
        """
        made_by = self._secrets[token.kid]
        links = _Links(
            own=token.fingerprint.hex(),
            parent=token.parent.hex() if token.generation else None,
            anti_csrf=refresh_token.anti_csrf_token(token, made_by) if anti_csrf else None,
            issue_id=token.issue_id if token.generation else None,
        )
        now = self._clock()
        content = self._content(record, links, now=now, expires_at=self._expires_at(now, record, key))
        tokens = _tokens(
            content,
            key,
            refresh_token=refresh_token.mint(token, made_by),
            refresh_token_expires_at=record.lineage.idle_expires_at,
        )
        if token.generation == 0 and len(tokens.access_token) > _FITS_SURELY:
            self.ensure_fits(record, key=key)
        elif len(tokens.access_token) > self._longest:
            self._warn_of_length(record, len(tokens.access_token))
        return IssuedSession(content, tokens)

    def reissue(self, content: AccessToken, payload: Json, *, key: SigningKey) -> IssuedSession:
        """Return the session of *content* with an access token that is issued now, with *payload* as its custom claims.

        It ends when that of *content* does. Clients learn from the moment of issue how far their clock is off.
        """
        changed = replace(
            content,
            issuer=self._issuer,
            issued_at=self._clock() // 1000,
            custom=access_token.custom_claims(payload, is_authenticated=content.authenticated is not None),
        )
        return IssuedSession(changed, _tokens(changed, key))

    def issued_now(self, issued: IssuedSession, *, keys: SigningKeys) -> IssuedSession:
        """Return *issued* with an access token that is issued now, and says the same; unchanged if it was, or none of *keys* signed it."""
        before, now = issued.tokens, self._clock()
        parsed = access_token.parse(before.access_token)
        key = None if parsed is None else keys.verifying(parsed.kid, now=now)
        if not isinstance(key, SigningKey) or issued.access_token.issued_at == now // 1000:
            return issued
        again = self.reissue(issued.access_token, issued.access_token.custom, key=key)
        kept = replace(
            again.tokens,
            refresh_token=before.refresh_token,
            refresh_token_expires_at=before.refresh_token_expires_at,
        )
        return replace(again, tokens=kept)

    def ensure_fits(self, record: SessionRecord, *, key: SigningKey, before: SessionRecord | None = None) -> None:
        """Raise `PayloadError` if browsers would drop an access token of *record*, unless it was no shorter *before*."""
        content = self._widest(record)
        try:
            access_token_size.ensure_fits(content, key)
        except PayloadError:
            if before is None:
                raise
            earlier = self._widest(before)
            if access_token_size.length(content, key) > access_token_size.length(earlier, key):
                raise

    def ensure_readable(self, record: SessionRecord) -> None:
        """Raise `PayloadError` if an access token of *record* would be longer than any that is read, by whatever key."""
        access_token_size.ensure_readable(self._widest(record))

    def _warn_of_length(self, record: SessionRecord, length: int) -> None:
        """Log once that browsers drop such tokens. What made them longer, or less room, is the same for all sessions."""
        if not self._has_warned:
            self._has_warned = True
            logger.error(
                "session %s: its access token has %d characters, and browsers drop cookies with more than %d, so its "
                "client refreshes in vain; take back what made them longer (access_token_signing_algorithm, api_domain, "
                "api_base_path, cookie_prefix), or make its access_token_payload smaller",
                record.handle,
                length,
                self._longest,
            )

    def _widest(self, record: SessionRecord) -> AccessToken:
        """Return the content of the longest access token that the session of *record* may have: one that its browser binds says so."""
        if record.bound_key is None and self._may_be_bound:
            record = replace(record, bound_key=_SOME_DEVICE)
        return self._content(record, _WIDEST, now=_LATEST, expires_at=_LATEST // 1000)

    def _content(self, record: SessionRecord, links: _Links, *, now: int, expires_at: int) -> AccessToken:
        bound = record.bound_key  # most are not, and are asked no more
        return AccessToken(
            user_id=record.user_id,
            recipe_user_id=record.recipe_user_id,
            tenant_id=record.tenant_id,
            session_handle=record.handle,
            refresh_token_hash=links.own,
            parent_refresh_token_hash=links.parent,
            anti_csrf_token=links.anti_csrf,
            issuer=self._issuer,
            issued_at=now // 1000,
            expires_at=expires_at,
            custom=access_token.custom_claims(record.access_token_payload, is_authenticated=bool(record.factors)),
            issue_id=links.issue_id,
            persistent=record.persistent,
            authenticated=authenticated(record.factors, record.acr) if record.factors else None,
            actor=None if record.actor is None else Actor(record.actor, record.actor_session),
            is_guest=record.kind == GUEST_KIND,
            jkt=None if bound is None else jkt_of(bound),
            is_device_bound=bound is not None and is_device_key(bound),
        )

    def _expires_at(self, now: int, record: SessionRecord, key: SigningKey) -> int:
        """Whole seconds: after the shortened lifetime, at the latest with the session; at least the next full second."""
        lifetime = min(self._validity_of(record), key.record.token_lifetime)
        shortened = lifetime - int(lifetime * self._jitter * int.from_bytes(self._random(4)) / 2**32)
        return min(max((now + shortened) // 1000, now // 1000 + 1), record.lineage.idle_expires_at // 1000)

    def _validity_of(self, record: SessionRecord) -> int:
        """Return how many milliseconds the access tokens of *record* live: as its kind says, unless no refresh would come in time."""
        validity, idle = self._validities.get(record.kind, self._validity), record.lineage.idle_timeout
        # A session keeps its idle timeout, while its kind may be gone by now or have longer tokens. Clients refresh once their
        # token has expired: one that lives as long as the session would end it.
        return validity if idle is None or validity < idle - self._grace else min(validity, idle // 2)


def _tokens(
    content: AccessToken, key: SigningKey, *, refresh_token: str | None = None, refresh_token_expires_at: int = 0
) -> Tokens:
    claims = content.claims()
    return Tokens(
        access_token=access_token.mint(claims, key),
        access_token_expires_at=content.expires_at * 1000,
        claims=claims,
        anti_csrf_token=content.anti_csrf_token,
        refresh_token=refresh_token,
        refresh_token_expires_at=refresh_token_expires_at,
        persistent=content.persistent,
    )
