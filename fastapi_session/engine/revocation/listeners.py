"""Who wants to hear of a session: open sockets, streams, whoever waits for its end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

Wake = Callable[[], None]


@dataclass(frozen=True, eq=False, slots=True)
class _Listener:
    loop: asyncio.AbstractEventLoop
    wake: Wake


class Listeners:
    """Who listens to which session (by its id), on whatever event loop. What nobody listens to is not kept."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listening: dict[str, set[_Listener]] = {}

    def __len__(self) -> int:
        """Return how many sessions somebody listens to."""
        return len(self._listening)

    def tell(self, session_id: str) -> None:
        """Wake those who listen to the session *session_id*, each on its own event loop: there is something to hear of it."""
        with self._lock:
            listening = tuple(self._listening.get(session_id, ()))
        for each in listening:
            try:
                each.loop.call_soon_threadsafe(each.wake)
            except RuntimeError:  # the loop has been closed meanwhile, and nobody listens there any more
                self._forget(session_id, each)

    @contextmanager
    def listening(self, session_id: str, wake: Wake) -> Iterator[None]:
        """Call *wake* on this event loop each time there is something to hear of the session *session_id*."""
        listener = _Listener(asyncio.get_running_loop(), wake)
        with self._lock:
            self._listening.setdefault(session_id, set()).add(listener)
        try:
            yield
        finally:
            self._forget(session_id, listener)

    def _forget(self, session_id: str, listener: _Listener) -> None:
        with self._lock:
            listening = self._listening.get(session_id, set())
            listening.discard(listener)
            if not listening:
                self._listening.pop(session_id, None)
