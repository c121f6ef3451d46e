"""The pytest plugin, as an application's own test run sees it."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]


def test_fixtures(pytester: pytest.Pytester) -> None:
    """An installed library brings its fixtures: a clock to drive by hand, and a client signed in."""
    pytester.makepyfile(
        """
        from datetime import timedelta
        from fastapi import Depends, FastAPI
        from fastapi.testclient import TestClient
        from fastapi_session import SessionConfig, Sessions, install, verify_session

        def test_my_app(hand_clock, sign_in):
            app = FastAPI()
            sessions = install(app, Sessions(SessionConfig(store="memory:"), clock=hand_clock))

            @app.get("/me")
            async def me(session=Depends(verify_session())):
                return session.user_id

            client = TestClient(app)
            sign_in(client, sessions, "alice")
            assert client.get("/me").json() == "alice"
            hand_clock.advance(timedelta(hours=2))
            assert client.get("/me").status_code == 401
        """
    )

    pytester.runpytest_subprocess().assert_outcomes(passed=1)
