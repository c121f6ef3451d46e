"""Tokens go out with whatever response starts, and each application sends its own."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException, Request, Response
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse, RedirectResponse, StreamingResponse
from fastapi.testclient import TestClient
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import Route

from fastapi_session import (
    ConfigurationError,
    CreateSession,
    create_new_session_in_request,
    create_session,
    get_session_from_request,
    get_sessions,
    install,
    session_router,
)
from fastapi_session.sessions import Sessions
from fastapi_session.testing import HandClock
from fastapi_session.web.exchange import Exchange
from tests.engines import engine
from tests.web.asgi import ask
from tests.web.deployment import Deployment, Verified, application, deployed
from tests.web.wire import CLEARED, KEPT, NEW, UNAUTHORISED, Held, change, exposed, set_cookies
from tests.wire import (
    ACCESS_COOKIE,
    ACCESS_HEADER,
    ANTI_CSRF,
    AUTH_MODE,
    FRONT_TOKEN,
    REFRESH_COOKIE,
    REFRESH_HEADER,
    REFRESH_PATH,
)

Answer = Callable[[], Any]


async def chunks() -> AsyncIterator[bytes]:
    yield b"one,"
    await asyncio.sleep(0)
    yield b"two"


def http_exception() -> None:
    raise HTTPException(418, "short and stout", headers={"x-teapot": "yes"})


ANSWERS: dict[str, tuple[int, Answer]] = {
    "a value": (200, lambda: {"ok": True}),
    "nothing": (200, lambda: None),
    "a response": (201, lambda: PlainTextResponse("made", 201)),
    "a redirect": (307, lambda: RedirectResponse("/elsewhere")),
    "a see-other": (303, lambda: RedirectResponse("/elsewhere", 303)),
    "an HTTPException": (418, http_exception),
    "a server error": (500, lambda: PlainTextResponse("broken", 500)),
    "not modified": (304, lambda: Response(status_code=304)),
    "a stream": (200, lambda: StreamingResponse(chunks())),
    "a file": (200, lambda: FileResponse(Path(__file__))),
    "a background task": (200, lambda: JSONResponse({}, background=BackgroundTask(chunks))),
}


@pytest.fixture(params=ANSWERS)
def answer(request: pytest.FixtureRequest) -> tuple[int, Answer]:
    return ANSWERS[request.param]


class TestWhateverResponse:
    @pytest.mark.parametrize("method", ["cookie", "header"])
    def test_new_tokens(self, method: str, answer: tuple[int, Answer], app: FastAPI, deployment: Deployment) -> None:
        """A session that was created reaches the client, whatever the route answers."""
        status, make = answer

        @app.post("/answer")
        async def route(create: Annotated[CreateSession, Depends(create_session())]) -> Any:
            await create("ada")
            return make()

        response = deployment.post("/answer", {AUTH_MODE: method})

        assert (status, NEW[method]) == (response.status_code, change(response))
        assert 200 == deployment.get("/me", Held.of(response, method).to_call()).status_code

    def test_cleared_tokens(self, answer: tuple[int, Answer], app: FastAPI, deployment: Deployment) -> None:
        """A session that was ended is cleared at the client, whatever the route answers."""
        status, make = answer

        @app.post("/answer")
        async def route(session: Verified) -> Any:
            await session.revoke()
            return make()

        response = deployment.post("/answer", deployment.login().to_call())

        assert (status, CLEARED) == (response.status_code, change(response))
        assert [] == deployment.users()

    def test_cookies_of_the_application(self, app: FastAPI, deployment: Deployment) -> None:
        """Cookies that the route sets on a response of its own stand beside those of the session."""

        @app.post("/answer")
        async def route(create: Annotated[CreateSession, Depends(create_session())]) -> Response:
            await create("ada")
            return Response(headers={"set-cookie": "theme=dark"})

        response = deployment.post("/answer", {AUTH_MODE: "cookie"})

        assert ["theme", ACCESS_COOKIE, REFRESH_COOKIE] == [name for name, _ in set_cookies(response)]

    def test_an_injected_response(self, app: FastAPI, deployment: Deployment) -> None:
        """Cookies that the route sets on FastAPI's response stand beside those of the session."""

        @app.post("/answer")
        async def route(response: Response, create: Annotated[CreateSession, Depends(create_session())]) -> None:
            response.set_cookie("theme", "dark")
            await create("ada")

        response = deployment.post("/answer", {AUTH_MODE: "cookie"})

        assert ["theme", ACCESS_COOKIE, REFRESH_COOKIE] == [name for name, _ in set_cookies(response)]

    def test_an_exception_that_nobody_handles(self, app: FastAPI, deployment: Deployment) -> None:
        """An application that breaks sends no tokens: a login that failed is none."""

        @app.post("/answer")
        async def route(create: Annotated[CreateSession, Depends(create_session())]) -> None:
            await create("ada")
            raise ZeroDivisionError

        response = deployment.post("/answer")

        assert (500, KEPT) == (response.status_code, change(response))

    def test_a_change_that_comes_too_late(self, app: FastAPI, deployment: Deployment) -> None:
        """What happens after the response has started changes the session, and disturbs nothing."""

        @app.post("/answer")
        async def route(session: Verified, tasks: BackgroundTasks) -> None:
            tasks.add_task(session.revoke)

        response = deployment.post("/answer", deployment.login().to_call())

        assert (200, KEPT) == (response.status_code, change(response))
        assert [] == deployment.users()


class TestSeveralVerbsInOneRequest:
    @pytest.mark.parametrize("method", ["cookie", "header"])
    def test_create_and_merge(self, method: str, app: FastAPI, deployment: Deployment) -> None:
        """A session created and changed in one request is sent once, changed, with its refresh token."""

        @app.post("/answer")
        async def route(create: Annotated[CreateSession, Depends(create_session())]) -> None:
            session = await create("ada", access_token_payload={"plan": "free", "trial": True})
            await session.merge_into_access_token_payload({"plan": "pro", "trial": None})

        @app.get("/claims")
        async def claims(session: Verified) -> dict[str, Any]:
            return dict(session.claims)

        response = deployment.post("/answer", {AUTH_MODE: method})
        held = Held.of(response, method)

        assert NEW[method] == change(response)
        assert (2 if method == "cookie" else 0) == len(set_cookies(response))
        assert {"plan": "pro"} == deployment.get("/claims", held.to_call()).json()
        assert {"plan": "pro"} == deployment.get("/claims", deployment.refreshed(held).to_call()).json()

    @pytest.mark.parametrize("method", ["cookie", "header"])
    def test_revoke_and_create(self, method: str, app: FastAPI, deployment: Deployment) -> None:
        """A session that is ended and followed by a new one leaves the client with the new one."""

        @app.post("/answer")
        async def route(session: Verified, create: Annotated[CreateSession, Depends(create_session())]) -> None:
            await session.revoke()
            await create("bob")

        response = deployment.post("/answer", deployment.login(method).to_call(), {AUTH_MODE: method})

        assert NEW[method] == {name: what for name, what in change(response).items() if name in NEW[method]}
        assert "new" not in {what for name, what in change(response).items() if name not in NEW[method]}
        assert {"user_id": "bob"} == deployment.get("/me", Held.of(response, method).to_call()).json()
        assert ["bob"] == deployment.users("ada", "bob")

    def test_create_and_revoke(self, app: FastAPI, deployment: Deployment) -> None:
        """A session that is created and ended leaves the client without one."""

        @app.post("/answer")
        async def route(create: Annotated[CreateSession, Depends(create_session())]) -> None:
            await (await create("ada")).revoke()

        response = deployment.post("/answer")

        assert CLEARED == change(response)
        assert [] == deployment.users()

    def test_merge_twice(self, app: FastAPI, deployment: Deployment) -> None:
        """Two changes of one request are sent as one access token."""

        @app.post("/answer")
        async def route(session: Verified) -> dict[str, Any]:
            await session.merge_into_access_token_payload({"a": 1})
            await session.merge_into_access_token_payload({"b": 2})
            return dict(session.claims)

        response = deployment.post("/answer", deployment.login().to_call())

        assert {"plan": "pro", "a": 1, "b": 2} == response.json()
        assert {FRONT_TOKEN: "new", ACCESS_COOKIE: "new"} == change(response)


class TestAround:
    """Other middleware around the sessions."""

    @pytest.mark.parametrize("is_outside", [True, False])
    def test_cors(self, is_outside: bool, clock: HandClock) -> None:
        """With CORSMiddleware on either side, refusals can be read by the page, and our headers are exposed."""
        app, sessions = FastAPI(), engine(clock)
        add: list[Callable[[], object]] = [
            lambda: install(app, sessions),
            lambda: app.add_middleware(
                CORSMiddleware,
                allow_origins=["http://page.example"],
                allow_credentials=True,
                allow_headers=["*"],
            ),
        ]
        for step in add if is_outside else reversed(add):
            step()
        app.include_router(session_router())
        origin = {"origin": "http://page.example"}
        with deployed(app, sessions, clock) as deployment:
            response = deployment.post(REFRESH_PATH, {"authorization": "Bearer x"}, origin)

        assert (401, CLEARED) == (response.status_code, change(response))
        assert "http://page.example" == response.headers["access-control-allow-origin"]
        assert "true" == response.headers["access-control-allow-credentials"]
        assert [ACCESS_HEADER, REFRESH_HEADER, FRONT_TOKEN] == exposed(response)

    def test_gzip(self, app: FastAPI, sessions: Sessions, clock: HandClock) -> None:
        """Compression leaves the tokens as they are."""
        app.add_middleware(GZipMiddleware, minimum_size=1)
        with deployed(app, sessions, clock) as deployment:
            response = deployment.post("/login?user_id=ada", {"accept-encoding": "gzip"})

        assert "gzip" == response.headers["content-encoding"]
        assert NEW["header"] == change(response)

    def test_a_middleware_of_functions(self, app: FastAPI, sessions: Sessions, clock: HandClock) -> None:
        """Below BaseHTTPMiddleware tokens come and go as ever."""

        async def pass_on(request: Request, call_next: RequestResponseEndpoint) -> Response:
            response = await call_next(request)
            response.headers["x-seen"] = "yes"
            return response

        app.add_middleware(BaseHTTPMiddleware, dispatch=pass_on)
        with deployed(app, sessions, clock) as deployment:
            held = deployment.login()
            response = deployment.get("/me", held.to_call())

        assert (200, "yes") == (response.status_code, response.headers["x-seen"])

    def test_sessions_in_a_middleware(self, clock: HandClock) -> None:
        """A middleware within may ask for the session and make one: its own tokens go out with the answer."""
        app, sessions = FastAPI(), engine(clock)

        async def guest(request: Request, call_next: RequestResponseEndpoint) -> Response:
            if await get_session_from_request(request, session_required=False) is None:
                await create_new_session_in_request(request, "guest")
            return await call_next(request)

        app.add_middleware(BaseHTTPMiddleware, dispatch=guest)
        install(app, sessions)
        app.get("/")(lambda: None)
        with deployed(app, sessions, clock) as deployment:
            first = deployment.get("/", {AUTH_MODE: "cookie"})
            second = deployment.get("/", Held.of(first, "cookie").to_call())

        assert (NEW["cookie"], KEPT) == (change(first), change(second))

    def test_a_middleware_without(self, clock: HandClock) -> None:
        """The error of a middleware that was added later says that it is outside of the sessions, and where it belongs."""
        app = FastAPI()
        install(app, engine(clock))

        @app.middleware("http")
        async def outside(request: Request, call_next: RequestResponseEndpoint) -> Response:
            await get_session_from_request(request)
            return await call_next(request)

        with TestClient(app) as client, pytest.raises(ConfigurationError, match=r"add a middleware .* before that"):
            client.get("/")


class TestMounted:
    """Applications in applications."""

    def test_without_an_install_of_its_own(self, app: FastAPI, deployment: Deployment) -> None:
        """A mounted application has the sessions of the one it is mounted in."""
        inner = FastAPI()

        @inner.post("/login")
        async def login(create: Annotated[CreateSession, Depends(create_session())]) -> None:
            await create("ada")

        @inner.get("/me")
        async def me(session: Verified) -> str:
            return session.user_id

        app.mount("/inner", inner)
        response = deployment.post("/inner/login", {AUTH_MODE: "cookie"})

        assert NEW["cookie"] == change(response)
        assert "ada" == deployment.get("/inner/me", Held.of(response, "cookie").to_call()).json()
        assert 200 == deployment.get("/me", Held.of(response, "cookie").to_call()).status_code

    def test_with_the_same_sessions(self, app: FastAPI, sessions: Sessions, deployment: Deployment) -> None:
        """With the same sessions installed, a mounted application maps errors too, and tokens are sent once."""
        inner = FastAPI()
        install(inner, sessions)
        inner.include_router(session_router())

        @inner.get("/me")
        async def me(session: Verified) -> str:
            return session.user_id

        app.mount("/inner", inner)
        refused = deployment.get("/inner/me")
        ended = deployment.post("/inner/auth/signout", deployment.login().to_call())

        assert (401, UNAUTHORISED) == (refused.status_code, refused.json())
        assert (200, CLEARED) == (ended.status_code, change(ended))
        assert [ACCESS_COOKIE, REFRESH_COOKIE] == [name for name, _ in set_cookies(ended)]

    def test_with_sessions_of_its_own(self, app: FastAPI, deployment: Deployment, clock: HandClock) -> None:
        """A mounted application with other sessions knows those alone, and sends them by its own configuration."""
        others = engine(clock, secret="another secret of thirty-two bytes", api_base_path="/inner/auth")
        inner = FastAPI()
        install(inner, others)

        @inner.get("/which")
        async def which(sessions: Annotated[Sessions, Depends(get_sessions())]) -> bool:
            return sessions is others

        @inner.post("/login")
        async def login(create: Annotated[CreateSession, Depends(create_session())]) -> None:
            await create("eve")

        @inner.get("/me")
        async def me(session: Verified) -> str:
            return session.user_id

        app.mount("/inner", inner)
        outer = deployment.login()
        response = deployment.post("/inner/login", {AUTH_MODE: "cookie"})

        assert deployment.get("/inner/which").json()
        assert "Path=/inner/auth/session/refresh" in dict(set_cookies(response))[REFRESH_COOKIE]
        assert 401 == deployment.get("/inner/me", outer.to_call()).status_code
        assert 401 == deployment.get("/me", Held.of(response, "cookie").to_call()).status_code
        assert "eve" == deployment.get("/inner/me", Held.of(response, "cookie").to_call()).json()
        assert [] == deployment.users("eve")


def test_two_applications_in_one_process(clock: HandClock) -> None:
    """Two applications, configured differently, each send and believe what is theirs, also in turn."""
    one = engine(clock, token_transfer_method="header", session_expired_status_code=440)
    two = engine(clock, api_domain="https://two.example", token_transfer_method="cookie", anti_csrf="VIA_TOKEN")
    with (
        deployed(application(one), one, clock) as first,
        deployed(application(two), two, clock, "https://two.example") as second,
    ):
        of_first = first.post("/login?user_id=ada")
        of_second = second.post("/login?user_id=ada")
        held = Held.of(of_second, "cookie")

        assert NEW["header"] == change(of_first)
        assert NEW["cookie"] | {ANTI_CSRF: "new"} == change(of_second)
        assert (440, 401) == (first.get("/me", held.to_call()).status_code, second.get("/me").status_code)
        assert 200 == second.get("/me", held.to_call()).status_code
        assert 200 == first.get("/me", Held.of(of_first, "header").to_call()).status_code


async def broken(_request: Request) -> Response:
    return PlainTextResponse("broken", 500)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/me", 200),
        ("GET", "/me", 401),
        ("POST", "/merge", 200),
        ("GET", "/inner/x", 404),
        ("GET", "/inner/broken", 500),
        ("GET", "/x", 404),
    ],
)
async def test_nothing_waits_for_the_garbage_collector(
    method: str, path: str, status: int, app: FastAPI, sessions: Sessions
) -> None:
    """When a request is over, what it took is given back at once: nothing of ours is held in a cycle."""
    app.mount("/inner", Starlette(routes=[Route("/broken", broken)]))
    token = (await sessions.create("ada")).tokens.access_token
    headers = {"authorization": f"Bearer {token}"} if status == 200 else {}
    gc.collect()
    before = (
        exchanges()
    )  # of an earlier test: a Socket.IO server keeps the scope of a client by polling that went without a word
    gc.disable()
    try:
        assert status == (await ask(app, method, path, headers)).status_code
        assert set() == exchanges() - before
    finally:
        gc.enable()


def exchanges() -> set[Exchange]:
    """Every exchange of this process that is alive, or waits for the garbage collector."""
    # By the type alone: `isinstance` would ask lazy objects of other libraries for their class.
    return {each for each in gc.get_objects() if type(each) is Exchange}
