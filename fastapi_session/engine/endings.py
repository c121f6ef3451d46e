"""Waiting for the end of a session, as open sockets and streams do."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Endings:
    """Who waits for which session (by its id) to end, whatever event loop they wait on. What nobody waits for is not kept."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, set[asyncio.Future[None]]] = {}

    def announce(self, session_id: str) -> None:
        """Wake those who wait for the session *session_id*: it has ended."""
        with self._lock:
            waiting = self._waiting.pop(session_id, set())
        for future in waiting:
            with suppress(RuntimeError):  # the loop has been closed meanwhile, and nobody waits any more
                future.get_loop().call_soon_threadsafe(_wake, future)

    @contextmanager
    def expected(self, session_id: str) -> Iterator[asyncio.Future[None]]:
        """Give a future that is done when the session *session_id* ends."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        with self._lock:
            self._waiting.setdefault(session_id, set()).add(future)
        try:
            yield future
        finally:
            self._forget(session_id, future)

    def _forget(self, session_id: str, future: asyncio.Future[None]) -> None:
        with self._lock:
            waiting = self._waiting.get(session_id, set())
            waiting.discard(future)
            if not waiting:
                self._waiting.pop(session_id, None)


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
