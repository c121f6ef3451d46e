"""What a proxy in front of a recipe's application has to let through, asked of a real one."""

from __future__ import annotations

import ssl
from pathlib import Path

import httpx2
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.frames import Close
from websockets.sync.client import connect

from tests.browser.waiting import PATIENCE
from tests.pages import examples_of
from tests.recipes.serving import PORT, commands_of
from tests.wire import ACCESS_COOKIE, AUTH_MODE

PAGE = "docs/recipes/behind-nginx.md"
"""The page of the application, which is the same behind every proxy."""
*SETTINGS, COMMAND = commands_of(PAGE)
ENVIRONMENT = dict(setting.removeprefix("export ").split("=", 1) for setting in SETTINGS)
ELSEWHERE = {"x-forwarded-for": "203.0.113.9"}
"""What a client says that wants to have come from elsewhere."""


def see_all_pass(origin: str, *, certificate: Path) -> None:
    """Sign in, be known with one's address, refresh, open a socket and sign out, by the paths and cookies of a browser.

    The proxy is at *origin*, and has a page as its root.
    """
    trusted = ssl.create_default_context(cafile=certificate)
    with httpx2.Client(base_url=origin, verify=trusted, trust_env=False, timeout=PATIENCE) as client:
        assert "<title>A page</title>" == client.get("/").text
        assert 401 == client.get("/api/where").status_code
        signed_in = client.post("/api/login", headers={AUTH_MODE: "cookie", **ELSEWHERE})
        assert 200 == signed_in.status_code, signed_in.text
        assert [True, True] == ["Secure" in cookie for cookie in signed_in.headers.get_list("set-cookie")]
        assert ["127.0.0.1"] == client.get("/api/where").json()
        assert 200 == client.post("/api/auth/session/refresh").status_code
        assert [{"url": "/api"}] == client.get("/api/openapi.json").json()["servers"]
        cookies = {"cookie": f"{ACCESS_COOKIE}={client.cookies[ACCESS_COOKIE]}", "origin": "https://example.com"}
        with connect(
            origin.replace("https", "wss") + "/api/live", ssl=trusted, additional_headers=cookies, proxy=None
        ) as socket:
            socket.send("hello")
            assert "ada: hello" == socket.recv()
            assert 200 == client.post("/api/auth/signout").status_code
            with pytest.raises(ConnectionClosed) as closed:
                socket.recv()
        assert Close(3000, "unauthorised") == closed.value.rcvd
        assert 401 == client.get("/api/where").status_code


def servers_of_recipe(folder: Path, *, certified: tuple[Path, Path], own: int, application: int) -> str:
    """The configuration of nginx that the page has, at the port *own*, with a certificate and its key, before that of *application*."""
    servers = examples_of(PAGE, "nginx")[0]
    for here, there in {
        "443": f"127.0.0.1:{own}",
        "/etc/letsencrypt/live/example.com/fullchain.pem": str(certified[0]),
        "/etc/letsencrypt/live/example.com/privkey.pem": str(certified[1]),
        "/srv/pages": str(folder),
        PORT: str(application),
    }.items():
        assert servers.count(here) == 1
        servers = servers.replace(here, there)
    return servers


def write_a_page(folder: Path) -> None:
    """Write the page that a proxy serves itself."""
    (folder / "index.html").write_text("<title>A page</title>", "utf-8")
