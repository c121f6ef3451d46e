"""An error of ours is answered like everywhere, whichever application or middleware within let it through."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import PlainTextResponse, Response
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.testclient import WebSocketDenialResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from fastapi_session import (
    ClaimFailure,
    DuplicateSessionCookiesError,
    InvalidClaimsError,
    SessionError,
    Sessions,
    StoreUnavailable,
    TokenTheftError,
    TryRefreshTokenError,
    UnauthorisedError,
    create_new_session_in_request,
    get_session_from_request,
    install,
)
from fastapi_session.testing import HandClock
from tests.engines import engine
from tests.web.deployment import Deployment, application, deployed
from tests.web.wire import CLEARED, KEPT, UNAUTHORISED, change
from tests.wire import ACCESS_HEADER

PAGE = "http://page.example"

ERRORS: list[tuple[Callable[[], Exception], int, Any, dict[str, str]]] = [
    (UnauthorisedError, 401, UNAUTHORISED, KEPT),
    (lambda: UnauthorisedError(clears_tokens=True), 401, UNAUTHORISED, CLEARED),
    (TryRefreshTokenError, 401, {"message": "try refresh token"}, KEPT),
    (lambda: TokenTheftError("REUSED", user_id="ada", handle="h"), 401, {"message": "token theft detected"}, CLEARED),
    (
        lambda: InvalidClaimsError([ClaimFailure("role")]),
        403,
        {"message": "invalid claim", "claimValidationErrors": [{"id": "role"}]},
        KEPT,
    ),
    (lambda: StoreUnavailable("down"), 503, {"message": "the session store is unavailable"}, KEPT),
    (lambda: DuplicateSessionCookiesError("set older_cookie_domain"), 500, "set older_cookie_domain", KEPT),
]


def raising(error: Callable[[], Exception]) -> Callable[[Request], Any]:
    async def endpoint(_request: Request) -> None:
        raise error()

    return endpoint


async def me(request: Request) -> Response:
    return PlainTextResponse((await get_session_from_request(request)).user_id)


async def crash(_request: Request) -> None:
    raise ZeroDivisionError


async def oops(_request: Request, _error: Exception) -> Response:
    return PlainTextResponse("oops", 503)


class Raising:
    """A middleware that lets nobody in."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            raise UnauthorisedError("nobody", clears_tokens=True)
        await self.app(scope, receive, send)


async def refused_by_function(request: Request, call_next: RequestResponseEndpoint) -> Response:
    await get_session_from_request(request)
    return await call_next(request)


async def passed_by_function(request: Request, call_next: RequestResponseEndpoint) -> Response:
    return await call_next(request)


def starlette(endpoint: Callable[[Request], Any]) -> ASGIApp:
    return Starlette(routes=[Route("/", endpoint)])


def in_debug_mode(endpoint: Callable[[Request], Any]) -> ASGIApp:
    return Starlette(debug=True, routes=[Route("/", endpoint)])


def with_a_handler_of_crashes(endpoint: Callable[[Request], Any]) -> ASGIApp:
    return Starlette(routes=[Route("/", endpoint)], exception_handlers={Exception: oops})


def with_functions_around(endpoint: Callable[[Request], Any]) -> ASGIApp:
    around = Middleware(BaseHTTPMiddleware, dispatch=passed_by_function)
    return Starlette(routes=[Route("/", endpoint)], middleware=[around])


def two_deep(endpoint: Callable[[Request], Any]) -> ASGIApp:
    return Starlette(routes=[Mount("/", starlette(endpoint))])


def fastapi(endpoint: Callable[[Request], Any]) -> ASGIApp:
    app = FastAPI()
    app.add_route("/", endpoint)
    return app


def bare(endpoint: Callable[[Request], Any]) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        response = await endpoint(Request(scope, receive, send))
        await response(scope, receive, send)

    return app


KINDS = [starlette, in_debug_mode, with_a_handler_of_crashes, with_functions_around, two_deep, fastapi, bare]


@pytest.fixture
def client(deployment: Deployment) -> Deployment:
    """A deployment whose client is told of everything that a server would log as a crash."""
    deployment.client._transport.raise_server_exceptions = True  # type: ignore[attr-defined]
    return deployment


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_mounted_application(kind: Callable[[Any], ASGIApp], app: FastAPI, client: Deployment) -> None:
    """What is raised in a mounted application has the status, body and tokens that it has elsewhere, and is no crash."""
    for number, (error, status, body, tokens) in enumerate(ERRORS):
        app.mount(f"/{number}", kind(raising(error)))
        response = client.get(f"/{number}/")

        assert (status, tokens) == (response.status_code, change(response))
        assert body == (response.text if isinstance(body, str) else response.json())


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_session_in_a_mounted_application(kind: Callable[[Any], ASGIApp], app: FastAPI, client: Deployment) -> None:
    """A mounted application of any kind, even at the root, asks for the session of a request as a route does."""
    app.mount("/inner", kind(me))
    app.mount("", kind(me))
    held = client.login()
    for path in ("/inner/", "/"):
        assert (401, UNAUTHORISED) == ((refused := client.get(path)).status_code, refused.json())
        assert "ada" == client.get(path, held.to_call()).text


def test_a_middleware_of_a_mounted_application(app: FastAPI, client: Deployment) -> None:
    """A middleware of a mounted application refuses as a route does."""
    app.mount("/raw", Starlette(middleware=[Middleware(Raising)]))
    app.mount("/function", Starlette(middleware=[Middleware(BaseHTTPMiddleware, dispatch=refused_by_function)]))

    assert (401, CLEARED) == ((raw := client.get("/raw/")).status_code, change(raw))
    assert (401, KEPT) == ((function := client.get("/function/")).status_code, change(function))


@pytest.mark.parametrize("is_function", [False, True])
def test_a_middleware_between(is_function: bool, clock: HandClock) -> None:
    """A middleware of the application itself refuses as a route does, if it was added before `install`."""
    app, sessions = FastAPI(), engine(clock)
    if is_function:
        app.middleware("http")(refused_by_function)
    else:
        app.add_middleware(Raising)
    install(app, sessions)
    with deployed(app, sessions, clock) as deployment:
        response = deployment.get("/")

    assert (401, UNAUTHORISED) == (response.status_code, response.json())


def test_functions_between(clock: HandClock) -> None:
    """If a middleware made of functions is in between, a mounted application's errors get the same response."""
    app, sessions = FastAPI(), engine(clock)
    app.middleware("http")(passed_by_function)
    install(app, sessions)
    app.mount("/inner", starlette(raising(lambda: UnauthorisedError(clears_tokens=True))))
    with deployed(app, sessions, clock) as deployment:
        response = deployment.get("/inner/")

    assert (401, CLEARED) == (response.status_code, change(response))


def test_a_handler_of_one_s_own(app: FastAPI, client: Deployment) -> None:
    """The handlers of the application that has the sessions answer, with that application in their request."""

    @app.exception_handler(SessionError)
    def teapot(request: Request, error: Exception) -> Response:
        return PlainTextResponse(f"{type(error).__name__} {request.app is app} {request.url.path}", 418)

    app.mount("/inner", starlette(me))
    response = client.get("/inner/")

    assert (418, "UnauthorisedError True /inner/") == (response.status_code, response.text)


def test_handlers_of_the_mounted_application(app: FastAPI, client: Deployment) -> None:
    """A mounted application that answers these errors itself has its way."""
    app.mount("/inner", Starlette(routes=[Route("/", me)], exception_handlers={UnauthorisedError: oops}))

    assert (503, "oops") == ((response := client.get("/inner/")).status_code, response.text)


def test_inside_cors(app: FastAPI, sessions: Sessions, clock: HandClock) -> None:
    """Scripts of an allowed origin may read the answer."""
    app.add_middleware(CORSMiddleware, allow_origins=[PAGE], allow_credentials=True)
    app.mount("/inner", starlette(me))
    with deployed(app, sessions, clock) as deployment:
        response = deployment.get("/inner/", {"origin": PAGE})

    assert (401, PAGE) == (response.status_code, response.headers["access-control-allow-origin"])


@pytest.mark.parametrize("kind", KINDS[:-1], ids=lambda kind: kind.__name__)
def test_a_crash_stays_a_crash(kind: Callable[[Any], ASGIApp], app: FastAPI, deployment: Deployment) -> None:
    """A mounted application that crashes answers as it always did, and the server hears of it."""
    app.mount("/inner", kind(crash))
    response = deployment.get("/inner/")
    deployment.client._transport.raise_server_exceptions = True  # type: ignore[attr-defined]

    assert (503 if kind is with_a_handler_of_crashes else 500) == response.status_code
    with pytest.raises(ZeroDivisionError):
        deployment.get("/inner/")


def test_a_crash_that_one_of_ours_caused(app: FastAPI, deployment: Deployment) -> None:
    """Another error that was raised because of one of ours is a crash, and not answered as that."""

    async def endpoint(request: Request) -> None:
        try:
            await get_session_from_request(request)
        except UnauthorisedError as error:
            raise RuntimeError("nobody is here") from error

    app.mount("/inner", starlette(endpoint))

    assert 500 == deployment.get("/inner/").status_code


def test_what_a_mounted_application_answers_itself(app: FastAPI, client: Deployment) -> None:
    """A server error that a mounted application answers of its own accord goes out as it is, with the tokens of the request."""
    done: list[str] = []

    async def endpoint(request: Request) -> Response:
        await create_new_session_in_request(request, "ada")
        return PlainTextResponse("broken", 500, background=BackgroundTask(done.append, "later"))

    app.mount("/inner", starlette(endpoint))
    response = client.get("/inner/")

    assert (500, "broken", ["later"]) == (response.status_code, response.text, done)
    assert "new" == change(response)[ACCESS_HEADER]


def test_after_the_start(app: FastAPI, deployment: Deployment) -> None:
    """What is raised after the response has started cannot be answered any more: the connection breaks, as for any error."""

    async def endpoint(scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise UnauthorisedError("too late")

    app.mount("/inner", endpoint)
    deployment.client._transport.raise_server_exceptions = True  # type: ignore[attr-defined]

    with pytest.raises(RuntimeError, match="already started"):
        deployment.get("/inner/")


@pytest.mark.parametrize("kind", [Starlette, FastAPI])
def test_a_socket_of_a_mounted_application(kind: type[Starlette], app: FastAPI, client: Deployment) -> None:
    """A socket is refused by a response before it is accepted, and closed after, in a mounted application too."""

    async def early(websocket: WebSocket) -> None:
        await get_session_from_request(websocket)

    async def late(websocket: WebSocket) -> None:
        await websocket.accept()
        await get_session_from_request(websocket)

    app.mount("/inner", kind(routes=[WebSocketRoute("/early", early), WebSocketRoute("/late", late)]))
    with pytest.raises(WebSocketDenialResponse) as refused, client.client.websocket_connect("/inner/early"):
        pass
    with client.client.websocket_connect("/inner/late") as socket, pytest.raises(WebSocketDisconnect) as closed:
        socket.receive_text()

    assert (401, UNAUTHORISED) == (refused.value.status_code, refused.value.json())
    assert (3000, "unauthorised") == (closed.value.code, closed.value.reason)


def test_a_socket_that_a_middleware_refuses(clock: HandClock) -> None:
    """A middleware between refuses a socket as a route does."""
    app, sessions = FastAPI(), engine(clock)
    app.add_middleware(Raising)
    install(app, sessions)
    with (
        deployed(app, sessions, clock) as deployment,
        pytest.raises(WebSocketDenialResponse) as refused,
        deployment.client.websocket_connect("/"),
    ):
        pass

    assert (401, CLEARED) == (refused.value.status_code, change(refused.value))


def test_an_application_of_its_own_sessions(app: FastAPI, client: Deployment, clock: HandClock) -> None:
    """A mounted application with sessions of its own answers for those, by its own configuration."""
    inner = application(engine(clock, secret="another secret of thirty-two bytes", session_expired_status_code=440))
    inner.mount("/deep", starlette(me))
    app.mount("/inner", inner)

    assert [440, 440] == [client.get(path).status_code for path in ("/inner/me", "/inner/deep/")]
