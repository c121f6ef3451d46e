"""What a CORSMiddleware must let through, said at the start and not found out in a browser."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.middleware.gzip import GZipMiddleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request

from fastapi_session import get_all_cors_headers, install
from fastapi_session.origin import _public_suffixes
from fastapi_session.testing import HandClock
from fastapi_session.web.cors import cors_problems
from tests.engines import engine
from tests.web.deployment import deployed
from tests.wire import ACCESS_HEADER, ANTI_CSRF, AUTH_MODE, FRONT_TOKEN, REFRESH_HEADER

RIGHT: dict[str, Any] = {
    "allow_origins": ["https://page.example"],
    "allow_credentials": True,
    "allow_headers": get_all_cors_headers(),
    "allow_methods": ["GET", "POST"],
}
EARLIER = [name for name in get_all_cors_headers() if name != "dpop"]
EVERY_HEADER = [FRONT_TOKEN, ACCESS_HEADER, REFRESH_HEADER, ANTI_CSRF]


def test_the_request_headers() -> None:
    """The list for `allow_headers` has every header that clients send."""
    assert [ANTI_CSRF, "authorization", "content-type", "dpop", "fdi-version", "rid", AUTH_MODE] == sorted(
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
        (RIGHT | {"allow_origins": ["capacitor://localhost", "https://page.example"]}, []),
        (RIGHT | {"allow_origins": ["https://page.example/"]}, ["write 'https://page.example'"]),
        (RIGHT | {"allow_origins": ["https://Page.Example:443"]}, ["write 'https://page.example'"]),
        (RIGHT | {"allow_origins": ["page.example"]}, ["write it with its scheme"]),
        (RIGHT | {"allow_origins": ["null"]}, ["'null', which pages of every site can send"]),
        (RIGHT | {"allow_origin_regex": ".*"}, ["lets in https://stranger.example too"]),
        (RIGHT | {"allow_origin_regex": "http://.+"}, ["lets in http://stranger.example too"]),
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

    assert told == [next((name for name in told if name in message), message) for message in caplog.messages]
    assert all(message.startswith("CORSMiddleware: ") for message in caplog.messages)


@pytest.mark.parametrize(
    ("dpop", "options", "told"),
    [
        ("optional", RIGHT, []),
        ("optional", RIGHT | {"allow_headers": ["*"]}, []),
        ("optional", RIGHT | {"expose_headers": [*EVERY_HEADER, "dpop-nonce", "www-authenticate"]}, []),
        ("optional", RIGHT | {"allow_headers": [*EARLIER]}, ["keeps DPoP out"]),
        ("required", RIGHT | {"expose_headers": EVERY_HEADER}, ["add DPoP-Nonce, WWW-Authenticate"]),
        ("off", RIGHT | {"allow_headers": [*EARLIER], "expose_headers": EVERY_HEADER}, []),
    ],
)
def test_dpop(dpop: str, options: dict[str, Any], told: list[str], clock: HandClock) -> None:
    """Where clients prove keys, their header has to come in, and what is said of their proofs has to come out."""
    app, sessions = FastAPI(), engine(clock, dpop=dpop)
    app.add_middleware(CORSMiddleware, **options)

    problems = [*cors_problems(app, sessions.config)]
    assert told == [next((name for name in told if name in problem), problem) for problem in problems]


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


SITE = {"api_domain": "https://api.shop.example.com", "website_domain": "https://www.example.com"}


def told_of(app: FastAPI, clock: HandClock, **options: Any) -> list[str]:
    """Return what is said of *app*."""
    return [*cors_problems(app, engine(clock, **{**SITE, **options}).config)]


def with_cors(*arguments: Any, **options: Any) -> FastAPI:
    """Return an application with a CORSMiddleware."""
    app = FastAPI()
    app.add_middleware(CORSMiddleware, *arguments, **{**RIGHT, "allow_origins": ["https://www.example.com"], **options})
    return app


@pytest.mark.parametrize(
    ("expression", "stranger"),
    [
        (r"https://(www|shop)\.example\.com", None),
        (r"https://([a-z0-9-]+\.)?example\.com", None),
        (r"https://[a-z.]+\.example\.com(:[0-9]+)?", None),
        (r"https://.*example\.com", "https://strangerexample.com"),
        (r"https://www.example\.com", "https://wwwxexample.com"),
        (r"https://www\.example\.com.*", "https://www.example.com.stranger.example"),
        (r"https?://.*", "https://stranger.example"),
    ],
)
def test_an_expression_that_lets_strangers_in(expression: str, stranger: str | None, clock: HandClock) -> None:
    """An expression is tried on origins that anybody may own, and one that matches is named."""
    told = told_of(with_cors(allow_origin_regex=expression), clock)

    assert [stranger] * bool(stranger) == [message.split(" too, ")[0].split()[-1] for message in told]


def test_without_an_expression_no_stranger_is_looked_for(clock: HandClock) -> None:
    """Origins that are named one by one need no list of all registries' names."""
    _public_suffixes.cache_clear()
    assert [] == told_of(with_cors(allow_origins=[SITE["api_domain"]]), clock, website_domain=SITE["api_domain"])
    assert 0 == _public_suffixes.cache_info().currsize
    told_of(with_cors(allow_origin_regex=r"https://www\.example\.com"), clock, website_domain=SITE["api_domain"])
    assert 1 == _public_suffixes.cache_info().currsize


def test_a_website_that_cannot_read_the_answers(clock: HandClock) -> None:
    """A website of another origin needs the middleware, and has to be let in by it; one of the API's own needs none."""
    missing = "website_domain: pages of https://www.example.com cannot read"
    kept_out = "CORSMiddleware: it keeps out https://www.example.com"
    apps = [FastAPI(), with_cors(allow_origins=["https://other.example.com"]), with_cors()]
    told = [told_of(app, clock) for app in apps]

    assert [missing, kept_out] == [
        message[: len(start)] for [message], start in zip(told, (missing, kept_out), strict=False)
    ]
    assert ([], []) == (told[2], told_of(FastAPI(), clock, website_domain=SITE["api_domain"]))


def test_a_middleware_around_it(clock: HandClock) -> None:
    """What stands around the CORSMiddleware and answers by itself is told of; what stands within it, or only compresses, is not."""

    async def dispatch(request: Request, call_next: Any) -> Any:
        return await call_next(request)

    around, within = with_cors(), FastAPI()
    around.add_middleware(GZipMiddleware)
    assert [] == told_of(around, clock)
    around.add_middleware(BaseHTTPMiddleware, dispatch=dispatch)
    within.add_middleware(BaseHTTPMiddleware, dispatch=dispatch)
    within.add_middleware(CORSMiddleware, **{**RIGHT, "allow_origins": ["https://www.example.com"]})

    [told] = told_of(around, clock)
    assert "add it as the last one" in told
    assert [] == told_of(within, clock)
