"""A client of Socket.IO at the page's application on a real server."""

from __future__ import annotations

import asyncio
from types import ModuleType

import httpx2
import pytest

from tests.browser.server import serve
from tests.browser.waiting import PATIENCE
from tests.wire import ACCESS_HEADER, AUTH_MODE, SIGN_OUT_PATH

socketio = pytest.importorskip("socketio")
aiohttp = pytest.importorskip("aiohttp")


async def refusal(origin: str, **headers: str) -> object:
    """What a client with *headers* is told that is not let in."""
    told: list[object] = []
    client = socketio.AsyncClient(reconnection=False)
    client.on("connect_error", told.append)
    with pytest.raises(socketio.exceptions.ConnectionError):
        await client.connect(origin, headers=headers, transports=["websocket"])
    return told[0]


async def test_a_socket_needs_a_session_and_ends_with_it(page: ModuleType) -> None:
    """Without a session the connection is refused with the reason; with one it goes on until its user signs out."""
    with serve(lambda _origin: page.app) as served:
        async with httpx2.AsyncClient(base_url=served.origin, trust_env=False) as browser:
            assert {"message": "unauthorised"} == await refusal(served.origin)

            token = (await browser.post("/login", headers={AUTH_MODE: "header"})).headers[ACCESS_HEADER]
            signed_in = {"authorization": f"Bearer {token}"}
            ada, gone = socketio.AsyncClient(reconnection=False), asyncio.Event()
            ada.on("disconnect", lambda _reason: gone.set())
            await ada.connect(served.origin, headers=signed_in, transports=["websocket"])
            assert "ada: hello" == await ada.call("say", "hello")
            assert 200 == (await browser.post(SIGN_OUT_PATH, headers=signed_in)).status_code
            await asyncio.wait_for(gone.wait(), PATIENCE)
            assert {"message": "unauthorised"} == await refusal(served.origin, **signed_in)


@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_a_guard(transport: str, page: ModuleType) -> None:
    """Whatever the transport, nobody without a session is let in; who is let in has it, until its end."""
    with serve(lambda _origin: page.app) as served:
        async with httpx2.AsyncClient(base_url=served.origin, trust_env=False) as browser:
            token = (await browser.post("/login", headers={AUTH_MODE: "header"})).headers[ACCESS_HEADER]
            signed_in = {"authorization": f"Bearer {token}"}
            options = {"transports": [transport], "socketio_path": "rooms"}
            async with aiohttp.ClientSession() as nobody, aiohttp.ClientSession(headers=signed_in) as somebody:
                stranger = socketio.AsyncClient(reconnection=False, http_session=nobody)
                ada, gone = socketio.AsyncClient(reconnection=False, http_session=somebody), asyncio.Event()
                ada.on("disconnect", lambda _reason: gone.set())
                with pytest.raises(socketio.exceptions.ConnectionError):
                    await stranger.connect(served.origin, **options)
                await ada.connect(served.origin, **options)
                assert "ada: hello" == await ada.call("say", "hello")
                assert 200 == (await browser.post(SIGN_OUT_PATH, headers=signed_in)).status_code
                if transport == "polling":  # whose next request is refused
                    await ada.emit("say", "hello")
                await asyncio.wait_for(gone.wait(), PATIENCE)
