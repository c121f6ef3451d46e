"""Providers are values: two that ask the same are one, and FastAPI finds them again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.testclient import TestClient

from fastapi_session import (
    ConfigurationError,
    CreateSession,
    PrimitiveClaim,
    RefreshSession,
    Session,
    SessionConfig,
    SessionEvent,
    Sessions,
    create_session,
    get_sessions,
    refresh_session,
    verify_session,
)
from fastapi_session.testing import HandClock
from tests.engines import engine
from tests.moments import PAST_GRACE
from tests.web.deployment import Deployment, Verified, application, deployed
from tests.web.wire import KEPT, NEW, TRY_REFRESH_TOKEN, change


async def no_level(_user_id: str, _tenant_id: str, _payload: object) -> None:
    """Know of no level."""


class HasLevel:
    """A validator of one's own."""

    def claim_to_fetch(self, payload: Any, *, now: int) -> None: ...

    def failure(self, payload: Any, *, now: int) -> None: ...


LEVEL = PrimitiveClaim[float]("level", no_level)


class CountingSessions(Sessions):
    """Sessions that count how often a token is verified."""

    verified = 0

    async def verify(self, *arguments: Any, **options: Any) -> Any:
        self.verified += 1
        return await super().verify(*arguments, **options)


@pytest.fixture
def sessions(clock: HandClock) -> CountingSessions:
    return CountingSessions(engine(clock).config, clock=clock)


@pytest.mark.parametrize(
    ("one", "same", "other"),
    [
        (verify_session(), verify_session(), verify_session(session_required=False)),
        (verify_session(), verify_session(check_database=False), verify_session(check_database=True)),
        (verify_session(), verify_session(anti_csrf_check=None), verify_session(anti_csrf_check=False)),
        (verify_session(LEVEL.has_value(1)), verify_session(LEVEL.has_value(1)), verify_session(LEVEL.has_value(2))),
        (verify_session(LEVEL.has_value(1)), verify_session(LEVEL.has_value(1)), verify_session(LEVEL.has_value(True))),
        (verify_session(LEVEL.has_value(1)), verify_session(LEVEL.has_value(1)), verify_session(LEVEL.has_value(1.0))),
        (create_session(), create_session(), refresh_session()),
        (get_sessions(), get_sessions(), verify_session()),
    ],
)
def test_providers_are_values(one: object, same: object, other: object) -> None:
    """Two providers that ask the same are equal; two that do not are not."""
    assert one == same
    assert hash(one) == hash(same)
    assert one != other


async def _user_id(session: Verified) -> str:
    return session.user_id


async def _again(session: Annotated[Session, Depends(verify_session())]) -> Session:
    return session


def test_a_session_is_verified_once_a_request(app: FastAPI, sessions: CountingSessions, deployment: Deployment) -> None:
    """However many dependencies of one route ask for the same session, it is verified once and is one object."""

    @app.get("/twice", dependencies=[Depends(verify_session())])
    async def twice(
        first: Annotated[Session, Depends(_again)], second: Verified, name: Annotated[str, Depends(_user_id)]
    ) -> tuple[bool, str]:
        return first is second, name

    assert [True, "ada"] == deployment.get("/twice", deployment.login().to_call()).json()
    assert 1 == sessions.verified


def test_different_questions_are_asked_separately(
    app: FastAPI, sessions: CountingSessions, deployment: Deployment
) -> None:
    """A question that asks more is not answered by one that asked less."""

    @app.get("/twice")
    async def twice(first: Verified, second: Annotated[Session, Depends(verify_session(check_database=True))]) -> bool:
        return first is second

    assert deployment.get("/twice", deployment.login().to_call()).json() is False
    assert 2 == sessions.verified


def test_an_overridden_provider(app: FastAPI, deployment: Deployment) -> None:
    """`dependency_overrides[verify_session()]` takes the place of the provider wherever it is asked for."""

    class Stranger:
        user_id = "stranger"

    @app.get("/whose")
    async def whose(session: Verified) -> str:
        return session.user_id

    @app.get("/whose-indeed")
    async def whose_indeed(session: Annotated[Session, Depends(verify_session(check_database=True))]) -> str:
        return session.user_id

    app.dependency_overrides[verify_session()] = Stranger

    assert "stranger" == deployment.get("/whose").json()
    assert 401 == deployment.get("/whose-indeed").status_code


def test_a_synchronous_endpoint(app: FastAPI, deployment: Deployment) -> None:
    """A plain `def` endpoint is given the session as any other."""

    @app.get("/sync")
    def sync(session: Verified) -> str:
        return session.user_id

    assert "ada" == deployment.get("/sync", deployment.login().to_call()).json()
    assert 401 == deployment.get("/sync").status_code


@pytest.mark.parametrize("provider", [verify_session, create_session, refresh_session, get_sessions])
def test_forgotten_parentheses(provider: Any, app: FastAPI) -> None:
    """A function that makes providers is refused as one when the route is defined, with what to write."""
    router = APIRouter()
    expected = rf"^Depends\({provider.__name__}\): write Depends\({provider.__name__}\(\)\), with parentheses$"

    async def endpoint(session: Any = Depends(provider)) -> None: ...

    async def anybody() -> None: ...

    for define in (app.get("/given"), router.get("/given")):
        with pytest.raises(ConfigurationError, match=expected):
            define(endpoint)
    with pytest.raises(ConfigurationError, match=expected):
        app.get("/guarded", dependencies=[Depends(provider)])(anybody)


@pytest.mark.parametrize(
    "given",
    [LEVEL, LEVEL.has_value, HasLevel, False, "admin", [LEVEL.has_value(1)]],
    ids=["a claim", "a method", "a class", "a truth value", "a text", "a list"],
)
@pytest.mark.parametrize("ask", [verify_session, lambda it: Sessions(SessionConfig(store="memory:"), validators=[it])])
def test_what_is_no_validator(given: Any, ask: Callable[[Any], object]) -> None:
    """A claim of which nothing is asked, a rule that was not called and the like are refused before the first request."""
    with pytest.raises(
        ConfigurationError,
        match=r'^validators: .* Role.has_value\("admin"\), Roles.includes\("admin"\) or Fresh\(minutes=5\)$',
    ):
        ask(given)


def test_what_is_no_claim() -> None:
    """A rule in the place of its claim is refused before the first sign-in."""
    with pytest.raises(ConfigurationError, match=r"^claims: .* is none; give the claims themselves"):
        Sessions(SessionConfig(store="memory:"), claims=[LEVEL.has_value(1)])  # type: ignore[list-item]


async def told(event: SessionEvent) -> None: ...


@pytest.mark.parametrize(
    ("option", "given"),
    [("claims", LEVEL), ("validators", LEVEL.has_value(1)), ("subscribers", told)],
    ids=["claims", "validators", "subscribers"],
)
def test_what_is_no_list(option: str, given: Any) -> None:
    """The one that somebody has, given in the place of a list, is refused with that."""
    with pytest.raises(ConfigurationError, match=f"^{option}: give a list of them"):
        Sessions(SessionConfig(store="memory:"), **{option: given})


METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PURGE"]


@pytest.mark.parametrize("method", METHODS)
def test_every_method_that_a_route_lists_is_guarded(method: str, app: FastAPI, deployment: Deployment) -> None:
    """Whoever registers a handler for a method has it guarded, OPTIONS and TRACE too: by route, by router and optionally."""

    async def handler(session: Annotated[Session, Depends(verify_session())]) -> str:
        return session.user_id

    async def anybody() -> str:
        return "secret"

    router = APIRouter(dependencies=[Depends(verify_session())])
    router.add_api_route("/by-router", anybody, methods=[method])
    app.include_router(router)
    app.add_api_route("/by-route", handler, methods=[method])
    app.add_api_route("/of-several", handler, methods=METHODS)
    held = deployment.login()
    for path in ("/by-router", "/by-route", "/of-several"):
        refused, answered = (deployment.request(method, path, headers) for headers in ({}, held.to_call()))

        assert (401, 200) == (refused.status_code, answered.status_code)
        assert "secret" not in refused.text


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE"])
def test_a_method_that_no_route_lists_asks_no_session(
    method: str, app: FastAPI, sessions: CountingSessions, deployment: Deployment
) -> None:
    """What the application has not registered is answered before any provider runs, whatever comes with it."""
    app.router.dependencies.append(Depends(verify_session()))
    app.get("/any", dependencies=[Depends(verify_session())])(lambda: None)
    for headers in ({}, deployment.login().to_call(), {"cookie": "sAccessToken=junk"}):
        response = deployment.request(method, "/any", headers)

        assert (405, KEPT) == (response.status_code, change(response))
    assert 0 == sessions.verified


def test_a_preflight_never_reaches_a_provider(clock: HandClock) -> None:
    """A CORS preflight comes without credentials, and is answered by the middleware even if a route lists OPTIONS."""
    sessions = engine(clock)
    app = application(sessions)
    app.add_middleware(CORSMiddleware, allow_origins=["https://page.example"], allow_credentials=True)
    app.options("/me", dependencies=[Depends(verify_session())])(lambda: None)
    with deployed(app, sessions, clock) as deployment:
        origin = {"origin": "https://page.example"}
        preflight = deployment.request("OPTIONS", "/me", origin, {"access-control-request-method": "GET"})
        other = deployment.request("OPTIONS", "/me", origin)

    assert (200, 401) == (preflight.status_code, other.status_code)


def test_head_is_checked_as_post_is(app: FastAPI, clock: HandClock) -> None:
    """Only GET is free of the anti-CSRF check."""
    sessions = engine(clock, anti_csrf="VIA_CUSTOM_HEADER")
    app = application(sessions)
    app.head("/me", dependencies=[Depends(verify_session())])(lambda: None)
    with deployed(app, sessions, clock) as deployment:
        held = deployment.login()

        assert 401 == deployment.request("HEAD", "/me", held.to_call()).status_code
        assert 200 == deployment.request("HEAD", "/me", held.to_call(), {"rid": "x"}).status_code


@pytest.mark.parametrize(
    "provider",
    [verify_session(), verify_session(session_required=False), create_session(), refresh_session(), get_sessions()],
)
def test_a_missing_install_names_the_fix(provider: Callable[..., Any]) -> None:
    """If `install` was not called, the error of a route that asks for a session says to call it."""
    app = FastAPI()
    app.get("/", dependencies=[Depends(provider)])(lambda: None)

    with pytest.raises(ConfigurationError, match=r"call fastapi_session\.install\(app, "):
        TestClient(app).get("/")


def test_a_refresh_endpoint_of_one_s_own(app: FastAPI, deployment: Deployment) -> None:
    """With `refresh_session()` an application writes its own refresh endpoint."""

    @app.post("/again")
    async def again(refresh: Annotated[RefreshSession, Depends(refresh_session())]) -> str:
        return (await refresh()).user_id

    held = deployment.login("header")
    deployment.clock.advance(PAST_GRACE)
    response = deployment.post("/again", held.to_refresh())

    assert ("ada", NEW["header"]) == (response.json(), change(response))


def test_every_argument_of_create(app: FastAPI, sessions: Sessions, deployment: Deployment) -> None:
    """What the route says of a new session is what is known of it."""

    @app.post("/answer")
    async def route(create: Annotated[CreateSession, Depends(create_session())]) -> tuple[str, str, str]:
        session = await create(
            "ada",
            tenant_id="acme",
            recipe_user_id="ada@mail",
            access_token_payload={"plan": "pro", "sub": "mallory"},
            session_data={"theme": "dark"},
        )
        return session.user_id, session.recipe_user_id, session.tenant_id

    response = deployment.post("/answer")
    (found,) = deployment.ask(sessions.of_user, "ada")

    assert ["ada", "ada@mail", "acme"] == response.json()
    assert ("ada@mail", "acme") == (found.recipe_user_id, found.tenant_id)
    assert ({"plan": "pro"}, {"theme": "dark"}) == (found.access_token_payload, found.session_data)


def test_the_engine(app: FastAPI, sessions: Sessions, deployment: Deployment) -> None:
    """`get_sessions()` provides the engine that was installed."""

    @app.get("/engine")
    async def provided(given: Annotated[Sessions, Depends(get_sessions())]) -> bool:
        return given is sessions

    assert deployment.get("/engine").json() is True


def test_a_dependency_of_a_router(app: FastAPI, deployment: Deployment) -> None:
    """A session asked for by a whole router guards each of its routes, and can be had from the request's own dependencies."""

    @app.get("/guarded-by-router", dependencies=[Depends(verify_session())])
    async def route(request: Request) -> str:
        return type(request).__name__

    assert (401, TRY_REFRESH_TOKEN) == _expired(deployment)
    assert 200 == deployment.get("/guarded-by-router", deployment.login().to_call()).status_code


def _expired(deployment: Deployment) -> tuple[int, Any]:
    held = deployment.login()
    deployment.clock.advance(deployment.sessions.config.access_token_validity)
    response = deployment.get("/guarded-by-router", held.to_call())
    return response.status_code, response.json()
