"""A route that signs in within its own transaction: tokens leave only if that has committed, and good cookies are never lost."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, HTTPException, Request
from httpx2 import ASGITransport, AsyncClient, Response
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from fastapi_session import (
    CreateSession,
    Session,
    SessionConfig,
    Sessions,
    create_session,
    get_session_from_request,
    install,
    verify_session,
)
from fastapi_session.stores.sql import SqlStore
from fastapi_session.testing import HandClock
from tests.web.wire import KEPT, NEW, Held, change
from tests.wire import AUTH_MODE

Create = Annotated[CreateSession, Depends(create_session())]
PROOF = {"rid": "anti-csrf"}


def engine_of(request: Request) -> AsyncEngine:
    engine: AsyncEngine = request.app.state.engine
    return engine


async def after_the_body(request: Request) -> AsyncIterator[AsyncConnection]:
    async with engine_of(request).begin() as connection:
        yield connection


async def failing(request: Request) -> AsyncIterator[AsyncConnection]:
    async with engine_of(request).connect() as connection:
        yield connection
        await connection.rollback()
        raise LookupError


async def login(create: Create) -> None:
    await create("ada")


async def me(session: Annotated[Session, Depends(verify_session())]) -> str:
    return session.user_id


async def committed(request: Request, create: Create) -> None:
    async with engine_of(request).begin() as connection:
        await create("grace", within=connection)


async def http_exception(request: Request, create: Create) -> None:
    async with engine_of(request).begin() as connection:
        await create("grace", within=connection)
        raise HTTPException(409)


async def commit_refused(request: Request, create: Create) -> None:
    async with engine_of(request).connect() as connection:
        if connection.dialect.name == "sqlite":
            await connection.exec_driver_sql("PRAGMA foreign_keys = ON")
        await connection.exec_driver_sql("CREATE TABLE team (id INTEGER PRIMARY KEY)")
        await connection.exec_driver_sql(
            "CREATE TABLE member (team INTEGER REFERENCES team (id) DEFERRABLE INITIALLY DEFERRED)"
        )
        await connection.commit()
        await connection.exec_driver_sql("INSERT INTO member VALUES (1)")
        await create("grace", within=connection)
        await connection.commit()


async def savepoint(request: Request, create: Create) -> None:
    async with engine_of(request).begin() as connection:
        with suppress(LookupError):
            async with connection.begin_nested():
                await create("grace", within=connection)
                raise LookupError


async def savepoint_and_again(request: Request, create: Create) -> None:
    async with engine_of(request).begin() as connection:
        with suppress(LookupError):
            async with connection.begin_nested():
                await create("eve", within=connection)
                raise LookupError
        await create("grace", within=connection)


async def before(
    create: Create, connection: Annotated[AsyncConnection, Depends(after_the_body, scope="function")]
) -> None:
    await create("grace", within=connection)


async def after(create: Create, connection: Annotated[AsyncConnection, Depends(after_the_body)]) -> None:
    await create("grace", within=connection)


async def fails(create: Create, connection: Annotated[AsyncConnection, Depends(failing, scope="function")]) -> None:
    await create("grace", within=connection)


async def seen(request: Request, create: Create) -> list[str]:
    async with engine_of(request).begin() as connection:
        created = await create("grace", within=connection)
        await created.merge_into_access_token_payload({"role": "admin"})
        session = await get_session_from_request(request, check_database=True)
    return [session.user_id, (await session.information()).user_id, session.claims["role"]]


async def undone_and_used(request: Request, create: Create) -> None:
    async with engine_of(request).connect() as connection:
        session = await create("grace", within=connection)
        await connection.rollback()
    await session.information()


ROUTES: dict[str, Callable[..., Any]] = {
    "/login": login,
    "/me": me,
    "/committed": committed,
    "/http-exception": http_exception,
    "/commit-refused": commit_refused,
    "/savepoint": savepoint,
    "/savepoint-and-again": savepoint_and_again,
    "/dependency-before-the-response": before,
    "/dependency-after-the-body": after,
    "/dependency-that-fails": fails,
    "/seen-while-open": seen,
    "/undone-and-used": undone_and_used,
}
"""Every way in which the transaction of a sign-in may end."""


@pytest.fixture(params=["sqlite+aiosqlite", "postgresql+asyncpg"])
def driver(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
async def sessions(engine: AsyncEngine, clock: HandClock) -> AsyncIterator[Sessions]:
    config = SessionConfig(store=SqlStore(engine, clock=clock), secret="7Yp-a-secret-of-these-tests-alone-0x3")
    sessions = Sessions(config, clock=clock)
    await sessions.open()
    yield sessions
    await sessions.close()


@pytest.fixture
def app(sessions: Sessions, engine: AsyncEngine) -> FastAPI:
    app = FastAPI()
    install(app, sessions)
    app.state.engine = engine
    for path, route in ROUTES.items():
        app.add_api_route(path, route, methods=["GET" if path == "/me" else "POST"])
    return app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[AsyncClient]:
    transport = ASGITransport(app, raise_app_exceptions=False)
    async with AsyncClient(transport=transport, base_url="http://localhost:8000", headers=PROOF) as client:
        yield client


async def signed_in(client: AsyncClient) -> Held:
    return Held.of(await client.post("/login", headers={AUTH_MODE: "cookie"}), "cookie")


async def signs_in(client: AsyncClient, path: str) -> Response:
    return await client.post(path, headers={AUTH_MODE: "cookie"})


ENDS: list[tuple[str, int, dict[str, str], str]] = [
    ("/committed", 200, NEW["cookie"], "grace"),
    ("/http-exception", 409, KEPT, "ada"),
    ("/commit-refused", 500, KEPT, "ada"),
    ("/savepoint", 200, KEPT, "ada"),
    ("/savepoint-and-again", 200, NEW["cookie"], "grace"),
    ("/dependency-before-the-response", 200, NEW["cookie"], "grace"),
    ("/dependency-that-fails", 500, KEPT, "ada"),
    ("/undone-and-used", 401, KEPT, "ada"),
]


@pytest.mark.parametrize(("path", "status", "tokens", "user"), ENDS)
async def test_tokens_share_the_fate_of_the_transaction(
    path: str, status: int, tokens: dict[str, str], user: str, client: AsyncClient, sessions: Sessions
) -> None:
    """New tokens if it has committed, and otherwise the session of before goes on as if nothing had been."""
    await signed_in(client)
    response = await signs_in(client, path)

    assert (status, tokens) == (response.status_code, change(response))
    assert (200, user) == ((answer := await client.get("/me")).status_code, answer.json())
    assert [user] == [found.user_id for name in ("ada", "grace", "eve") for found in await sessions.of_user(name)]


async def test_a_commit_after_the_body(client: AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    """A response that starts before the commit carries no tokens, clears none, and the log names the fix, once."""
    await signed_in(client)
    with caplog.at_level(logging.ERROR, "fastapi_session"):
        response = await signs_in(client, "/dependency-after-the-body")

    assert (200, KEPT) == (response.status_code, change(response))
    assert 1 == len([record for record in caplog.records if 'scope="function"' in record.message])


async def test_the_new_session_in_the_same_request(client: AsyncClient) -> None:
    """While its transaction is open, verbs of the new session work, and verifying gives it instead of the old one."""
    await signed_in(client)
    response = await signs_in(client, "/seen-while-open")

    assert ["grace", "grace", "admin"] == response.json()
    assert NEW["cookie"] == change(response)
    assert "grace" == (await client.get("/me")).json()
