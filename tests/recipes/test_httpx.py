"""A program keeps its session by the client of httpx."""

from __future__ import annotations

import asyncio
from types import ModuleType

from tests.browser.server import serve


def test_a_program_calls(page: ModuleType) -> None:
    """It signs in, is known, and signs out."""
    with serve(lambda _: page.app) as server:
        assert "ada" == asyncio.run(page.call(server.origin))
    assert ["POST /login 200", "GET /me 200", "POST /auth/signout 200"] == server.answers
