"""Which error a client gets whose session is not there any more.

The client may have the tokens of a newer session by now, in the very same cookies. So for a session that was superseded no
cookie is cleared, and it is never theft.

| its session | it comes | with an access token | with a refresh token |
|---|---|---|---|
| was superseded | within the grace period | try refresh token, kept | superseded: come again, kept |
| was superseded | later | unauthorised, kept | unauthorised, kept |
| was revoked, or has expired | at any time | unauthorised, cleared | unauthorised, cleared |

A refresh request with only an access token gets the same error as with its refresh token.

Sockets and streams of a superseded session close with "try refresh token", those of a revoked one with "unauthorised".

If the store has no such session and the feed says nothing of it yet, the feed is read again before anything is cleared:
another process may have superseded the session a moment ago. In a transaction of the user's, the feed is read there.
"""

from __future__ import annotations

from typing_extensions import TypeIs

from fastapi_session.clock import Clock
from fastapi_session.engine.revocation.feed import RevocationFeed
from fastapi_session.errors import SessionError, SessionSupersededError, TryRefreshTokenError, UnauthorisedError
from fastapi_session.model import LATEST, Notice
from fastapi_session.stores.base import NoticeStore


class EndedSessions:
    """Knows from the *feed* which sessions were superseded; *grace* is in milliseconds of *clock*.

    If *joined* is given, the feed is read from that store, in a transaction of the user's.
    """

    def __init__(self, feed: RevocationFeed, *, clock: Clock, grace: int, joined: NoticeStore | None = None) -> None:
        self._feed = feed
        self._clock = clock
        self._grace = grace
        self._joined = joined

    def within(self, store: NoticeStore) -> EndedSessions:
        """Return a copy that reads the feed from *store*, and does not keep what it read: the transaction may be undone."""
        return EndedSessions(self._feed, clock=self._clock, grace=self._grace, joined=store)

    def refusal(self, notice: Notice | None) -> SessionError:
        """Return the error for an access token whose session has ended as *notice* says, if there is one."""
        if not _is_superseded(notice):
            return UnauthorisedError("session: it has ended", clears_tokens=True)
        if self._is_late(notice):
            return UnauthorisedError("session: another one took its place")
        return TryRefreshTokenError("session: another one has just taken its place")

    async def refusal_of_access_token(self, session_id: str) -> SessionError:
        """Return the error for an access token whose session is not in the store. Raises `StoreUnavailable`."""
        return self.refusal(await self._notice(session_id))

    async def refusal_of_refresh_token(self, session_id: str, *, reason: str) -> SessionError:
        """Return the error for a refresh token whose session is not in the store. Raises `StoreUnavailable`.

        *reason* is for logs, if it has simply ended.
        """
        notice = await self._notice(session_id)
        if not _is_superseded(notice):
            return UnauthorisedError(reason, clears_tokens=True)
        return UnauthorisedError(reason) if self._is_late(notice) else SessionSupersededError(reason)

    def closing(self, notice: Notice) -> SessionError:
        """Return the error with which a socket or a stream closes whose session has ended as *notice* says."""
        # However late it is: the socket was open all the time, so its client has the new tokens.
        if notice.kind == "session_superseded":
            return TryRefreshTokenError("session: another one took its place")
        return UnauthorisedError("session: it has ended")

    async def _notice(self, session_id: str) -> Notice | None:
        notice = self._feed.about(session_id)
        if _is_superseded(notice):
            return notice
        if self._joined is not None:
            return await self._latest_in(self._joined, session_id) or notice
        await self._feed.read_again()
        return self._feed.about(session_id)

    async def _latest_in(self, store: NoticeStore, session_id: str) -> Notice | None:
        now = (await store.notices(after=LATEST)).now
        found = [each for each in (await store.notices(after=now - self._grace)).notices if each.subject == session_id]
        return found[-1] if found else None

    def _is_late(self, notice: Notice) -> bool:
        # The absolute difference: another machine may have dated the notice, and a clock may be set back.
        return abs(self._clock() - notice.at) >= self._grace


def _is_superseded(notice: Notice | None) -> TypeIs[Notice]:
    return notice is not None and notice.kind == "session_superseded"
