"""An agent with a token of its user calls the tools, by the client of the SDK."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import ModuleType
from typing import Any

import httpx2
import pytest

from tests.wire import ACCESS_HEADER, AUTH_MODE, SIGN_OUT_PATH

mcp = pytest.importorskip("mcp")
streamable_http = pytest.importorskip("mcp.client.streamable_http")

ASKED = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
JSON = {"accept": "application/json, text/event-stream"}


@asynccontextmanager
async def calling(page: ModuleType, **headers: str) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the page's application, with *headers* in each call."""
    transport = httpx2.ASGITransport(app=page.app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost:8000", headers=headers) as client:
        yield client


async def whoami(client: httpx2.AsyncClient, page: ModuleType) -> str:
    """What the tool tells an agent that calls by *client*."""
    transport = streamable_http.streamable_http_client(page.TOOLS, http_client=client)
    async with mcp.Client(transport) as agent:
        result = await agent.call_tool("whoami", {})
    content: Any = result.content[0]
    return str(content.text)


async def test_an_agent_acts_for_its_user(page: ModuleType) -> None:
    """Its token opens the tools as long as the session lasts, and no route; an access token opens no tool."""
    async with page.app.router.lifespan_context(page.app), calling(page) as browser:
        access_token = (await browser.post("/login", headers={AUTH_MODE: "header"})).headers[ACCESS_HEADER]
        signed_in = {"authorization": f"Bearer {access_token}"}
        token = (await browser.post("/agent-token", headers=signed_in)).json()
        async with calling(page, authorization=f"Bearer {token}") as client:
            assert "ada" == await whoami(client, page)
            assert 401 == (await client.post("/agent-token")).status_code
            assert 401 == (await browser.post("/mcp", json=ASKED, headers=JSON | signed_in)).status_code
            assert 401 == (await browser.post("/mcp", json=ASKED, headers=JSON)).status_code
            await browser.post(SIGN_OUT_PATH, headers=signed_in)
            refused = await client.post("/mcp", json=ASKED, headers=JSON)

    assert (401, "invalid_token") == (refused.status_code, refused.json()["error"])
