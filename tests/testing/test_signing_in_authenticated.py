"""A test says how its user was authenticated, as the application's sign-in would."""

from __future__ import annotations

from typing import Annotated

import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient

from fastapi_session import Authentication, Factor, Fresh, Session, install, verify_session
from fastapi_session.testing import HandClock, session_of, sign_in
from tests.engines import engine
from tests.moments import MINUTE, SECOND

BOTH = Authentication(("pwd", "otp"), acr="aal2")


@pytest.mark.parametrize("authentication", [None, BOTH])
def test_a_test_says_how_its_user_was_authenticated(authentication: Authentication | None) -> None:
    """What it says meets the demands of a route, until a clock set by hand makes it too old; a test that says nothing meets none."""
    clock = HandClock()
    app, sessions = FastAPI(), engine(clock)
    install(app, sessions)

    @app.get("/vault")
    async def vault(
        session: Annotated[Session, Depends(verify_session(Factor("otp"), Fresh(minutes=5)))],
    ) -> str | None:
        return session.acr

    client = TestClient(app)
    sign_in(client, sessions, "ada", authentication=authentication)
    statuses = [client.get("/vault").status_code]
    clock.advance(5 * MINUTE + SECOND)
    statuses.append(client.get("/vault").status_code)
    assert [401 if authentication is None else 200, 401] == statuses

    app.dependency_overrides[verify_session(Factor("otp"), Fresh(minutes=5))] = session_of(
        "ada", authentication=authentication
    )
    assert client.get("/vault").json() == (None if authentication is None else "aal2")
