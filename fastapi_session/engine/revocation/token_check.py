"""Whether a genuine access token is still good.

| what the feed says of its session | then |
|---|---|
| it was revoked | unauthorised, tokens cleared; nothing is read |
| it was superseded | as the table of `ended_sessions` says, tokens kept; nothing is read |
| its claims were changed by handle | the store is asked, once a token: good if the token has the current claims, else try refresh token |
| nothing | it is good; the store is asked only if the route wants that, and then the claims of the store count |

If the token is bound to a DPoP key, the request has to have proved that key. If the token has an actor, the actor's own session must
not have ended either: the same rows decide, except that for changed claims, which do not matter there.
"""

from __future__ import annotations

from dataclasses import replace

from fastapi_session.core.access_token import AccessToken
from fastapi_session.core.binding.bound_keys import Possession, has_dpop_key
from fastapi_session.core.payload import is_same
from fastapi_session.core.rotation import belongs_to
from fastapi_session.core.secret import Secrets
from fastapi_session.engine.bounded_cache import BoundedCache, memory_size
from fastapi_session.engine.live_records import live_record
from fastapi_session.engine.revocation.ended_sessions import EndedSessions
from fastapi_session.engine.revocation.feed import RevocationFeed
from fastapi_session.engine.revocation.known_notices import ENDED
from fastapi_session.errors import SessionError, StoreUnavailable, TryRefreshTokenError, UnprovenKeyError
from fastapi_session.handles import split_handle
from fastapi_session.model import Actor, Json, Notice, SessionRecord
from fastapi_session.stores.base import SessionStore

_ENTRY = 1_000
"""Bytes of what is cached of a token that has the changed claims, beside its custom claims."""


class TokenCheck:
    """Checks tokens by the *feed*, and by the *store* if that is not enough. Tokens that have the changed claims are cached."""

    def __init__(
        self, store: SessionStore, *, secrets: Secrets, feed: RevocationFeed, ended_sessions: EndedSessions
    ) -> None:
        self._store = store
        self._secrets = secrets
        self._feed = feed
        self._ended_sessions = ended_sessions
        # One that was dropped costs a reading of the store, nothing else.
        self._up_to_date = BoundedCache[str, tuple[Notice, AccessToken]](_weight)

    async def check_notice(self, notice: Notice, token: AccessToken) -> None:
        """Refuse the verified *token* if *notice* says that its session has ended, or that its claims are outdated.

        Raises `UnauthorisedError` and `TryRefreshTokenError`; `StoreUnavailable` if the feed fails closed: otherwise,
        a token is believed while the store is down.
        """
        if notice.kind in ENDED:
            raise self._ended_sessions.refusal(notice)
        if self._is_up_to_date(token, notice):
            return
        claims = await self.claims_of_now(token, notice)
        if claims is None:
            return
        if not is_same(claims, token.custom):
            raise TryRefreshTokenError("access token: the claims of its session were changed")
        self._up_to_date.keep(notice.subject, (notice, token))

    def check_holder(self, token: AccessToken, possession: Possession | None) -> None:
        """Refuse the verified *token* if it is bound to a DPoP key and *possession* is not of that, or if its actor's own session has ended.

        Raises `UnprovenKeyError`, and as `check_notice`.
        """
        if token.jkt is not None and not has_dpop_key(possession, token.jkt):
            raise UnprovenKeyError("access token: the request does not prove the key that it is bound to")
        notice = None if token.actor is None else self._actor_notice(token.actor)
        if notice is not None:
            raise self._ended_sessions.refusal(notice)

    def ended_with(self, actor: Actor) -> SessionError | None:
        """Return the error with which a socket or a stream closes if the session of *actor* has ended."""
        notice = self._actor_notice(actor)
        return None if notice is None else self._ended_sessions.closing(notice)

    def _actor_notice(self, actor: Actor) -> Notice | None:
        notice = self._feed.about(actor.session_id)
        return notice if notice is not None and notice.kind in ENDED else None

    async def claims_of_now(self, token: AccessToken, notice: Notice) -> Json | None:
        """Return the claims that the session of the verified *token* has after *notice*, `None` while the store is down.

        Raises `UnauthorisedError` or `TryRefreshTokenError` if it has ended, `StoreUnavailable` if the feed fails closed.
        """
        if notice.kind in ENDED:
            raise self._ended_sessions.closing(notice)
        try:
            return (await self._record(token)).access_token_payload
        except StoreUnavailable:
            if self._feed.fails_closed:
                raise
            return None  # by default a store that is down signs nobody out

    def _is_up_to_date(self, token: AccessToken, notice: Notice) -> bool:
        known, up_to_date = self._up_to_date.find(notice.subject) or (None, token)
        if known is not notice:
            return False
        # Mostly it is the very object, since verified tokens are cached. Equal is not enough: to Python 1 is 1.0 and true.
        return up_to_date is token or (up_to_date == token and is_same(up_to_date.custom, token.custom))

    async def check_database(self, token: AccessToken) -> AccessToken:
        """Return the verified *token* with the claims that its session has in the store.

        Refuse it if the session is not in the store, or is some generations ahead of the token. Raises `UnauthorisedError`,
        `TryRefreshTokenError` and `StoreUnavailable`.
        """
        record = await self._record(token)
        if not self._goes_with(token, record):
            raise TryRefreshTokenError("access token: of an earlier generation")
        if is_same(record.access_token_payload, token.custom):
            return token
        return replace(token, custom=record.access_token_payload)

    async def knows(self, token: AccessToken) -> bool:
        """Say whether the store has the session of *token*, and *token* names one of its refresh tokens. No signature is checked.

        *token* carries the hash of a refresh token that was sent to this client alone. So the hash shows that it is genuine
        if the signing key is gone. Raises `StoreUnavailable`.
        """
        record = await live_record(self._store, token.session_handle)
        return record is not None and self._goes_with(token, record)

    def _goes_with(self, token: AccessToken, record: SessionRecord) -> bool:
        try:
            own, parent = bytes.fromhex(token.refresh_token_hash), bytes.fromhex(token.parent_refresh_token_hash or "")
        except ValueError:
            return False  # no hash of ours: a token that we never signed
        return belongs_to(own, parent or None, record.lineage, secrets=self._secrets)

    async def _record(self, token: AccessToken) -> SessionRecord:
        record = await live_record(self._store, token.session_handle)
        if record is None:
            raise await self._ended_sessions.refusal_of_access_token(split_handle(token.session_handle)[0])
        return record


def _weight(_: str, up_to_date: tuple[Notice, AccessToken]) -> int:
    token = up_to_date[1]
    return _ENTRY + memory_size(token.custom) + (memory_size(token.authenticated.factors) if token.authenticated else 0)
