"""The slow half of `Sessions.verify`: what has to be read first, and the signature that was not verified before."""

from __future__ import annotations

from fastapi_session.clock import Clock
from fastapi_session.core.access_token import ParsedAccessToken
from fastapi_session.core.signing_keys import is_kid
from fastapi_session.engine.keys.keyring import Keyring
from fastapi_session.engine.revocation.feed import RevocationFeed
from fastapi_session.engine.revocation.token_check import TokenCheck
from fastapi_session.engine.tokens.verified_tokens import VerifiedAccessToken, VerifiedTokens
from fastapi_session.errors import TryRefreshTokenError, UnauthorisedError
from fastapi_session.stores.base import JoinedStore


class Verifying:
    """Waits for what is not known yet: the revocations of others, and the key that a token names.

    A caller who holds a connection reads through it, the *joined* store: whoever waits for another connection may wait for
    those who wait like him.
    """

    def __init__(
        self,
        *,
        joined: JoinedStore | None,
        feed: RevocationFeed,
        keyring: Keyring,
        verified_tokens: VerifiedTokens,
        token_check: TokenCheck,
        clock: Clock,
    ) -> None:
        self._joined = joined
        self._feed = feed
        self._keyring = keyring
        self._verified_tokens = verified_tokens
        self._token_check = token_check
        self._clock = clock

    async def catch_up(self, parsed: ParsedAccessToken | None) -> bool:
        """Wait until the feed may be relied on, and say whether the store has to be asked of the session instead.

        It has to be in a transaction of the user's: to read the feed would take another connection, and what the feed says
        in the transaction may be undone later. The feed tells of deleted keys as well, so the store is asked for that of
        *parsed*. Raises `StoreUnavailable`, and `TryRefreshTokenError` if that key is gone.
        """
        if self._joined is None:
            await self._feed.catch_up()
            return False
        if parsed is not None and parsed.kid not in {record.kid for record in await self._joined.signing_keys()}:
            raise TryRefreshTokenError("access token: signed by no key that is there")
        return True

    async def verify(self, parsed: ParsedAccessToken | None) -> VerifiedAccessToken:
        """Return *parsed* once its signature is verified and it has not expired, reading its key first if it is not known.

        Raises `UnauthorisedError`, `TryRefreshTokenError` and `StoreUnavailable`.
        """
        if parsed is None:
            raise UnauthorisedError("access token: not one of ours")
        await self._keyring.verifying_key(parsed.kid, through=self._joined)  # so that it is among the keys
        return self._verified_tokens.verify(parsed, self._keyring.keys, now=self._clock())

    async def handle(self, parsed: ParsedAccessToken) -> str | None:
        """Return the handle of the session that *parsed* was issued for, expired or not; `None` if nobody vouches for it.

        If its signing key is gone, the refresh token that it names vouches for it: whoever knows that has been given the
        tokens of the session. A kid that no key of ours can have had counts for nothing. Raises `StoreUnavailable`.
        """
        key = await self._keyring.verifying_key(parsed.kid, through=self._joined)
        content = parsed.content
        if key is not None:
            is_genuine = parsed.is_signed_by(key)
        else:
            is_genuine = is_kid(parsed.kid) and await self._token_check.knows(content)
        return content.session_handle if is_genuine else None
