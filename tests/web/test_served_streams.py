"""Event streams on a real server: each ends with its session, and leaves nothing behind however it ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse

from fastapi_session import Sessions
from fastapi_session.engine.tokens.issuing import IssuedSession
from fastapi_session.testing import HandClock
from fastapi_session.web import session_watch
from tests.engines import engine
from tests.moments import HOUR
from tests.web.deployment import Verified
from tests.web.socket_app import Admin, Role, Served, bearer, handle, serving, socket_app, until

EVENT = "data: tick\n\n"


@pytest.fixture
def sessions(clock: HandClock) -> Sessions:
    return engine(clock, access_token_validity=HOUR, access_token_validity_jitter=0)


@pytest.fixture
async def served(sessions: Sessions, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Served]:
    """Streams on a real server, which in the end has nothing left and has logged no error."""
    async with serving(_application(sessions), sessions) as served:
        yield served
    assert [] == [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.fixture
async def ada(sessions: Sessions) -> IssuedSession:
    return await sessions.create("ada")


def _application(sessions: Sessions) -> FastAPI:
    app = socket_app(sessions)

    async def ticks(text: str, *, pause: float) -> AsyncIterator[str]:
        try:
            async with asyncio.timeout(600):  # what may only be left in the task that entered it
                while True:
                    yield text
                    await asyncio.sleep(pause)
        finally:
            app.state.seen.append("closed")

    @app.get("/ticks")
    async def route(session: Verified) -> StreamingResponse:
        return StreamingResponse(session.while_alive(ticks(EVENT, pause=0.005)), media_type="text/event-stream")

    @app.get("/waiting")
    async def waiting(session: Verified) -> StreamingResponse:
        return StreamingResponse(session.while_alive(ticks(EVENT, pause=600)), media_type="text/event-stream")

    @app.get("/admin-ticks")
    async def admin(session: Admin) -> StreamingResponse:
        return StreamingResponse(session.while_alive(ticks(EVENT, pause=600)), media_type="text/event-stream")

    @app.get("/flood")
    async def flood(session: Verified) -> StreamingResponse:
        return StreamingResponse(session.while_alive(ticks("x" * 1_000_000, pause=0)))

    return app


@pytest.mark.parametrize("path", ["/ticks", "/waiting"])
async def test_a_stream_ends_when_its_session_is_revoked(path: str, served: Served, ada: IssuedSession) -> None:
    """A revoked session ends its stream, between two events and while it waits for one, as a complete response."""
    async with served.client() as client, client.stream("GET", path, headers=bearer(ada.tokens)) as response:
        lines = response.aiter_lines()
        assert "data: tick" == await anext(lines)
        await served.sessions.revoke(handle(ada))
        async with asyncio.timeout(10):
            assert {"data: tick", ""} >= {line async for line in lines}

    assert ["closed"] == served.app.state.seen


async def test_a_stream_ends_with_the_role_that_it_asked_for(served: Served, ada: IssuedSession) -> None:
    """A role that is taken ends the streams of routes that ask for it, and a change that leaves it does not."""
    async with served.client() as client, client.stream("GET", "/admin-ticks", headers=bearer(ada.tokens)) as response:
        lines = response.aiter_lines()
        assert "data: tick" == await anext(lines)
        await served.sessions.set_claim_value(handle(ada), Role, ["admin", "editor"])
        await asyncio.sleep(0.05)
        assert [] == served.app.state.seen
        await served.sessions.set_claim_value(handle(ada), Role, ["editor"])
        async with asyncio.timeout(10):
            assert {""} >= {line async for line in lines}

    assert ["closed"] == served.app.state.seen


async def test_a_stream_ends_with_its_access_token(
    served: Served, ada: IssuedSession, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the access token ends so does the stream; the browser asks for it again with a new one."""
    monkeypatch.setattr(session_watch, "LONGEST_WAIT", 0.01)
    async with served.client() as client, client.stream("GET", "/waiting", headers=bearer(ada.tokens)) as response:
        lines = response.aiter_lines()
        assert "data: tick" == await anext(lines)
        clock.advance(HOUR)
        async with asyncio.timeout(10):
            assert [""] == [line async for line in lines]

    assert ["closed"] == served.app.state.seen


@pytest.mark.parametrize("path", ["/ticks", "/waiting", "/flood"])
async def test_a_client_that_leaves_ends_its_stream(path: str, served: Served, ada: IssuedSession) -> None:
    """A client that goes, while the stream waits or while the server waits for the client, leaves no task behind."""
    async with served.client() as client, client.stream("GET", path, headers=bearer(ada.tokens)) as response:
        await anext(response.aiter_raw())
    await until(lambda: served.app.state.seen)

    assert ["closed"] == served.app.state.seen
