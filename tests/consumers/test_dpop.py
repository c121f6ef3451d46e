"""Clients of DPoP as they were published, by each algorithm, over a session's whole life and against a thief."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fastapi_session import SessionConfig, Sessions
from tests.browser.server import Server, serve
from tests.consumers.packages import node
from tests.web.deployment import application

CLIENTS = [
    *[("dpop", algorithm) for algorithm in ("ES256", "Ed25519", "PS256", "RS256")],
    ("jose", "EdDSA"),
    *[("oauth4webapi", algorithm) for algorithm in ("ES256", "Ed25519", "PS256", "RS256")],
]
THIEF = {
    "replay": [401, "invalid_dpop_proof"],
    "bearer": [401, "invalid_token"],
    "cookie": 401,
    "stranger": [401, "invalid_token"],
    "strangerRefresh": [401, "invalid_token"],
    "bareRefresh": [401, "invalid_token"],
}
OWNER = {
    "login": 200,
    "bound": "string",
    "me": [200, {"user_id": "ada"}],
    "query": 200,
    "firstRefresh": [200, 200],
    "firstLost": 200,
    "secondRefresh": [200, 200],
    "secondLost": 200,
    "signOut": 200,
    "after": 401,
}


@pytest.fixture(params=[False, True], ids=["without nonces", "with nonces"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """An application in which every session of headers has to be bound. Each refresh rotates."""

    def build(origin: str) -> Any:
        config = SessionConfig(
            store=f"sqlite:///{tmp_path / 'sessions.db'}",
            api_domain=origin,
            dpop="required",
            dpop_nonces=request.param,
            token_transfer_method="header",
            refresh_token_rotation_grace_period=0,
        )
        return application(Sessions(config))

    with serve(build, host="127.0.0.1") as server:
        yield server


@pytest.mark.parametrize(("client", "algorithm"), CLIENTS)
def test_a_client(client: str, algorithm: str, server: Server) -> None:
    """It is served by whoever has the key, also after lost responses, and whoever has all else is not, and changes nothing."""
    assert {**OWNER, **THIEF} == node("dpop.mjs", client, algorithm, server.origin, package=client)
