"""Putting sessions into an application, once."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.routing import Route

from fastapi_session import (
    BooleanClaim,
    ConfigurationError,
    SessionConfig,
    Sessions,
    StoreUnavailable,
    install,
    origin,
    session_router,
)
from fastapi_session.doctor.application.mounted import UNHANDLED
from fastapi_session.stores.memory import MemoryStore
from fastapi_session.testing import HandClock
from tests.engines import SECRET, engine
from tests.web.deployment import application
from tests.web.wire import NEW, change
from tests.wire import ACCESS_HEADER, REFRESH_PATH


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


class RecordingStore(MemoryStore):
    """A store that notes when it is opened and closed."""

    def __init__(self, noted: list[str]) -> None:
        super().__init__()
        self.noted = noted

    async def open(self) -> None:
        self.noted.append("store opens")

    async def close(self) -> None:
        self.noted.append("store closes")


def test_it_answers_the_engine() -> None:
    """From a configuration an engine is made, and answered."""
    config = SessionConfig(store="memory:", api_domain="http://testserver")
    sessions = install(FastAPI(), config)

    assert type(sessions) is Sessions
    assert config is sessions.config


@pytest.mark.parametrize(
    "given",
    [
        (SessionConfig(store="memory:"),),
        (SessionConfig(store="memory:"), FastAPI()),
        (FastAPI(), SessionConfig),
        (FastAPI(), {}),
    ],
    ids=["no application", "the other way round", "a class", "a dictionary"],
)
def test_what_cannot_be_installed(given: tuple[Any, ...]) -> None:
    """Whatever is not an application and a configuration is refused with what to write."""
    with pytest.raises(ConfigurationError, match=r"install\(app, SessionConfig\(\)\)$"):
        install(*given)


def test_an_engine_that_was_made(clock: HandClock) -> None:
    """An engine that was made elsewhere is installed as it is."""
    sessions = engine(clock)

    assert sessions is install(FastAPI(), sessions)


def test_the_configuration_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a configuration the environment is asked."""
    monkeypatch.setenv("FASTAPI_SESSION_STORE", "memory:")
    monkeypatch.setenv("FASTAPI_SESSION_API_DOMAIN", "http://from.example")

    assert "http://from.example" == install(FastAPI()).config.api_domain


def test_twice(clock: HandClock) -> None:
    """An application has sessions once."""
    app = FastAPI()
    install(app, engine(clock))

    with pytest.raises(ConfigurationError, match="has sessions already"):
        install(app, engine(clock))


def test_an_engine_that_was_made_has_all_it_needs(clock: HandClock) -> None:
    """What belongs to an engine is given to it, not beside it."""
    with pytest.raises(
        ConfigurationError, match="give claims, validators, subscribers and moving_from to the Sessions"
    ):
        install(FastAPI(), engine(clock), claims=[BooleanClaim("verified", _nothing)])


async def _nothing(*_: object) -> None:
    return None


def test_one_engine_in_two_applications(clock: HandClock) -> None:
    """Two applications may share an engine: a session of one is a session of the other."""
    sessions = engine(clock)
    first, second = TestClient(application(sessions)), TestClient(application(sessions))
    held = first.post("/login?user_id=ada").headers[ACCESS_HEADER]

    assert 200 == second.get("/me", headers={"authorization": f"Bearer {held}"}).status_code


def test_the_store_lives_with_the_application() -> None:
    """The store is opened when the application starts and closed when it ends, within the application's own lifespan."""
    noted: list[str] = []

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        noted.append("application starts")
        try:
            yield
        finally:
            noted.append("application ends")

    app = FastAPI(lifespan=lifespan)
    install(app, SessionConfig(store=RecordingStore(noted), secret=SECRET, api_domain="http://testserver"))
    with TestClient(app):
        noted.append("requests")

    assert ["application starts", "store opens", "requests", "store closes", "application ends"] == noted


def test_without_a_lifespan(clock: HandClock) -> None:
    """If no lifespan runs, the first request opens what it needs."""
    client = TestClient(application(engine(clock)))

    assert NEW["header"] == change(client.post("/login?user_id=ada"))


def test_a_store_that_cannot_be_opened(clock: HandClock, tmp_path: Path) -> None:
    """An application whose store cannot be opened does not start."""
    app = FastAPI()
    install(app, engine(clock, store=f"sqlite:///{tmp_path / 'missing' / 'sessions.db'}"))

    with pytest.raises(StoreUnavailable), TestClient(app):
        pass


def test_another_secret(clock: HandClock, tmp_path: Path) -> None:
    """An application whose secret is not that of its store does not start, and is told which secret it needs."""
    store = f"sqlite:///{tmp_path / 'sessions.db'}"
    with TestClient(application(engine(clock, store=store))):
        pass
    other = application(engine(clock, store=store, secret="another secret of thirty-two bytes or more"))

    with pytest.raises(ConfigurationError, match=r"^secret: "), TestClient(other):
        pass


def test_what_is_wrong_is_said_at_the_start(clock: HandClock, caplog: pytest.LogCaptureFixture) -> None:
    """What the doctor finds in an application is in the log when it starts, each at its level, but for mere remarks."""
    wrong, right = FastAPI(), FastAPI()
    install(wrong, SessionConfig(store="memory:", secret=SECRET, cookie_same_site="none"))
    wrong.exception_handlers = {}
    install(right, SessionConfig(store="memory:", secret=SECRET, api_domain="http://localhost:8000"))
    for app in (wrong, right):
        with TestClient(app):
            pass

    assert [
        (
            logging.WARNING,
            "FS011 api_domain is not set: http://localhost:8000 is assumed; set api_domain to the origin that browsers see (FASTAPI_SESSION_API_DOMAIN)",
        ),
        (
            logging.ERROR,
            str(UNHANDLED.found("SessionError, DuplicateSessionCookiesError, StoreUnavailable")),
        ),
    ] == [(record.levelno, record.getMessage()) for record in caplog.records]


class OddRoute(Route):
    """A route of somebody's own, with something else under a name that FastAPI uses."""

    dependant = "of somebody's own"


def test_what_the_doctor_has_not_foreseen(clock: HandClock, caplog: pytest.LogCaptureFixture) -> None:
    """An application at which a check fails starts all the same, and the log says so, and what the others found."""
    app = application(engine(clock, api_domain="https://api.page.example", website_domain="https://page.example"))
    app.router.routes.append(OddRoute("/odd", lambda request: None))
    with TestClient(app):
        pass

    assert ["FS005", "FS041", "FS091"] == sorted(message[:5] for message in caplog.messages)


def test_what_is_not_bound_needs_no_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without device binding the list of all registries' names, which takes a while to read, is not read; at the start neither."""
    monkeypatch.setattr(origin, "PublicSuffixList", None)
    origin._public_suffixes.cache_clear()
    app, config = FastAPI(), SessionConfig(store="memory:", secret=SECRET, api_domain="https://api.example.com")

    assert isinstance(install(app, config), Sessions)
    with TestClient(app):
        pass


def test_routes_that_came_before(clock: HandClock) -> None:
    """It does not matter whether routes and routers stand before `install` or after it."""
    app = FastAPI()
    app.include_router(session_router())
    install(app, engine(clock))

    assert 401 == TestClient(app).post(REFRESH_PATH).status_code
