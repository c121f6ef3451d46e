"""A session with which something goes on after the request that verified its token: an open socket, a stream."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from fastapi_session.clock import Clock
from fastapi_session.core import access_token
from fastapi_session.core.access_token import AccessToken
from fastapi_session.core.payload import is_same
from fastapi_session.engine.revocation.feed import RevocationFeed
from fastapi_session.engine.revocation.session_listeners import Wake
from fastapi_session.engine.revocation.token_check import TokenCheck
from fastapi_session.model import Json, Notice

Ask = Callable[[Json], Awaitable[None]]
"""Called with the current claims whenever they have changed; raises if the session may not go on with them."""


class WatchedSession:
    """Follows what happens to the session of a verified *token*, and calls *ask* when its claims are no longer those.

    A lock guards the token and the notice that was seen last: of several calls of `catch_up` at once, the first asks the store,
    and the others find what it found.
    """

    def __init__(
        self, token: AccessToken, *, feed: RevocationFeed, token_check: TokenCheck, clock: Clock, ask: Ask
    ) -> None:
        self._token = token
        self._session_id = token.session_id
        self._actor = token.actor
        self._feed = feed
        self._token_check = token_check
        self._clock = clock
        self._ask = ask
        self._seen: Notice | None = None
        self._lock = asyncio.Lock()

    @property
    def seconds_left(self) -> float:
        """How many seconds are left of the access token."""
        return self._token.expires_at - self._clock() / 1000

    @property
    def is_unchanged(self) -> bool:
        """Whether `catch_up` would do nothing: the feed may be relied on, and says nothing new. Waits for nothing."""
        now, feed = self._clock(), self._feed
        return (
            feed.trusted_from <= now < feed.trusted_until
            and now < self._token.expires_at * 1000
            and ((notice := feed.about(self._session_id)) is None or notice is self._seen)
            and (self._actor is None or self._token_check.ended_with(self._actor) is None)
        )

    @contextmanager
    def listening(self, wake: Wake) -> Iterator[None]:
        """Call *wake* on this event loop whenever there may be something to `catch_up` with, whichever process it happened in."""
        with ExitStack() as stack:
            stack.enter_context(self._feed.listening(self._session_id, wake))
            if self._actor is not None:
                stack.enter_context(self._feed.listening(self._actor.session_id, wake))
            yield

    async def catch_up(self) -> None:
        """Catch up with what happened to the session.

        Raises `UnauthorisedError` and `TryRefreshTokenError` if it has ended, and what *ask* raises; `StoreUnavailable` if
        the feed fails closed. Otherwise it goes on as it is while the store is down, and has to catch up again.
        """
        if not self._feed.trusted_from <= self._clock() < self._feed.trusted_until:
            await self._feed.catch_up()
        access_token.ensure_alive(self._token, now=self._clock())
        if self._actor is not None and (ended := self._token_check.ended_with(self._actor)) is not None:
            raise ended
        async with self._lock:
            notice = self._feed.about(self._session_id)
            if notice is not None and notice is not self._seen:
                await self._take_in(notice)

    async def _take_in(self, notice: Notice) -> None:
        claims = await self._token_check.claims_of_now(self._token, notice)
        if claims is None:
            return  # the store is down: the notice stays unseen, so that the next call asks again
        if not is_same(claims, self._token.custom):
            await self._ask(claims)
            self._token = replace(self._token, custom=claims)
        self._seen = notice
