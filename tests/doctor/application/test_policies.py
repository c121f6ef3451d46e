"""Choices of which an operator should know what follows."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, FastAPI
from fastapi.staticfiles import StaticFiles

from fastapi_session import (
    CreateSession,
    MemoryStore,
    Rule,
    SessionKind,
    create_session,
    forward_auth_router,
    guarded,
    session_router,
    verify_session,
)
from tests.doctor.deployments import Found, bare, configured, found_in, healthy, settings_found


def test_sessions_in_memory() -> None:
    """A store in memory, of an API by https, is FS091; of this machine it is not, by https neither."""
    seen = [("FS091", "a MemoryStore, for https://api.example.com")]
    local = "http://localhost:8000"

    assert seen == settings_found(store="memory:")
    assert seen == settings_found(store=MemoryStore())
    assert [] == settings_found(store="memory:", api_domain=local, website_domain=local)
    secure = "https://localhost:8443"
    assert [] == settings_found(store="memory:", api_domain=secure, website_domain=secure)
    assert [] == settings_found(store="postgresql+asyncpg://app@localhost/app")


def test_sessions_without_an_end() -> None:
    """Sessions that live as long as they are used are FS092."""
    seen = [("FS092", "idle_timeout is 9 days")]

    assert seen == settings_found(absolute_timeout=None, idle_timeout=timedelta(days=9))


def test_sessions_that_others_have_ended() -> None:
    """Where no reading of the feed is too old, it is FS094."""
    assert [("FS094", "access_token_validity is 1 hour")] == settings_found(revocation_feed_max_age=None)


def test_tokens_that_live_long() -> None:
    """Access tokens that live for more than a day, of all sessions or of a kind, are FS095."""
    kinds = {"phone": SessionKind(access_token_validity=timedelta(days=30))}

    assert [("FS095", "access_token_validity is 2 days")] == settings_found(access_token_validity=timedelta(days=2))
    assert [("FS095", "access_token_validity is 30 days")] == settings_found(kinds=kinds)
    assert [] == settings_found(access_token_validity=timedelta(days=1))


def beginning(**options: Any) -> FastAPI:
    """An application in which sessions begin and end, and that asks for none."""
    app = bare(**options)
    app.include_router(session_router())

    @app.post("/login")
    async def _login(create: Annotated[CreateSession, Depends(create_session())]) -> None:
        await create("ada")

    return app


def found(app: FastAPI, **options: Any) -> Found:
    return found_in(configured(**options), app)


def test_sessions_that_nobody_verifies() -> None:
    """Where sessions begin and no route asks for one, others verify them, and a lost response must not be recovered, FS093."""
    strict = {"lost_response_recovery": False}

    assert [("FS093", "lost_response_recovery is on")] == found(beginning())
    assert [] == found(beginning(**strict), **strict)
    assert [] == found(healthy())


def test_sessions_that_a_guard_verifies(tmp_path: Path) -> None:
    """A mounted application behind a guard asks for sessions too."""
    app = beginning()
    app.mount("/files", guarded(StaticFiles(directory=tmp_path), verify_session()))

    assert [] == found(app)


def test_sessions_that_a_proxy_asks_about() -> None:
    """Where a proxy asks about each request, it is learnt there that a token arrived."""
    app = beginning()
    app.include_router(forward_auth_router([Rule("/", verify_session())], proxy="nginx", trusted_proxies=["10.0.0.1"]))

    assert [] == found(app)
