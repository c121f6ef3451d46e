"""What telemetry is told of one request: how its token was verified, and on the span of the server whose session it is.

In a provider the current span is one of FastAPI's own, inside that of the request. So the middleware takes the span along, which
is the server's while the middleware begins.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from fastapi_session.errors import SessionError
from fastapi_session.telemetry.counts import Counts

CurrentSpan = Callable[[], Any]
Guard = Callable[[Any], None]
"""Is given a `Session` that was verified."""


class Observed:
    """What observes requests: *counts* of the process, and the *span* of one request if that is told who its user is."""

    __slots__ = ("_counts", "_span", "guard")

    def __init__(self, counts: Counts, span: Any) -> None:
        self._counts = counts
        self._span = span
        self.guard: Guard = self.count if span is None else self.identify
        """What a session is given to that was verified."""

    def count(self, session: Any) -> None:
        """A `Session`, which is a module above this one, was verified."""
        self._counts.verified[session._method] += 1

    def identify(self, session: Any) -> None:
        """Do as `count`, and say on the span whose session it is."""
        self.count(session)
        self._span.set_attributes({"session.id": session.handle, "user.id": session.user_id})

    def after(self, guard: Guard) -> Guard:
        """Return what does its own part once *guard* has let a session through."""

        def both(session: Any) -> None:
            guard(session)
            self.guard(session)

        return both

    def refused(self, error: SessionError, source: str | None) -> None:
        """The access token that came by *source*, or that did not come, was refused by *error*."""
        self._counts.refused[error.code.lower(), source or "none"] += 1


class Observing:
    """Has what observes requests. It *identifies* if spans are told whose they are."""

    __slots__ = ("_current_span", "counting", "counts", "identifies")

    def __init__(self, counts: Counts, *, identifies: bool) -> None:
        self.counts = counts
        self.counting = Observed(counts, None)
        """What observes any request, if spans are told nothing."""
        self._current_span = _current_span() if identifies else None
        self.identifies = self._current_span is not None

    def identifying(self) -> Observed:
        """Return what observes the request that begins here: its span is the current one."""
        return self.counting if self._current_span is None else Observed(self.counts, self._current_span())


def _current_span() -> CurrentSpan | None:
    try:
        current: CurrentSpan = import_module("opentelemetry.trace").get_current_span
    except ModuleNotFoundError:
        return None
    return current
