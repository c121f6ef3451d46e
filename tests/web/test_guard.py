"""A guard refuses as a route does, before its application knows, and passes the session on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse, PlainTextResponse
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route
from starlette.staticfiles import StaticFiles
from starlette.testclient import WebSocketDenialResponse
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from fastapi_session import (
    ClaimFailure,
    ConfigurationError,
    CreateSession,
    InvalidClaimsError,
    PayloadRule,
    PrimitiveClaim,
    Session,
    Sessions,
    UnauthorisedError,
    create_session,
    get_all_cors_headers,
    guarded,
    install,
    session_from_token,
    session_router,
    verify_session,
)
from fastapi_session.core.claims.validators import ClaimValidator
from fastapi_session.testing import HandClock
from tests.engines import config, engine
from tests.moments import DAY, HOUR
from tests.web.asgi import ask
from tests.web.deployment import CROSS_SITE, PAGE, Deployment, application, deployed
from tests.web.wire import CLEARED, KEPT, TRY_REFRESH_TOKEN, UNAUTHORISED, change

ORIGIN = "https://api.example"
HTML = {"accept": "text/html,*/*;q=0.8"}
MAX: ClaimValidator = PayloadRule("plan", lambda payload: payload.get("plan") == "max")


class Inner:
    """An ASGI application of one's own, which knows nothing of sessions but what is in its scope."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str | None]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        session = scope["state"]["session"]
        self.seen.append((scope["type"], session and session.user_id))
        if scope["type"] == "http":
            await JSONResponse(session and session.user_id)(scope, receive, send)
            return
        socket = WebSocket(scope, receive, send)
        await socket.accept()
        async for text in socket.iter_text():
            await socket.send_text(f"{session.user_id}: {text}")


@pytest.fixture
def inner() -> Inner:
    return Inner()


@pytest.fixture
def sessions(clock: HandClock) -> Sessions:
    return engine(clock, **CROSS_SITE)


@pytest.fixture
def app(sessions: Sessions, inner: Inner, tmp_path: Path) -> FastAPI:
    (tmp_path / "index.html").write_text("<title>Notes</title>", "utf-8")
    app = application(sessions)
    app.mount("/inner", guarded(inner, verify_session()))
    app.mount("/optional-inner", guarded(inner, verify_session(session_required=False)))
    app.mount("/max", guarded(inner, verify_session(MAX)))
    app.mount("/checked-inner", guarded(inner, verify_session(check_database=True)))
    app.mount("/page", guarded(StaticFiles(directory=tmp_path, html=True), verify_session(), login_url="/sign-in"))
    app.mount("/own", guarded(inner, verify_session(), login_url="/own/sign-in"))
    return app


@pytest.mark.parametrize("method", ["cookie", "header"])
def test_a_session(method: str, deployment: Deployment, inner: Inner) -> None:
    """A request with a session reaches the application, which finds the session in its state."""
    response = deployment.get("/inner/x", deployment.login(method).to_call())

    assert (200, "ada", KEPT) == (response.status_code, response.json(), change(response))
    assert "private" == response.headers["cache-control"]
    assert [("http", "ada")] == inner.seen


def test_a_refusal(deployment: Deployment, inner: Inner) -> None:
    """Whoever a route would refuse gets the same response, and the application does not see him."""
    held = deployment.login()
    for path in ("/inner", "/optional-inner"):
        forged = deployment.post(f"{path}/", {"cookie": held.to_call()["cookie"]})
        assert (401, TRY_REFRESH_TOKEN) == (forged.status_code, forged.json()), path
    without = [deployment.get(path) for path in ("/inner/", "/me")]
    deployment.clock.advance(HOUR)
    expired = [deployment.get(path, held.to_call()) for path in ("/inner/", "/me")]

    for ours, theirs in (without, expired):
        assert (theirs.status_code, theirs.json()) == (ours.status_code, ours.json())
        assert (dict(theirs.headers), KEPT) == (dict(ours.headers), change(ours))
    assert [] == inner.seen


def test_no_session_where_none_is_required(deployment: Deployment, inner: Inner) -> None:
    """Where a session is optional, the application finds `None` in its state."""
    assert (200, None) == ((response := deployment.get("/optional-inner/")).status_code, response.json())
    assert [("http", None)] == inner.seen


def test_claims(deployment: Deployment, inner: Inner) -> None:
    """A session that does not satisfy the validators is refused, with the failures."""
    response = deployment.get("/max/", deployment.login().to_call())

    assert (403, [{"id": "plan"}]) == (response.status_code, response.json()["claimValidationErrors"])
    assert [] == inner.seen


def test_a_session_that_has_ended(deployment: Deployment, inner: Inner) -> None:
    """A refusal that clears the client's tokens does so here too."""
    held = deployment.login()
    deployment.ask(deployment.sessions.revoke_all, "ada")
    response = deployment.get("/checked-inner/", held.to_call())

    assert (401, UNAUTHORISED, CLEARED) == (response.status_code, response.json(), change(response))
    assert [] == inner.seen


def test_an_own_handler(app: FastAPI, sessions: Sessions, clock: HandClock) -> None:
    """The application's own handler responds to a refusal of a guard, as to that of a route."""

    @app.exception_handler(UnauthorisedError)
    async def gone(_request: Request, _error: UnauthorisedError) -> PlainTextResponse:
        return PlainTextResponse("gone", 410)

    with deployed(app, sessions, clock, ORIGIN) as deployment:
        assert [410, 410] == [deployment.get(path).status_code for path in ("/inner/", "/page/")]


def test_a_socket(deployment: Deployment, inner: Inner) -> None:
    """A socket with a session reaches the application, one without is refused by a response, and one whose session ends closes."""
    with pytest.raises(WebSocketDenialResponse) as refused, deployment.client.websocket_connect("/inner/"):
        pass
    assert (401, UNAUTHORISED, []) == (refused.value.status_code, refused.value.json(), inner.seen)

    with deployment.client.websocket_connect("/inner/", headers=deployment.login().to_call()) as socket:
        socket.send_text("hello")
        assert "ada: hello" == socket.receive_text()
        deployment.ask(deployment.sessions.revoke_all, "ada")
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_text()

    assert (3000, "unauthorised") == (closed.value.code, closed.value.reason)


def test_a_socket_of_another_origin(deployment: Deployment, inner: Inner) -> None:
    """A page of another site opens no socket with the cookies of its visitor."""
    headers = deployment.login().to_call() | {"origin": "https://evil.example"}
    with pytest.raises(WebSocketDenialResponse), deployment.client.websocket_connect("/inner/", headers=headers):
        pass
    assert [] == inner.seen


class TestSignInPage:
    """A guard with a sign-in page."""

    @pytest.mark.parametrize(
        ("path", "seen"),
        [
            ("/page/", "/page/"),
            ("/page/notes?q=a%26b", "/page/notes?q=a%2526b"),
            ("/page/%2F%2Fevil.example", "/page/%252F%252Fevil.example"),
            ("/page//evil.example", "/page//evil.example"),
        ],
    )
    def test_a_page(self, path: str, seen: str, deployment: Deployment) -> None:
        """A browser that opens a page without a session is sent to sign in, and from there to a path of this host."""
        response = deployment.get(path, HTML)

        assert (303, f"/sign-in?next={seen}") == (response.status_code, response.headers["location"])
        assert "no-store" == response.headers["cache-control"]

    def test_a_page_whose_session_has_expired(self, deployment: Deployment) -> None:
        """Without a refresh for pages, it is the sign-in page that refreshes."""
        held = deployment.login()
        deployment.clock.advance(HOUR)
        response = deployment.get("/page/", held.to_call(), HTML)

        assert (303, "/sign-in?next=/page/", KEPT) == (
            response.status_code,
            response.headers["location"],
            change(response),
        )

    @pytest.mark.parametrize(
        "headers", [{}, {"accept": "*/*"}, HTML | {"hx-request": "true"}, HTML | {"sec-purpose": "prefetch"}]
    )
    def test_anything_else(self, headers: dict[str, str], deployment: Deployment) -> None:
        """A script, an image and whoever sends something get the usual refusal."""
        assert 401 == deployment.get("/page/", headers).status_code
        assert 401 == deployment.post("/page/", HTML).status_code
        assert 401 == deployment.get("/inner/", HTML).status_code

    def test_signed_in(self, deployment: Deployment) -> None:
        """Who is signed in gets the page, and 404 is the application's."""
        held = deployment.login()
        assert "<title>Notes</title>" == deployment.get("/page/", held.to_call(), HTML).text
        assert 404 == deployment.get("/page/nothing", held.to_call(), HTML).status_code

    def test_a_sign_in_page_that_is_guarded_itself(self, deployment: Deployment) -> None:
        """It is not redirected to itself."""
        assert 303 == deployment.get("/own/", HTML).status_code
        assert 401 == deployment.get("/own/sign-in?next=/own/", HTML).status_code

    @pytest.mark.parametrize("login_url", ["", "login", "//evil.example", "https://evil.example/", "/\\evil.example"])
    def test_a_page_of_another_host(self, login_url: str, inner: Inner) -> None:
        """The sign-in page is a path of this host."""
        with pytest.raises(ConfigurationError, match="login_url as the path"):
            guarded(inner, verify_session(), login_url=login_url)

    def test_with_a_refresh_for_pages(self, clock: HandClock, inner: Inner) -> None:
        """Where the application serves pages, an expired session is refreshed on the way, and the guard's own page is for the rest."""
        sessions = engine(clock, login_url="/login")
        app = FastAPI()
        install(app, sessions)
        app.include_router(session_router(pages=True))
        app.mount("/page", guarded(inner, verify_session(), login_url="/sign-in"))
        app.mount("/other", guarded(inner, verify_session()))

        @app.post("/login")
        async def login(user_id: str, create: Annotated[CreateSession, Depends(create_session())]) -> None:
            await create(user_id)

        with deployed(app, sessions, clock) as deployment:
            held = deployment.login()
            assert "/sign-in?next=/page/" == deployment.get("/page/", HTML).headers["location"]
            assert "/login?next=/other/" == deployment.get("/other/", HTML).headers["location"]
            clock.advance(HOUR + HOUR)
            expired = deployment.get("/page/", held.to_call(), HTML)

        assert "/auth/session/refresh/page?next=/page/" == expired.headers["location"]


def test_a_preflight(sessions: Sessions, clock: HandClock, app: FastAPI, inner: Inner) -> None:
    """The CORS middleware of the application answers a preflight; one that reaches the guard is refused."""
    preflight = {"origin": PAGE, "access-control-request-method": "POST", "access-control-request-headers": "rid"}
    with deployed(app, sessions, clock, ORIGIN) as deployment:
        assert 401 == deployment.request("OPTIONS", "/inner/", preflight).status_code

    app = application(sessions)
    app.mount("/inner", guarded(inner, verify_session()))
    app.add_middleware(
        CORSMiddleware,
        allow_origins=[PAGE],
        allow_credentials=True,
        allow_headers=get_all_cors_headers(),
        allow_methods=["*"],
    )
    with deployed(app, sessions, clock, ORIGIN) as deployment:
        allowed = deployment.request("OPTIONS", "/inner/", preflight)
        refused = deployment.get("/inner/", {"origin": PAGE})

    assert (200, 401) == (allowed.status_code, refused.status_code)
    assert [PAGE, PAGE] == [each.headers["access-control-allow-origin"] for each in (allowed, refused)]
    assert [] == inner.seen


def test_tokens_are_sent(clock: HandClock, inner: Inner) -> None:
    """If a claim has to be fetched again, the new access token goes out with the response of the application."""
    levels = iter([1, 2])

    async def level(_user_id: str, _tenant_id: str, _payload: Any) -> int:
        return next(levels)

    claim = PrimitiveClaim[int]("level", level)
    sessions = Sessions(config(), claims=[claim], clock=clock)
    app = application(sessions)
    app.mount("/inner", guarded(inner, verify_session(claim.has_value(2, max_age=DAY))))
    with deployed(app, sessions, clock) as deployment:
        held = deployment.refreshed(deployment.login())
        clock.advance(DAY)
        response = deployment.get("/inner/", deployment.refreshed(held).to_call())

    assert (200, "new") == (response.status_code, change(response)["front-token"])


def test_as_a_middleware(deployment: Deployment, inner: Inner) -> None:
    """A mounted application may have it as a middleware; an error of ours that it raises itself has its usual response."""

    async def who(request: Request) -> JSONResponse:
        return JSONResponse(request.state.session.user_id)

    async def fails(request: Request) -> JSONResponse:
        raise InvalidClaimsError([ClaimFailure("x")])

    routes = [Route("/who", who), Route("/fails", fails)]
    mounted = Starlette(routes=routes, middleware=[Middleware(guarded, verify_session())])
    deployment.app.mount("/mounted", mounted)
    held = deployment.login()

    assert (401, UNAUTHORISED) == ((refused := deployment.get("/mounted/who")).status_code, refused.json())
    assert "ada" == deployment.get("/mounted/who", held.to_call()).json()
    assert 403 == deployment.get("/mounted/fails", held.to_call()).status_code


async def test_outside_of_install(inner: Inner) -> None:
    """A guard around the application with sessions says what to do instead."""
    with pytest.raises(ConfigurationError, match=r"call fastapi_session.install"):
        await ask(guarded(inner, verify_session()), "GET", "/")


async def test_the_lifespan() -> None:
    """What is neither a request nor a socket is the application's own."""
    seen = []

    async def lives(scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(scope["type"])

    await guarded(lives, verify_session())({"type": "lifespan"}, None, None)  # type: ignore[arg-type]

    assert ["lifespan"] == seen


@pytest.mark.parametrize("wrong", [verify_session, None, lambda: None])
def test_no_requirements(wrong: Any, inner: Inner) -> None:
    """What is no provider of a session is refused at once, with what to write."""
    with pytest.raises(ConfigurationError, match=r"verify_session\(\)\)"):
        guarded(inner, wrong)
    with pytest.raises(ConfigurationError, match="give an ASGI application"):
        guarded("page", verify_session())  # type: ignore[arg-type]


class TestGivenToken:
    """A token that comes in a message of a socket."""

    @pytest.fixture
    def app(self, sessions: Sessions) -> FastAPI:
        app = application(sessions)

        @app.websocket("/later")
        async def later(
            socket: WebSocket, session: Annotated[Session | None, Depends(verify_session(session_required=False))]
        ) -> None:
            await socket.accept()
            found = await session_from_token(
                socket, await socket.receive_json(), verify_session(session_required=False)
            )
            await socket.send_text(f"{session and session.user_id}, {found.user_id}")
            await socket.receive_text()

        @app.get("/no-socket")
        async def no_socket(request: Request) -> None:
            await session_from_token(request, "", verify_session())

        return app

    def test_it_opens(self, deployment: Deployment) -> None:
        """It counts in the place of what the handshake brought, and the socket ends with its session."""
        bob, ada = deployment.login(user_id="bob"), deployment.login("header")
        with deployment.client.websocket_connect("/later", headers=bob.to_call()) as socket:
            socket.send_json(ada.access)
            assert "bob, ada" == socket.receive_text()
            deployment.ask(deployment.sessions.revoke_all, "ada")
            with pytest.raises(WebSocketDisconnect) as closed:
                socket.receive_text()

        assert (3000, "unauthorised") == (closed.value.code, closed.value.reason)

    @pytest.mark.parametrize("token", [None, 1, {}, "", "\u00e4", "a.b.c", "\ud800", "x\r\ny: z"])
    def test_it_is_none(self, token: object, deployment: Deployment) -> None:
        """Whatever a client sends that is no token, closes the socket; a session in a cookie does not help."""
        with deployment.client.websocket_connect("/later", headers=deployment.login().to_call()) as socket:
            socket.send_json(token)
            with pytest.raises(WebSocketDisconnect) as closed:
                socket.receive_text()

        assert (3000, "unauthorised") == (closed.value.code, closed.value.reason)

    def test_it_has_expired(self, deployment: Deployment) -> None:
        """The client is told to refresh."""
        held = deployment.login("header")
        deployment.clock.advance(HOUR)
        with deployment.client.websocket_connect("/later") as socket:
            socket.send_json(held.access)
            with pytest.raises(WebSocketDisconnect) as closed:
                socket.receive_text()

        assert (3000, "try refresh token") == (closed.value.code, closed.value.reason)

    def test_a_request(self, deployment: Deployment) -> None:
        """A request has its token in a header or a cookie, and the function says so."""
        assert 500 == deployment.get("/no-socket").status_code
