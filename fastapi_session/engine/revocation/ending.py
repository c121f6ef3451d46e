"""Waiting for the end of a session."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from fastapi_session.engine.revocation.feed import RevocationFeed
from fastapi_session.engine.revocation.known_notices import ENDED


@contextmanager
def ending(session_id: str, *, feed: RevocationFeed) -> Iterator[asyncio.Future[None]]:
    """Give a future that is done when the session has ended, as *feed* hears: at once if that is known already."""
    ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def look() -> None:
        notice = feed.about(session_id)
        if notice is not None and notice.kind in ENDED and not ended.done():
            ended.set_result(None)

    with feed.listening(session_id, look):
        look()
        yield ended
