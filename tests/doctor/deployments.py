"""A deployment in which nothing is wrong, and what the doctor says of one in which something is."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Annotated, Any

from fastapi import Depends, FastAPI

from fastapi_session import (
    CreateSession,
    Session,
    SessionConfig,
    create_session,
    install,
    session_router,
    verify_session,
)
from fastapi_session.doctor import Finding
from fastapi_session.doctor.application.findings import application_findings
from fastapi_session.doctor.application.installed import Installed
from tests.engines import SECRET

API = "https://api.example.com"
WEBSITE = "https://www.example.com"

HEALTHY: dict[str, Any] = {
    "api_domain": API,
    "website_domain": API,
    "secret": SECRET,
    "store": "sqlite:///sessions.db",
    "absolute_timeout": timedelta(days=365),
    "revocation_feed_max_age": timedelta(seconds=30),
}
"""Settings of which there is nothing to say, not even a remark."""

Found = list[tuple[str, str]]
"""The ids of what was found, each with what was seen."""


def configured(**options: Any) -> SessionConfig:
    """Those settings, but for *options*; what is `None` there is left out."""
    given = {**HEALTHY, **options}
    return SessionConfig(**{name: value for name, value in given.items() if value is not None})


def bare(**options: Any) -> FastAPI:
    """An application with sessions, and nothing else."""
    app = FastAPI()
    install(app, configured(**options))
    return app


def healthy(**options: Any) -> FastAPI:
    """An application in which users sign in, and stay so."""
    app = bare(**options)
    app.include_router(session_router())

    @app.post("/login")
    async def _login(create: Annotated[CreateSession, Depends(create_session())]) -> None:
        await create("ada")

    @app.get("/me")
    async def _me(session: Annotated[Session, Depends(verify_session())]) -> str:
        return session.user_id

    return app


def listed(findings: Iterable[Finding]) -> Found:
    """*findings* by their ids."""
    return [(each.check.id, each.seen) for each in findings]


def found_in(config: SessionConfig, app: FastAPI | None = None) -> Found:
    """What is wrong with *config*, and with *app* if there is one."""
    return listed(application_findings(Installed(config, app)))


def settings_found(**options: Any) -> Found:
    """What is wrong with the settings alone, which are healthy but for *options*."""
    return found_in(configured(**options))
