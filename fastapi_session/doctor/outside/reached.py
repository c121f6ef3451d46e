"""What the checks from outside look at."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastapi_session.config import SessionConfig
from fastapi_session.origin import Origin
from fastapi_session.sessions import Sessions


@dataclass(frozen=True, slots=True)
class Reached:
    """The deployment at *url*. If its configuration is known, what is seen is compared with it; with *probe*, a session is made."""

    url: Origin
    config: SessionConfig | None
    probe: Sessions | None


@asynccontextmanager
async def reaching(url: Origin, config: SessionConfig | None, probe: Sessions | None) -> AsyncIterator[Reached]:
    """Give what is at *url*. Raises `ConfigurationError` if a package that it takes is not installed."""
    yield Reached(url, config, probe)
