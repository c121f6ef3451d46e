"""What the checks of a store look at."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi_session.clock import Clock
from fastapi_session.config import SessionConfig
from fastapi_session.engine.assembly import Engine
from fastapi_session.foreign_sessions import ForeignSessions


@dataclass(frozen=True, slots=True)
class Opened:
    """The deployment of *config*, with an *engine* of its own, whose store `store_findings` opens as soon as nothing speaks against it.

    Sessions of *moving_from* go on there, if any do.
    """

    config: SessionConfig
    engine: Engine
    clock: Clock
    moving_from: ForeignSessions | None = None
