"""A deployment on a file in the working directory, as a command finds it there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import pytest

from fastapi_session import SessionConfig, Sessions
from fastapi_session.clock import system_clock

SECRET = "the-secret-of-the-deployment-of-a-command-0001"
STORE = "sqlite:///sessions.db"

T = TypeVar("T")


def configured(monkeypatch: pytest.MonkeyPatch, folder: Path, **settings: str) -> None:
    """Let the environment configure a deployment in *folder*, with audit."""
    monkeypatch.chdir(folder)
    given = {"STORE": STORE, "SECRET": SECRET, "AUDIT": "true", **settings}
    for name, value in given.items():
        monkeypatch.setenv(f"FASTAPI_SESSION_{name}", value)


def in_application(do: Callable[[Sessions], Awaitable[T]], *, ago: timedelta = timedelta(0)) -> T:
    """Return what *do* returns with the sessions of the deployment: its application, in this process, some time *ago*."""

    async def run() -> T:
        sessions = Sessions(SessionConfig(), clock=lambda: system_clock() - ago // timedelta(milliseconds=1))
        await sessions.open()
        try:
            return await do(sessions)
        finally:
            await sessions.close()

    return asyncio.run(run())


def signed_in(*users: str, tenant_id: str = "public", ago: timedelta = timedelta(0)) -> list[str]:
    """Sign *users* in, some time *ago*, and return the handles of their sessions."""

    async def create(sessions: Sessions) -> list[str]:
        return [(await sessions.create(user, tenant_id=tenant_id)).access_token.session_handle for user in users]

    return in_application(create, ago=ago)


def handles_of(user: str) -> list[str]:
    """Return the handles of the sessions of *user* that are alive, of every tenant."""

    async def look(sessions: Sessions) -> list[str]:
        return [each.handle for each in await sessions.of_user(user)]

    return in_application(look)
