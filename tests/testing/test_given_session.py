"""A route whose session is given."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient

from fastapi_session import Session, SessionConfig, Sessions, install, verify_session
from fastapi_session.testing import session_of
from tests.testing import shop
from tests.testing.shop import Roles


@pytest.fixture
def overrides(sessions: Sessions) -> Iterator[dict[Any, Any]]:
    yield shop.app.dependency_overrides
    shop.app.dependency_overrides.clear()


def test_a_session_is_given() -> None:
    """An overridden dependency gives every request a real session of the user."""
    app = FastAPI()
    install(app, SessionConfig(store="memory:"))

    @app.get("/me")
    async def me(session: Annotated[Session, Depends(verify_session())]) -> list[Any]:
        return [session.user_id, dict(session.claims), await session.get_session_data()]

    app.dependency_overrides[verify_session()] = session_of(
        "alice", access_token_payload={"plan": "pro"}, session_data={"theme": "dark"}
    )

    assert ["alice", {"plan": "pro"}, {"theme": "dark"}] == TestClient(app).get("/me").json()


def test_its_claims_are_said(overrides: dict[Any, Any]) -> None:
    """The database is not asked for claims that the test says."""
    overrides[verify_session()] = session_of("alice", claims={Roles: ["guest"]})

    assert ["guest"] == TestClient(shop.app).get("/roles").json()


def test_one_provider_alone(overrides: dict[Any, Any]) -> None:
    """A route that asks for more has a provider of its own, which is replaced by that."""
    overrides[verify_session()] = session_of("alice", claims={Roles: ["guest"]})
    client = TestClient(shop.app)

    assert 401 == client.get("/admin").status_code
    overrides[verify_session(Roles.includes("admin"))] = overrides[verify_session()]
    assert ["guest"] == client.get("/admin").json()
