"""An application that is made once, at the top of a module: each test has sessions of its own in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from fastapi_session import ConfigurationError, Sessions, SqliteStore
from fastapi_session.testing import HandClock, auto_refresh, fresh_sessions, sign_in
from tests.testing import shop
from tests.testing.shop import ORIGIN, app


@pytest.fixture
def client(sessions: Sessions) -> TestClient:
    return auto_refresh(TestClient(app), sessions)


@pytest.mark.parametrize("test", ["one", "another"])
def test_each_test_begins_with_none(test: str, sessions: Sessions, client: TestClient) -> None:
    """What another test left is not there, nothing asks the configured store, and the module's own variable takes part."""
    client.post("/login?user_id=root")

    assert 1 == client.get("/count").json()
    assert sessions is shop.sessions


@pytest.mark.parametrize("test", ["one", "another"])
def test_each_lifespan_opens_its_own(test: str, sessions: Sessions, client: TestClient) -> None:
    """Clients that are opened one after another, each with an event loop of its own, open and close the sessions of their test."""
    with client:
        client.post("/login?user_id=root")
        assert sessions.revocation_feed_age is not None
        assert "root" == client.get("/me").json()


def test_what_was_installed_stays(sessions: Sessions, client: TestClient) -> None:
    """Claims are fetched and events told as `install` was asked, and the settings are those of the application."""
    shop.TOLD.clear()
    with client:
        client.post("/login?user_id=root")
        assert ["admin"] == client.get("/admin").json()
    assert ["root"] == [event.user_id for event in shop.TOLD]
    assert ORIGIN == sessions.config.api_domain


def test_those_of_before_come_back(clock: HandClock) -> None:
    """A `with` within another puts sessions in their place for its time, also if the test fails in it."""
    with fresh_sessions(app, clock=clock) as outer:
        client = TestClient(app)
        sign_in(client, outer, "root")
        store = outer.store
        with suppress(ZeroDivisionError), fresh_sessions(app) as inner:
            assert 401 == client.get("/me").status_code
            raise ZeroDivisionError
        assert inner is outer
        assert store is outer.store
        assert "root" == client.get("/me").json()


@pytest.fixture(scope="module")
def open_client() -> Iterator[TestClient]:
    """A client that is open for longer than a test, as some like it for speed."""
    with fresh_sessions(app), TestClient(app) as client:
        yield client


@pytest.mark.parametrize("test", ["one", "another"])
def test_a_client_may_stay_open(test: str, open_client: TestClient, clock: HandClock) -> None:
    """Sessions that begin anew under an open client are those of the test all the same."""
    with fresh_sessions(app, clock=clock) as sessions:
        sign_in(open_client, sessions, "root")
        assert 1 == open_client.get("/count").json()
        clock.advance(timedelta(hours=2))
        assert {"message": "try refresh token"} == open_client.get("/me").json()


def test_another_store(tmp_path: Path, clock: HandClock) -> None:
    """A store for the test may be said by a URL or be one: what is in it is there for the next who says it."""
    path = tmp_path / "test.db"
    client = TestClient(app)
    with fresh_sessions(app, clock=clock, store=f"sqlite:///{path}") as sessions:
        sign_in(client, sessions, "root")
    with fresh_sessions(app, clock=clock, store=SqliteStore(path, clock=clock)):
        assert "root" == client.get("/me").json()


@pytest.mark.parametrize(
    ("other", "store", "words"),
    [(FastAPI(), "memory:", "call install"), (app, "sqlite:/x", "give sqlite:///path")],
)
def test_what_cannot_be(other: FastAPI, store: str, words: str) -> None:
    """An application without sessions and a store that is none are told at once, and nothing has changed."""
    before = dict(vars(shop.sessions))

    with pytest.raises(ConfigurationError, match=words), fresh_sessions(other, store=store):
        pass
    assert before == vars(shop.sessions)
