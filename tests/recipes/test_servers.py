"""What a client of each server is told of its WebSocket."""

from __future__ import annotations

import json
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import httpx2
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.browser.waiting import PATIENCE
from tests.pages import TEXTS
from tests.recipes.serving import serving, write_application
from tests.web.socket_app import closed
from tests.wire import ACCESS_COOKIE, AUTH_MODE, SIGN_OUT_PATH

PAGE = "docs/recipes/servers.md"
COMMANDS = re.findall(r"^\| .+ \| `(.+)` \|$", TEXTS[PAGE], re.MULTILINE)
TOLD = [line.strip("| ").split(" | ") for line in TEXTS[PAGE].splitlines() if re.match(r"\| [\w-]+ \d", line)]


def installed(package: str) -> str:
    """Return the version of *package*. Skips the test if it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        pytest.skip(f"{package} is not installed")


@pytest.mark.parametrize(
    ("command", "row"), [*zip(COMMANDS, TOLD, strict=True)], ids=[row[0].split()[0] for row in TOLD]
)
async def test_what_a_socket_is_told(command: str, row: list[str], tmp_path: Path) -> None:
    """Each server serves the page's application, refuses and ends its sockets, and tells as much as the table says."""
    package, _, measured = row[0].partition(" ")
    there = installed(package)
    write_application(PAGE, tmp_path)
    with serving(command, tmp_path) as port:
        told = await told_at(port)

    assert {"401", "403"} >= {each[:3] for each in told[:2]}
    assert "3000" == told[3][:4]
    if there != measured:
        pytest.skip(f"the table is of {row[0]}, and {there} is installed")
    assert row[1:] == told


async def told_at(port: int) -> list[str]:
    """Return the cells of the table for the server on *port*."""
    live = f"ws://127.0.0.1:{port}/live"
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=PATIENCE) as client:
        runs_lifespan = (await client.get("/health")).json()  # before anything is verified, which reads the feed too
        ada, bob = [await signed_in(client, user_id) for user_id in ("ada", "bob")]
        refusals = [await refusal(live, {}), await refusal(live, bob)]
        socket = await connect(live, additional_headers=ada, proxy=None)
        await socket.send("hello")
        assert "ada: hello" == await socket.recv()
        assert socket.response is not None
        has_headers = "set-cookie" in socket.response.headers
        await client.post(SIGN_OUT_PATH, headers=ada)
        code, reason = await closed(socket)
    return [
        *refusals,
        "sent" if has_headers else "lost",
        f"{code}, `{reason}`" if reason else f"{code}, no reason",
        "run" if runs_lifespan else "not run",
    ]


async def signed_in(client: httpx2.AsyncClient, user_id: str) -> dict[str, str]:
    """Return the headers of a browser in which that user has signed in."""
    response = await client.post("/login", params={"user_id": user_id}, headers={AUTH_MODE: "cookie"})
    token = response.cookies[ACCESS_COOKIE]
    client.cookies.clear()
    return {"cookie": f"{ACCESS_COOKIE}={token}"}


async def refusal(url: str, headers: dict[str, str]) -> str:
    """Return the status with which a socket is refused, and the message of the body."""
    with pytest.raises(InvalidStatus) as refused:
        await connect(url, additional_headers=headers, proxy=None)
    response = refused.value.response
    said: Any = json.loads(response.body or b"null")
    return f"{response.status_code}, `{said['message']}`" if said else f"{response.status_code}, no body"
