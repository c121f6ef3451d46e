"""From where a socket may be opened whose access token came in a cookie."""

from __future__ import annotations

import pytest
from fastapi import FastAPI
from starlette.testclient import WebSocketDenialResponse

from fastapi_session import Sessions
from fastapi_session.testing import HandClock
from tests.web.deployment import CROSS_SITE, PAGE, Deployment, application, echo, engine


@pytest.fixture
def sessions(clock: HandClock) -> Sessions:
    return engine(clock, **CROSS_SITE)


@pytest.fixture
def app(sessions: Sessions) -> FastAPI:
    app = application(sessions)
    app.websocket("/socket")(echo)
    return app


def is_opened(deployment: Deployment, *headers: dict[str, str]) -> bool:
    try:
        with deployment.client.websocket_connect(
            "/socket", headers={k: v for h in headers for k, v in h.items()}
        ) as socket:
            return bool(socket.receive_text() == "ada")
    except WebSocketDenialResponse:
        return False


@pytest.mark.parametrize(
    ("origin", "by_cookie"),
    [
        (PAGE, True),
        ("https://api.example", True),
        ("HTTPS://PAGE.EXAMPLE:443", True),
        ("http://page.example", False),
        ("https://page.example:8443", False),
        ("https://evil.page.example", False),
        ("https://page.example.evil.org", False),
        ("https://evil.org", False),
        ("null", False),
        ("", False),
    ],
)
def test_the_origin(origin: str, by_cookie: bool, deployment: Deployment) -> None:
    """A socket by cookie is opened from pages of one's own alone; a bearer token proves itself, wherever the page is from."""
    cookie, bearer = deployment.login("cookie").to_call(), deployment.login("header").to_call()

    assert by_cookie == is_opened(deployment, cookie, {"origin": origin})
    assert is_opened(deployment, bearer, {"origin": origin})
    assert is_opened(deployment, cookie)
