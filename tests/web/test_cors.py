"""What a CORSMiddleware must let through, said at the start and not found out in a browser."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from fastapi_session import get_all_cors_headers, install
from fastapi_session.testing import HandClock
from tests.web.deployment import deployed, engine

RIGHT: dict[str, Any] = {
    "allow_origins": ["https://page.example"],
    "allow_credentials": True,
    "allow_headers": get_all_cors_headers(),
    "allow_methods": ["GET", "POST"],
}
EVERY_HEADER = ["front-token", "st-access-token", "st-refresh-token", "anti-csrf"]


def test_the_request_headers() -> None:
    """The list for `allow_headers` has every header that clients send."""
    assert ["anti-csrf", "authorization", "content-type", "fdi-version", "rid", "st-auth-mode"] == sorted(
        get_all_cors_headers()
    )


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (RIGHT, []),
        (RIGHT | {"allow_headers": ["*"]}, []),
        (RIGHT | {"allow_headers": [name.title() for name in get_all_cors_headers()]}, []),
        (RIGHT | {"expose_headers": EVERY_HEADER}, []),
        (RIGHT | {"expose_headers": ["Front-Token", *EVERY_HEADER[1:], "x-own"]}, []),
        (RIGHT | {"allow_origins": [], "allow_origin_regex": r"https://.*\.page\.example"}, []),
        (RIGHT | {"allow_headers": ["rid"]}, ["allow_headers"]),
        (RIGHT | {"allow_credentials": False}, ["allow_credentials"]),
        (RIGHT | {"allow_origins": ["*"]}, ["allow_origins"]),
        (RIGHT | {"expose_headers": ["x-own"]}, ["expose_headers"]),
        (RIGHT | {"allow_methods": ["*"]}, []),
        (RIGHT | {"allow_methods": ["GET", "PUT"]}, ["allow_methods"]),
        ({}, ["allow_headers", "allow_methods", "allow_credentials"]),
    ],
)
def test_what_is_wrong_is_said_at_the_start(
    options: dict[str, Any], told: list[str], clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Each option that keeps sessions from working across origins is named in a warning, and a right one in none."""
    app, sessions = FastAPI(), engine(clock)
    install(app, sessions)
    app.add_middleware(CORSMiddleware, **options)
    with caplog.at_level(logging.WARNING), deployed(app, sessions, clock):
        pass

    assert told == [next(name for name in told if name in message) for message in caplog.messages]
    assert all(message.startswith("CORSMiddleware: ") for message in caplog.messages)


def test_without_cors(clock: HandClock, caplog: pytest.LogCaptureFixture) -> None:
    """An application of one origin is told nothing."""
    app, sessions = FastAPI(), engine(clock)
    install(app, sessions)
    with caplog.at_level(logging.WARNING), deployed(app, sessions, clock):
        pass

    assert [] == caplog.messages


def test_the_preflight(clock: HandClock) -> None:
    """With the list given, a browser's preflight lets through what clients send."""
    app, sessions = FastAPI(), engine(clock)
    install(app, sessions)
    app.add_middleware(CORSMiddleware, **RIGHT)
    app.post("/me")(lambda: None)
    with deployed(app, sessions, clock) as deployment:
        response = deployment.request(
            "OPTIONS",
            "/me",
            {
                "origin": "https://page.example",
                "access-control-request-method": "POST",
                "access-control-request-headers": "rid, fdi-version, anti-csrf, authorization, st-auth-mode",
            },
        )

    assert 200 == response.status_code
    assert "true" == response.headers["access-control-allow-credentials"]
