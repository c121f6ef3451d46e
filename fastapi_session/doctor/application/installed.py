"""What the checks of an application look at."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import FastAPI

from fastapi_session.config import SessionConfig
from fastapi_session.sessions import Sessions
from fastapi_session.web.installed import engine_of


@dataclass(frozen=True, slots=True)
class Installed:
    """The configuration of a deployment, and its application unless only the environment or the engine is known."""

    config: SessionConfig
    app: FastAPI | None = None


def installed_in(named: object) -> Installed | None:
    """Return what is installed in the application or the `Sessions` that is *named*, `None` if nothing is."""
    engine = named if isinstance(named, Sessions) else engine_of(named)
    if engine is None:
        return None
    return Installed(engine.config, named if isinstance(named, FastAPI) else None)
