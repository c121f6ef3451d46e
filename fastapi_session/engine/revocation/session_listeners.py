"""Who is called when something happens to a session: open sockets, streams, whoever waits for its end."""

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


class SessionListeners:
    """Who listens to which session (by its id), on whatever event loop. A session that nobody listens to is not kept.

    A lock guards that table. It is thread-safe: each event loop has a thread of its own, and a listener may be on any of them.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_session: dict[str, set[_Listener]] = {}

    def __len__(self) -> int:
        """Return how many sessions somebody listens to."""
        return len(self._by_session)

    def wake(self, session_id: str) -> None:
        """Wake those who listen to the session *session_id*, each on its own event loop."""
        with self._lock:
            listeners = tuple(self._by_session.get(session_id, ()))
        for each in listeners:  # without the lock, since a listener whose loop has gone takes it to be forgotten
            try:
                each.loop.call_soon_threadsafe(each.wake)
            except RuntimeError:  # the loop has been closed meanwhile, and nobody listens there any more
                self._forget(session_id, each)

    @contextmanager
    def listening(self, session_id: str, wake: Wake) -> Iterator[None]:
        """Call *wake* on this event loop each time something happens to the session *session_id*."""
        listener = _Listener(asyncio.get_running_loop(), wake)
        with self._lock:
            self._by_session.setdefault(session_id, set()).add(listener)
        try:
            yield
        finally:
            self._forget(session_id, listener)

    def _forget(self, session_id: str, listener: _Listener) -> None:
        with self._lock:
            listeners = self._by_session.get(session_id, set())
            listeners.discard(listener)
            if not listeners:
                self._by_session.pop(session_id, None)
