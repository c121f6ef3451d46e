"""Sessions by their verified access token: their claims changed and checked, and the token issued anew."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi_session.by_handle import SessionsByHandle
from fastapi_session.core.access_token import AccessToken
from fastapi_session.core.claims.claim import Claim
from fastapi_session.core.claims.validators import ClaimValidator, claims_to_fetch, failures
from fastapi_session.core.payload import merged
from fastapi_session.engine.claim_checks import NOTHING_TO_SAY, CheckedClaims
from fastapi_session.engine.revocation.lasting_session import Ask, LastingSession
from fastapi_session.engine.tokens.issuing import IssuedSession
from fastapi_session.model import Json


class SessionsByToken(SessionsByHandle):
    """What can be done with a session whose access token was verified."""

    def now(self) -> int:
        """Return what time it is for these sessions, in milliseconds since the epoch."""
        return self._engine.clock()

    def lasting(self, token: AccessToken, ask: Ask) -> LastingSession:
        """Return the session of the verified *token* as something that goes on with it: a socket, a stream.

        *ask* is told its claims when they have changed, and raises if it may not go on with them.
        """
        engine = self._engine
        return LastingSession(token, feed=engine.feed, token_check=engine.token_check, clock=engine.clock, ask=ask)

    async def merge_and_reissue(
        self, token: AccessToken, changes: Json, *, marks_stale: bool = False
    ) -> IssuedSession | None:
        """Lay *changes* over the claims of the verified *token*'s session, and answer it with a new access token.

        That expires with the old one. If nobody can send it to the client any more, *marks_stale* has the tokens of before
        answered "try refresh token", as a change by handle does. `None` if the session has ended. Raises `PayloadError`,
        `StoreUnavailable`.
        """
        record = await self._change_payload(
            token.session_handle, lambda payload: merged(payload, changes), marks_stale=marks_stale
        )
        return None if record is None else await self.reissue(token, record.access_token_payload)

    async def reissue(self, token: AccessToken, claims: Json) -> IssuedSession:
        """Return the session of the verified *token* with an access token of the same end that says *claims*.

        Nothing is written: they have to be those of the store. Raises `PayloadError`, `StoreUnavailable`.
        """
        return self._engine.mint.reissue(token, claims, key=await self._signing_key())

    def issued_now(self, issued: IssuedSession) -> IssuedSession:
        """Return *issued*, whose tokens may have been made a while ago, as it is sent now: clients set their clock by `iat`.

        The access token ends when it did. It is as it was if the key that signed it is not known here. No I/O.
        """
        parsed, now = self._engine.verified_tokens.parse(issued.tokens.access_token), self.now()
        key = None if parsed is None else self._engine.keyring.keys.verifying(parsed.kid, now=now)
        if key is None or issued.access_token.issued_at == now // 1000:
            return issued
        return self._engine.mint.renewed(issued, key=key)

    async def check_claims(
        self, token: AccessToken, validators: Sequence[ClaimValidator], *, marks_stale: bool = False
    ) -> CheckedClaims:
        """Ask *validators* of the verified *token*, after fetching each claim that they need once.

        No I/O if nothing has to be fetched; what is fetched is kept as by `merge_and_reissue`. Raises `UnauthorisedError` if
        the session has ended meanwhile, `PayloadError`, `StoreUnavailable`.
        """
        now = self.now()  # what is fetched from here on is young, however long it takes
        due = claims_to_fetch(validators, token.custom, now=now)
        issued = await self._reissued_with(token, due, marks_stale=marks_stale) if due else None
        failed = failures(validators, issued.access_token.custom if issued else token.custom, now=now)
        if failed:
            self._engine.announcements.rejected(token, failed)
        return CheckedClaims(tuple(failed), issued) if failed or issued else NOTHING_TO_SAY

    async def _reissued_with(
        self, token: AccessToken, claims: Sequence[Claim[Any]], *, marks_stale: bool
    ) -> IssuedSession | None:
        """Return the session with *claims* fetched, `None` where none of them has a value."""
        fetched = await self._fetched(claims, token.user_id, token.tenant_id, token.custom)
        if not fetched:
            return None
        issued = await self.merge_and_reissue(token, fetched, marks_stale=marks_stale)
        if issued is None:
            raise await self.refusal(token.session_handle)
        return issued
