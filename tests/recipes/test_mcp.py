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
    return await told(client, page.TOOLS, "whoami")


async def told(client: httpx2.AsyncClient, address: str, tool: str) -> str:
    transport = streamable_http.streamable_http_client(address, http_client=client)
    async with mcp.Client(transport) as agent:
        result = await agent.call_tool(tool, {})
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


async def test_an_agent_of_the_application(page: ModuleType) -> None:
    """Its token opens the tools, and no route."""
    async with page.app.router.lifespan_context(page.app), calling(page) as browser:
        access_token = (await browser.post("/login", headers={AUTH_MODE: "header"})).headers[ACCESS_HEADER]
        token = (await browser.post("/ask", headers={"authorization": f"Bearer {access_token}"})).json()
        async with calling(page, authorization=f"Bearer {token}") as client:
            assert "ada" == await whoami(client, page)
            assert 401 == (await client.post("/ask")).status_code


async def test_a_program_with_a_session(page: ModuleType) -> None:
    """An access token opens the guarded tools, which know whose it is; a token for other tools does not, and neither does none."""
    async with page.app.router.lifespan_context(page.app), calling(page) as browser:
        access_token = (await browser.post("/login", headers={AUTH_MODE: "header"})).headers[ACCESS_HEADER]
        signed_in = {"authorization": f"Bearer {access_token}"}
        token = (await browser.post("/ask", headers=signed_in)).json()
        async with calling(page, **signed_in) as client:
            assert "ada" == await told(client, "http://localhost:8000/notes/", "owner")
        others = [{}, {"authorization": f"Bearer {token}"}]
        refused = [await browser.post("/notes/", json=ASKED, headers=JSON | each) for each in others]
        await browser.post(SIGN_OUT_PATH, headers=signed_in)
        refused.append(await browser.post("/notes/", json=ASKED, headers=JSON | signed_in))

    assert [401, 401, 401] == [each.status_code for each in refused]
