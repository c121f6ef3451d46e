"""Streams of a guarded application on a real server: each ends with its session, and anything else is sent to its end."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from fastapi_session import Sessions, guarded, verify_session
from fastapi_session.engine.tokens.issuing import IssuedSession
from fastapi_session.testing import HandClock
from fastapi_session.web import session_watch
from fastapi_session.web.streams import STREAMS
from tests.engines import engine
from tests.moments import HOUR
from tests.web.socket_app import Role, Served, bearer, handle, serving, socket_app, until

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
    """An application that guards another one's streams."""
    app = socket_app(sessions)
    app.state.go_on = asyncio.Event()
    routes = {"/stream": _stream, "/file": _file, "/background": _background, "/sign-out": _sign_out}
    inner = Starlette(routes=[Route(path, endpoint) for path, endpoint in routes.items()])
    inner.state = app.state
    app.mount("/inner", guarded(inner, verify_session()))
    app.mount("/admins", guarded(inner, verify_session(Role.includes("admin"))))
    app.mount("/stubborn", guarded(_stubborn, verify_session()))
    return app


async def _ticks(seen: list[str], *, pause: float) -> AsyncIterator[str]:
    try:
        while True:
            yield EVENT
            await asyncio.sleep(pause)
    finally:
        seen.append("closed")


async def _stream(request: Request) -> StreamingResponse:
    kind = request.query_params.get("type", "text/event-stream")
    pause = float(request.query_params.get("pause", "600"))
    return StreamingResponse(_ticks(request.app.state.seen, pause=pause), media_type=kind)


async def _file(request: Request) -> StreamingResponse:
    async def whole() -> AsyncIterator[str]:
        yield "one "
        await request.app.state.go_on.wait()
        yield "two"

    return StreamingResponse(whole(), media_type="text/plain")


async def _background(request: Request) -> PlainTextResponse:
    async def later() -> None:
        await request.app.state.go_on.wait()
        request.app.state.seen.append("done")

    return PlainTextResponse("x", media_type="text/event-stream", background=BackgroundTask(later))


async def _sign_out(request: Request) -> StreamingResponse:
    async def bye() -> AsyncIterator[str]:
        yield "bye"

    await request.state.session.revoke()
    return StreamingResponse(bye(), media_type="text/plain")


async def _stubborn(scope: Scope, _receive: Receive, send: Send) -> None:
    """Send, whatever happens."""
    seen: list[str] = scope["app"].state.seen
    await send({"type": "http.response.start", "status": 200, "headers": [(b"Content-Type", b"text/event-stream")]})
    while True:
        try:
            await send({"type": "http.response.body", "body": EVENT.encode(), "more_body": True})
            await asyncio.sleep(0.001)
        except asyncio.CancelledError:
            seen.append("cancelled")
        except OSError:
            seen.append("refused")
            raise


@pytest.mark.parametrize("pause", ["0.005", "600"])
@pytest.mark.parametrize("kind", sorted(each.decode() for each in STREAMS))
async def test_a_stream_ends_when_its_session_is_revoked(
    kind: str, pause: str, served: Served, ada: IssuedSession
) -> None:
    """A revoked session ends its stream, between two events and while it waits for one, as a complete response."""
    path, asked = "/inner/stream", {"type": f"{kind}; boundary=x", "pause": pause}
    async with (
        served.client() as client,
        client.stream("GET", path, params=asked, headers=bearer(ada.tokens)) as response,
    ):
        lines = response.aiter_lines()
        assert "data: tick" == await anext(lines)
        await served.sessions.revoke(handle(ada))
        async with asyncio.timeout(10):
            assert {"data: tick", ""} >= {line async for line in lines}

    # Starlette leaves an iterator to the garbage collector if it could not send what that yielded.
    await until(lambda: (gc.collect(), served.app.state.seen)[1])
    assert ["closed"] == served.app.state.seen


async def test_a_stream_ends_with_the_role_that_it_asked_for(served: Served, ada: IssuedSession) -> None:
    """A role that is taken ends the streams of a guard that asks for it, and a change that leaves it does not."""
    async with (
        served.client() as client,
        client.stream("GET", "/admins/stream", headers=bearer(ada.tokens)) as response,
    ):
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
    async with served.client() as client, client.stream("GET", "/inner/stream", headers=bearer(ada.tokens)) as response:
        lines = response.aiter_lines()
        assert "data: tick" == await anext(lines)
        clock.advance(HOUR)
        async with asyncio.timeout(10):
            assert [""] == [line async for line in lines]


async def test_an_application_that_does_not_give_up(served: Served, ada: IssuedSession) -> None:
    """What an application sends after the end reaches nobody."""
    async with served.client() as client, client.stream("GET", "/stubborn/", headers=bearer(ada.tokens)) as response:
        lines = response.aiter_lines()
        assert "data: tick" == await anext(lines)
        await served.sessions.revoke(handle(ada))
        async with asyncio.timeout(10):
            assert {"data: tick", ""} >= {line async for line in lines}
    await until(lambda: "refused" in served.app.state.seen)


async def test_a_client_that_leaves(served: Served, ada: IssuedSession) -> None:
    """A client that goes leaves no task behind."""
    async with served.client() as client, client.stream("GET", "/inner/stream", headers=bearer(ada.tokens)) as response:
        await anext(response.aiter_raw())
    await until(lambda: served.app.state.seen)

    assert ["closed"] == served.app.state.seen


async def test_a_file_is_sent_to_its_end(served: Served, ada: IssuedSession) -> None:
    """What is no stream is sent whole: half a file looks like a whole one."""
    async with served.client() as client, client.stream("GET", "/inner/file", headers=bearer(ada.tokens)) as response:
        texts = response.aiter_text()
        assert "one " == await anext(texts)
        await served.sessions.revoke(handle(ada))
        served.app.state.go_on.set()
        assert ["two"] == [text async for text in texts]


async def test_a_sign_out_in_the_application(served: Served, ada: IssuedSession) -> None:
    """An application that ends the session itself responds to that, and the tokens are cleared."""
    async with served.client() as client:
        response = await client.get("/inner/sign-out", headers=bearer(ada.tokens))

    assert (200, "bye", "remove") == (response.status_code, response.text, response.headers["front-token"])


async def test_what_goes_on_in_the_background(served: Served, ada: IssuedSession) -> None:
    """Once the response has been sent, the application goes on whatever becomes of the session."""
    async with served.client() as client:
        assert "x" == (await client.get("/inner/background", headers=bearer(ada.tokens))).text
        await served.sessions.revoke(handle(ada))
        await asyncio.sleep(0.05)
        served.app.state.go_on.set()
        await until(lambda: served.app.state.seen)

    assert ["done"] == served.app.state.seen
