"""The example app has room for five sessions of a user, as its page says."""

from __future__ import annotations

from fastapi.testclient import TestClient

from example_app.app import create_app, demo_config
from fastapi_session.testing import HandClock
from tests.moments import SECOND
from tests.wire import ACCESS_HEADER, AUTH_MODE


def test_a_sixth_sign_in_ends_the_oldest() -> None:
    """After six sign-ins there are five sessions, and the first is over at once."""
    clock = HandClock()
    config = demo_config().model_copy(update={"store": "memory:"})
    with TestClient(create_app(config, clock=clock)) as client:
        tokens = []
        for _ in range(6):
            clock.advance(SECOND)
            credentials = {"user_name": "alice", "password": "wonderland"}
            signed_in = client.post("/api/sign-in", json=credentials, headers={AUTH_MODE: "header"})
            tokens.append({"authorization": f"Bearer {signed_in.headers[ACCESS_HEADER]}"})
        statuses = [client.get("/auth/sessions", headers=token).status_code for token in tokens]
        listed = client.get("/auth/sessions", headers=tokens[-1]).json()

    assert [401, 200, 200, 200, 200, 200] == statuses
    assert 5 == listed["total"]
