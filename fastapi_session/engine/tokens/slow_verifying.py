"""The part of `Sessions.verify` that may wait: it reads the feed and the keys, and verifies signatures not verified before."""

from __future__ import annotations

from fastapi_session.clock import Clock
from fastapi_session.core.access_token import ParsedAccessToken
from fastapi_session.core.signing_keys import is_kid
from fastapi_session.engine.keys.keyring import Keyring
from fastapi_session.engine.revocation.feed import RevocationFeed
from fastapi_session.engine.revocation.token_check import TokenCheck
from fastapi_session.engine.tokens.verified_tokens import AnyAccessToken, VerifiedAccessToken, VerifiedTokens
from fastapi_session.errors import TryRefreshTokenError, UnauthorisedError
from fastapi_session.stores.base import JoinedStore


class SlowVerifying:
    """Waits for what is not known yet: the revocations of others, and the key that a token names.

    In a transaction of the user's all is read through the *joined* store, on the user's connection: waiting for a second
    connection can deadlock a full pool.
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

    async def catch_up(self, token: AnyAccessToken | None) -> bool:
        """Wait until the feed may be relied on, and say whether the store has to be asked for the session instead.

        The store is asked if this runs in the user's transaction: reading the feed would take a second connection, and what is
        read in the transaction may be undone later. The feed reports deleted keys as well, so the store is asked for the key
        of *token* too. Raises `StoreUnavailable`, and `TryRefreshTokenError` if that key is gone.
        """
        if self._joined is None:
            await self._feed.catch_up()
            return False
        if token is not None and token.kid not in {record.kid for record in await self._joined.signing_keys()}:
            raise TryRefreshTokenError("access token: signed by no key that is there")
        return True

    async def verify(self, token: AnyAccessToken | None) -> VerifiedAccessToken:
        """Return *token* once its signature is verified and it has not expired, reading its key first if it is not known.

        Raises `UnauthorisedError`, `TryRefreshTokenError` and `StoreUnavailable`.
        """
        if token is None:
            raise UnauthorisedError("access token: not one of ours")
        await self._keyring.verifying_key(token.kid, through=self._joined)  # so that it is among `keys`
        return self._verified_tokens.verify(token, self._keyring.keys, now=self._clock())

    async def handle(self, parsed: ParsedAccessToken) -> str | None:
        """Return the handle of the session that *parsed* was issued for, expired or not.

        `None` if neither its signing key nor, if that is gone, the refresh token that it names shows it is genuine: only the
        client of the session knows that token. A kid of the wrong format is refused. Raises `StoreUnavailable`.
        """
        key = await self._keyring.verifying_key(parsed.kid, through=self._joined)
        content = parsed.content
        if key is not None:
            is_genuine = parsed.is_signed_by(key)
        else:
            is_genuine = is_kid(parsed.kid) and await self._token_check.knows(content)
        return content.session_handle if is_genuine else None
