"""What an nginx in front does with the responses: it gives nobody another user's page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pytest
from fastapi import Depends, FastAPI, Response
from httpx2 import Client

from fastapi_session import Session, verify_session
from fastapi_session.testing import HandClock
from tests.browser.server import serve
from tests.engines import engine
from tests.web.deployment import application
from tests.web.nginx import behind_nginx
from tests.web.wire import Held
from tests.wire import AUTH_MODE

CACHING = ("proxy_cache pages;", "proxy_cache_valid 200 1m;", "add_header x-cache $upstream_cache_status;")
"""A cache as tutorials set it up: what does not say otherwise is kept for a minute."""


def pages(_origin: str) -> FastAPI:
    """An application with a page for who is signed in, one for anybody, and one that is the same for all."""
    app = application(engine(HandClock()))

    @app.get("/anybody")
    async def anybody(session: Annotated[Session | None, Depends(verify_session(session_required=False))]) -> str:
        return session.user_id if session else "nobody"

    @app.get("/public")
    async def public(session: Annotated[Session | None, Depends(verify_session(session_required=False))]) -> Response:
        return Response(session.user_id if session else "nobody", headers={"cache-control": "public, max-age=60"})

    @app.get("/same")
    async def same() -> str:
        return "all"

    return app


def login(client: Client, user_id: str, method: str) -> dict[str, str]:
    """Sign in, and return the headers of a call."""
    response = client.post(f"/login?user_id={user_id}", headers={AUTH_MODE: method})
    assert 200 == response.status_code
    client.cookies.clear()
    return Held.of(response, method).to_call()


@pytest.mark.parametrize("method", ["cookie", "header"])
@pytest.mark.parametrize("path", ["/me", "/anybody", "/public"])
def test_a_shared_cache_mixes_no_users(path: str, method: str, tmp_path: Path) -> None:
    """Behind a cache that keeps whatever it may, each user gets their own page, and who is not signed in none of theirs."""
    with serve(pages) as server, behind_nginx(server.origin, *CACHING, folder=tmp_path) as client:
        ada, bob = login(client, "ada", method), login(client, "bob", method)
        told = [client.get(path, headers=who).text for who in (ada, bob, {}, ada)]

    assert [("ada" in text, "bob" in text) for text in told] == [
        (True, False),
        (False, True),
        (False, False),
        (True, False),
    ]


def test_a_shared_cache_keeps_what_is_the_same_for_all(tmp_path: Path) -> None:
    """A response in which no session had a part is cached as ever."""
    with serve(pages) as server, behind_nginx(server.origin, *CACHING, folder=tmp_path) as client:
        ada = login(client, "ada", "cookie")
        seen = [client.get("/same", headers=who).headers["x-cache"] for who in (ada, {}, ada)]

    assert ["MISS", "HIT", "HIT"] == seen
