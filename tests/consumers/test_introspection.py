"""Clients of introspection and revocation as they were published: they find the endpoints, ask, and end a session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from authlib.integrations.httpx_client import OAuth2Client

from fastapi_session import SessionConfig, Sessions, introspection_router
from tests.browser.server import Server, serve
from tests.consumers.packages import node
from tests.web.deployment import application
from tests.wire import ACCESS_HEADER, AUTH_MODE, REFRESH_HEADER

ID = "reports-2.of_all~"
SECRET = "uq-NZ0q5Yv_3nJ8.xW1kLm~Rb7Ha2sDf4GpQeC9uViOo6w"
"""Of both every character that is not a letter or a digit: some clients encode it, and others do not."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    def build(origin: str) -> Any:
        config = SessionConfig(store=f"sqlite:///{tmp_path / 'sessions.db'}", api_domain=origin)
        app = application(Sessions(config))
        app.include_router(introspection_router({ID: SECRET}, claims=["plan"]))
        return app

    with serve(build, host="127.0.0.1") as server:
        yield server


@pytest.fixture
def tokens(server: Server) -> tuple[str, str]:
    """The access and the refresh token of a new session of the user "ada"."""
    signed_in = httpx.post(f"{server.origin}/login?user_id=ada", headers={AUTH_MODE: "header"})
    return signed_in.headers[ACCESS_HEADER], signed_in.headers[REFRESH_HEADER]


def test_oauth4webapi(server: Server, tokens: tuple[str, str]) -> None:
    """It finds both endpoints by discovery, is told by the secret that it encodes, and is refused as it understands."""
    told = node("introspection.mjs", server.origin, ID, SECRET, *tokens, package="oauth4webapi")
    active = told.pop("active")

    assert (True, "ada", "Bearer", "pro", f"{server.origin}/auth") == tuple(
        active[name] for name in ("active", "sub", "token_type", "plan", "iss")
    )
    inactive = {"active": False}
    challenged = ["WWWAuthenticateChallengeError", 401, "basic"]
    assert {
        "refresh": inactive,
        "garbage": inactive,
        "wrong": challenged,
        "nobody": challenged,
        "post": challenged,
        "revoked": [True, True, True],
        "after": inactive,
    } == told


def test_authlib(server: Server, tokens: tuple[str, str]) -> None:
    """It sends id and secret as they are, and its hints; what it asks about is active until it revokes that."""
    access, refresh = tokens
    known = httpx.get(f"{server.origin}/auth/.well-known/openid-configuration").json()
    with OAuth2Client(ID, SECRET) as client, OAuth2Client(ID, SECRET[::-1]) as stranger:
        asked, revoked = known["introspection_endpoint"], known["revocation_endpoint"]
        before = client.introspect_token(asked, token=access, token_type_hint="access_token").json()
        refused = stranger.introspect_token(asked, token=access)
        statuses = [
            client.revoke_token(revoked, token=refresh, token_type_hint="refresh_token").status_code for _ in "ab"
        ]
        after = client.introspect_token(asked, token=access).json()

    assert ("ada", "pro") == (before["sub"], before["plan"])
    assert (401, "invalid_client") == (refused.status_code, refused.json()["error"])
    assert ([200, 200], {"active": False}) == (statuses, after)
