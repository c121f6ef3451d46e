"""Where the endpoints of sessions are, and what becomes of sessions in mounted applications."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, Response

from fastapi_session import (
    CreateSession,
    RefreshSession,
    StoreUnavailable,
    create_session,
    install,
    refresh_session,
    session_router,
)
from tests.doctor.deployments import Found, bare, configured, found_in, healthy

PATH = "/auth/session/refresh"
PROVED: dict[str, Any] = {"dpop": "optional"}
STRICT: dict[str, Any] = {"lost_response_recovery": False}


def found(app: FastAPI, **options: Any) -> Found:
    return found_in(configured(**options), app)


def signing_in() -> FastAPI:
    """An application in which sessions begin, and none is refreshed."""
    app = bare(**STRICT)

    @app.post("/login")
    async def _login(create: Annotated[CreateSession, Depends(create_session())]) -> None:
        await create("ada")

    return app


def test_sessions_that_nobody_refreshes() -> None:
    """An application without the router, in which sessions begin, is FS071."""
    app = signing_in()
    assert [("FS071", f"a session begins at /login, and nothing is served at {PATH}")] == found(app, **STRICT)
    app.include_router(session_router())

    assert [] == found(app, **STRICT)


def test_an_application_in_which_none_begins() -> None:
    """An application that only verifies needs no router: another one of the deployment may have it."""
    assert [] == found(bare())


def test_an_endpoint_of_its_own() -> None:
    """An application may refresh by an endpoint of its own, wherever that is, or by any route at the path."""
    app, other = signing_in(), signing_in()

    @app.post("/renew")
    async def _renew(refresh: Annotated[RefreshSession, Depends(refresh_session())]) -> None:
        await refresh()

    other.post(PATH)(lambda: None)

    assert ([], []) == (found(app, **STRICT), found(other, **STRICT))


@pytest.mark.parametrize(
    ("prefix", "base_path", "right"),
    [
        ("/auth", "/auth", True),
        ("/auth", "/api/auth", True),  # a proxy strips /api
        ("", "/auth", True),  # or /auth
        ("/v1/auth", "/auth", False),
        ("/users", "/auth", False),
    ],
)
def test_the_router_at_another_path(prefix: str, base_path: str, right: bool) -> None:
    """If browsers cannot see the router at `api_base_path`, whatever a proxy strips, it is FS072."""
    app = bare(api_base_path=base_path)
    app.include_router(session_router(prefix))
    wrong = [("FS072", f"{prefix}/session/refresh is served, and the cookie is for {base_path}/session/refresh")]

    assert ([] if right else wrong) == found(app, api_base_path=base_path)
    assert [] == found(app, api_base_path=base_path, token_transfer_method="header")


def test_a_router_in_a_router_and_a_mount() -> None:
    """The prefix of each router and each mount counts."""
    outer, included, mounted, mounting = APIRouter(prefix="/v1"), bare(), FastAPI(), bare()
    outer.include_router(session_router())
    included.include_router(outer)
    mounted.include_router(session_router())
    mounting.mount("/v1", mounted)

    for app in (included, mounting):
        assert ["FS072"] == [id_ for id_, _ in found(app)]
        assert [] == found(app, api_base_path="/v1/auth")


def test_the_root_path() -> None:
    """A prefix that the application knows of is a part of the path."""
    app = bare()
    app.root_path = "/api"
    app.include_router(session_router())

    assert [("FS072", f"/api{PATH} is served, and the cookie is for {PATH}")] == found(app)
    assert [] == found(app, api_base_path="/api/auth", **PROVED)


def test_the_router_twice() -> None:
    """A router at two paths has one to which no cookie is sent, FS073."""
    app = bare()
    app.include_router(session_router())
    assert [] == found(app)
    app.include_router(session_router("/v1/auth"))

    assert [("FS073", f"{PATH} and /v1{PATH}")] == found(app)


def test_a_prefix_that_is_stripped() -> None:
    """Where a proxy strips a prefix, the server has to know it for DPoP, FS074."""
    app, options = bare(), {"api_base_path": "/api/auth"}
    app.include_router(session_router())

    assert [("FS074", f"browsers see /api{PATH}, and the application {PATH}")] == found(app, **options, **PROVED)
    assert [] == found(app, **options)
    assert [] == found(app, **PROVED)


def test_handlers_that_are_gone() -> None:
    """An application whose handlers for sessions were thrown away is FS075; one with its own is not."""
    app = healthy()
    app.exception_handlers[StoreUnavailable] = lambda *_: Response(status_code=503)
    assert [] == found(app)
    app.exception_handlers = {}

    assert [("FS075", "SessionError, DuplicateSessionCookiesError, StoreUnavailable")] == found(app)


def test_sessions_of_a_mounted_application() -> None:
    """A mounted application with sessions of its own is FS076, and its router is none of the outer one's."""
    app = healthy()
    app.mount("/shop", healthy())

    assert [("FS076", "it is mounted at /shop")] == found(app)


def test_the_same_sessions_in_a_mounted_application() -> None:
    """A mounted application may have the sessions of the outer one."""
    app, inner = FastAPI(), FastAPI()
    sessions = install(app, configured(api_base_path="/shop/auth"))
    install(inner, sessions)
    inner.include_router(session_router())
    app.mount("/shop", inner)

    assert [] == found(app, api_base_path="/shop/auth")
