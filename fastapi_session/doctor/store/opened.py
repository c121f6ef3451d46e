"""What the checks of a store look at."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi_session.clock import Clock
from fastapi_session.config import SessionConfig
from fastapi_session.engine.assembly import Engine


@dataclass(frozen=True, slots=True)
class Opened:
    """The deployment of *config*, with the store of its *engine* open."""

    config: SessionConfig
    engine: Engine
    clock: Clock
