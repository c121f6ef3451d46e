"""Telling subscribers what happened, without making the request wait or letting it fail."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from fastapi_session.engine.background import Background
from fastapi_session.events import SessionEvent, Subscriber

logger = logging.getLogger("fastapi_session")


class Publisher:
    """Tells each of *subscribers*, each in a task of its own."""

    def __init__(self, subscribers: Sequence[Subscriber], *, background: Background) -> None:
        self._subscribers = tuple(subscribers)
        self._background = background

    def tell(self, event: SessionEvent) -> None:
        """Begin to tell *event*."""
        for subscriber in self._subscribers:
            self._background.start(_told(subscriber, event))


async def _told(subscriber: Subscriber, event: SessionEvent) -> None:
    try:
        await subscriber(event)
    except Exception:
        logger.exception("a subscriber failed at %s", type(event).__name__)
