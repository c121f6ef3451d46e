"""What a CORSMiddleware must let through, said at the start and not found out in a browser."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.middleware.gzip import GZipMiddleware
from pydantic import AnyHttpUrl
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.types import ASGIApp

from fastapi_session import get_all_cors_headers, install
from fastapi_session.doctor.application.cors import cors_findings
from fastapi_session.doctor.application.installed import Installed
from fastapi_session.origin import _public_suffixes
from fastapi_session.testing import HandClock
from tests.doctor.deployments import Found, listed
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


WITHOUT_DPOP = "without dpop"


def told_of(app: FastAPI, clock: HandClock, **options: Any) -> Found:
    """What is said of *app*."""
    return listed(cors_findings(Installed(engine(clock, **options).config, app)))


def with_options(**options: Any) -> FastAPI:
    """An application with a CORSMiddleware of those options."""
    app = FastAPI()
    app.add_middleware(CORSMiddleware, **options)
    return app


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (RIGHT, []),
        (RIGHT | {"allow_headers": ["*"]}, []),
        (RIGHT | {"allow_headers": [name.title() for name in get_all_cors_headers()]}, []),
        (RIGHT | {"expose_headers": EVERY_HEADER}, []),
        (RIGHT | {"expose_headers": ["Front-Token", *EVERY_HEADER[1:], "x-own"]}, []),
        (RIGHT | {"allow_origins": [], "allow_origin_regex": r"https://.*\.page\.example"}, []),
        (
            RIGHT | {"allow_headers": ["rid"]},
            [("FS042", "without anti-csrf, authorization, fdi-version, st-auth-mode")],
        ),
        (RIGHT | {"allow_credentials": False}, [("FS044", "it is off")]),
        (RIGHT | {"allow_origins": ["*"]}, [("FS051", "it has '*'")]),
        (
            RIGHT | {"expose_headers": ["x-own"]},
            [("FS045", "without anti-csrf, front-token, st-access-token, st-refresh-token")],
        ),
        (RIGHT | {"allow_methods": ["*"]}, []),
        (RIGHT | {"allow_origins": ["capacitor://localhost", "https://page.example"]}, []),
        (
            RIGHT | {"allow_origins": ["https://page.example/"]},
            [("FS048", "'https://page.example/', which is 'https://page.example'")],
        ),
        (
            RIGHT | {"allow_origins": ["https://Page.Example:443"]},
            [("FS048", "'https://Page.Example:443', which is 'https://page.example'")],
        ),
        (RIGHT | {"allow_origins": ["page.example"]}, [("FS049", "'page.example'")]),
        (RIGHT | {"allow_origins": ["null"]}, [("FS052", "pages in a sandbox, and files, have this origin")]),
        (RIGHT | {"allow_origin_regex": ".*"}, [("FS053", "https://stranger.example matches")]),
        (RIGHT | {"allow_origin_regex": "http://.+"}, [("FS053", "http://stranger.example matches")]),
        (RIGHT | {"allow_methods": ["GET", "PUT"]}, [("FS043", "it has GET, PUT")]),
        (
            {},
            [
                ("FS042", "without anti-csrf, authorization, fdi-version, rid, st-auth-mode"),
                ("FS043", "it has GET"),
                ("FS044", "it is off"),
            ],
        ),
    ],
)
def test_what_is_wrong(options: dict[str, Any], told: Found, clock: HandClock) -> None:
    """Each option that keeps sessions from working across origins is found, and a right one is not."""
    assert told == told_of(with_options(**options), clock)


def test_what_is_wrong_is_said_at_the_start(clock: HandClock, caplog: pytest.LogCaptureFixture) -> None:
    """What is found is in the log when the application starts, in the words of the doctor."""
    app, sessions = FastAPI(), engine(clock)
    install(app, sessions)
    app.add_middleware(CORSMiddleware, **RIGHT | {"allow_methods": ["GET", "PUT"]})
    with caplog.at_level(logging.WARNING), deployed(app, sessions, clock):
        pass

    assert [
        "FS043 allow_methods of CORSMiddleware keeps POST out, by which sessions are refreshed and ended: it has GET, PUT; add POST to allow_methods"
    ] == caplog.messages


def test_tokens_in_headers(clock: HandClock) -> None:
    """Where no token travels in a cookie, browsers need not send any."""
    told = told_of(with_options(**RIGHT | {"allow_credentials": False}), clock, token_transfer_method="header")

    assert [] == told


@pytest.mark.parametrize(
    ("dpop", "options", "told"),
    [
        ("optional", RIGHT, []),
        ("optional", RIGHT | {"allow_headers": ["*"]}, []),
        ("optional", RIGHT | {"expose_headers": [*EVERY_HEADER, "dpop-nonce", "www-authenticate"]}, []),
        ("optional", RIGHT | {"allow_headers": [*EARLIER]}, [("FS046", WITHOUT_DPOP)]),
        ("required", RIGHT | {"expose_headers": EVERY_HEADER}, [("FS047", "without dpop-nonce, www-authenticate")]),
        ("off", RIGHT | {"allow_headers": [*EARLIER], "expose_headers": EVERY_HEADER}, []),
    ],
)
def test_dpop(dpop: str, options: dict[str, Any], told: Found, clock: HandClock) -> None:
    """Where clients prove keys, their header has to come in, and what is said of their proofs has to come out."""
    assert told == told_of(with_options(**options), clock, dpop=dpop)


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


def told_of_site(app: FastAPI, clock: HandClock, **options: Any) -> Found:
    """What is said of *app* on that site."""
    return told_of(app, clock, **{**SITE, **options})


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
    told = told_of_site(with_cors(allow_origin_regex=expression), clock)

    assert [("FS053", f"{stranger} matches")] * bool(stranger) == told


def test_without_an_expression_no_stranger_is_looked_for(clock: HandClock) -> None:
    """Origins that are named one by one need no list of all registries' names."""
    _public_suffixes.cache_clear()
    assert [] == told_of_site(with_cors(allow_origins=[SITE["api_domain"]]), clock, website_domain=SITE["api_domain"])
    assert 0 == _public_suffixes.cache_info().currsize
    told_of_site(with_cors(allow_origin_regex=r"https://www\.example\.com"), clock, website_domain=SITE["api_domain"])
    assert 1 == _public_suffixes.cache_info().currsize


def test_a_website_that_cannot_read_the_answers(clock: HandClock) -> None:
    """A website of another origin needs the middleware, and has to be let in by it; one of the API's own needs none."""
    apps = [FastAPI(), with_cors(allow_origins=["https://other.example.com"]), with_cors()]
    missing = ("FS041", "pages of https://www.example.com, and an API at https://api.shop.example.com")

    assert [[missing], [("FS050", "https://www.example.com")], []] == [told_of_site(app, clock) for app in apps]
    assert [] == told_of_site(FastAPI(), clock, website_domain=SITE["api_domain"])


def test_a_middleware_around_it(clock: HandClock) -> None:
    """What stands around the CORSMiddleware and answers by itself is told of; what stands within it, or only compresses, is not."""

    async def dispatch(request: Request, call_next: Any) -> Any:
        return await call_next(request)

    around, within = with_cors(), FastAPI()
    around.add_middleware(GZipMiddleware)
    assert [] == told_of_site(around, clock)
    around.add_middleware(BaseHTTPMiddleware, dispatch=dispatch)
    within.add_middleware(BaseHTTPMiddleware, dispatch=dispatch)
    within.add_middleware(CORSMiddleware, **{**RIGHT, "allow_origins": ["https://www.example.com"]})

    assert [("FS054", "BaseHTTPMiddleware stands around it")] == told_of_site(around, clock)
    assert [] == told_of_site(within, clock)


class _OfTenants(CORSMiddleware):
    """A subclass with arguments of its own, which lets in by itself what is not in them."""

    def __init__(self, app: ASGIApp, *, tenants: Sequence[str] = (), **options: Any) -> None:
        super().__init__(app, **{**RIGHT, "allow_origins": [*tenants], **options})


OF_TENANTS: Any = _OfTenants


def test_a_subclass_with_arguments_of_its_own(clock: HandClock) -> None:
    """What a subclass keeps out nobody can know; that it lets in everybody is found if its arguments say so."""
    closed, opened = FastAPI(), FastAPI()
    closed.add_middleware(OF_TENANTS, tenants=["https://www.example.com"])
    opened.add_middleware(OF_TENANTS, tenants=[], allow_origins=["*"])

    assert [] == told_of_site(closed, clock)
    assert [("FS051", "it has '*'")] == told_of_site(opened, clock)


def test_arguments_that_are_none(clock: HandClock) -> None:
    """An argument that the middleware does not have is left to it; a text counts as a list of it, and `None` as none."""
    app = with_cors(allow_origins="https://www.example.com", allow_methods="POST", expose_headers=None, origins=["*"])

    assert [] == told_of_site(app, clock)


def test_arguments_without_names(clock: HandClock) -> None:
    """Arguments may be given by their places."""
    app = FastAPI()
    app.add_middleware(CORSMiddleware, ["https://www.example.com"], ["*"], ["*"], True)

    assert [] == told_of_site(app, clock)


def test_origins_that_are_no_texts(clock: HandClock) -> None:
    """Addresses of Pydantic are no texts, and end with a slash: they keep everybody out."""
    app = with_cors(allow_origins=[AnyHttpUrl("https://www.example.com")])

    assert ["FS048", "FS050"] == [id_ for id_, _ in told_of_site(app, clock)]
