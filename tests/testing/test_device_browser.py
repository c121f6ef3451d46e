"""A test's client that binds its sessions to a key, as a browser does that can."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import httpx2
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from fastapi_session import ConfigurationError, Sessions
from fastapi_session.testing import HandClock, auto_refresh, bind_device
from tests.engines import engine
from tests.moments import HOUR, MINUTE
from tests.web.binding.browsers import BINDING_COOKIE, BOUND, HTTPS, SKIPPED, DownStore
from tests.web.deployment import application
from tests.wire import AUTH_MODE, REFRESH_COOKIE, REFRESH_PATH, SIGN_OUT_PATH

COOKIES = {AUTH_MODE: "cookie"}


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def store(clock: HandClock) -> DownStore:
    return DownStore(clock)


@pytest.fixture(params=["refresh", "all"])
def sessions(request: pytest.FixtureRequest, clock: HandClock, store: DownStore) -> Sessions:
    """Sessions that browsers bind, by either scope."""
    return engine(clock, store=store, **BOUND, device_binding_scope=request.param)


@pytest.fixture
def app(sessions: Sessions) -> FastAPI:
    return application(sessions)


@pytest.fixture
def browser(app: FastAPI, sessions: Sessions) -> Iterator[TestClient]:
    """A browser that has bound the session of "ada"."""
    with bind_device(TestClient(app, base_url=HTTPS), sessions) as client:
        client.post("/login?user_id=ada", headers=COOKIES)
        yield client


def is_bound(client: TestClient, sessions: Sessions) -> bool:
    assert client.portal is not None
    [found] = client.portal.call(sessions.of_user, "ada")
    bound: bool = found.bound
    return bound


def test_it_binds_what_begins_and_goes_on(browser: TestClient, sessions: Sessions, clock: HandClock) -> None:
    """Its session is bound at the sign-in, and refreshed as often as its access token ends."""
    seen = []
    for _ in range(3):
        clock.advance(2 * HOUR)
        seen.append(browser.post(REFRESH_PATH).status_code)
        seen.append(browser.get("/me").status_code)

    assert is_bound(browser, sessions)
    assert [200] * 6 == seen


def test_who_has_its_cookies_cannot(browser: TestClient, app: FastAPI, clock: HandClock) -> None:
    """Another client with all of its cookies is refused once the credential has ended, and it goes on itself."""
    thief = TestClient(app, base_url=HTTPS, cookies=browser.cookies)
    clock.advance(HOUR)

    assert 401 == thief.post(REFRESH_PATH).status_code
    assert 200 == browser.post(REFRESH_PATH).status_code


@pytest.mark.parametrize("first", ["auto_refresh", "bind_device"])
def test_beside_auto_refresh(first: str, app: FastAPI, sessions: Sessions, clock: HandClock) -> None:
    """A client can do both, whichever came first: then a call that was refused is made again, with a key that was proved."""
    client = TestClient(app, base_url=HTTPS)
    if first == "auto_refresh":
        bind_device(auto_refresh(client, sessions, method="cookie"), sessions)
    else:
        auto_refresh(bind_device(client, sessions), sessions, method="cookie")
    client.post("/login?user_id=ada")
    seen = []
    for _ in range(3):
        clock.advance(2 * HOUR)
        seen.append(client.get("/me").json())

    assert [{"user_id": "ada"}] * 3 == seen


def test_the_store_is_down(browser: TestClient, clock: HandClock, store: DownStore) -> None:
    """While the store is down it says that it could not renew, and afterwards it goes on."""
    clock.advance(HOUR)
    store.down = True
    response = browser.post(REFRESH_PATH)

    assert (503, True) == (response.status_code, response.request.headers[SKIPPED].startswith("server_error"))
    store.down = False
    assert 200 == browser.post(REFRESH_PATH).status_code


def test_it_forgets_what_is_over(browser: TestClient, clock: HandClock) -> None:
    """A session that was signed out is not renewed any more, and the next one is bound."""
    browser.post(SIGN_OUT_PATH)
    clock.advance(HOUR)
    assert 401 == browser.post(REFRESH_PATH).status_code
    assert 401 == browser.post(REFRESH_PATH).status_code
    browser.post("/login?user_id=ada", headers=COOKIES)
    clock.advance(HOUR)

    assert 200 == browser.post(REFRESH_PATH).status_code


def test_a_later_sign_in(browser: TestClient, clock: HandClock) -> None:
    """Of two sessions in one browser the later one is refreshed."""
    browser.post("/login?user_id=bob", headers=COOKIES)
    clock.advance(HOUR)
    browser.post(REFRESH_PATH)

    assert {"user_id": "bob"} == browser.get("/me").json()


def test_challenged(browser: TestClient, clock: HandClock) -> None:
    """With an old challenge it is challenged, and proves again."""
    clock.advance(6 * HOUR)

    assert 200 == browser.post(REFRESH_PATH).status_code


def test_what_is_not_guarded_is_not_held(browser: TestClient, clock: HandClock) -> None:
    """A credential that is still good is not renewed."""
    before = browser.cookies[BINDING_COOKIE]
    clock.advance(2 * MINUTE)
    browser.get("/me")
    browser.post(REFRESH_PATH)

    assert before == browser.cookies[BINDING_COOKIE]


@pytest.mark.parametrize("library", [httpx, httpx2])
async def test_async_clients(library: Any, app: FastAPI, sessions: Sessions, clock: HandClock) -> None:
    """It is the same for async clients of both libraries."""
    async with library.AsyncClient(transport=library.ASGITransport(app), base_url=HTTPS) as client:
        bind_device(client, sessions)
        await client.post("/login?user_id=ada", headers=COOKIES)
        seen = []
        for _ in range(2):
            clock.advance(2 * HOUR)
            seen.append((await client.post(REFRESH_PATH)).status_code)

    assert ([200, 200], True) == (seen, REFRESH_COOKIE in client.cookies)


def test_cookies_that_it_drops(app: FastAPI, sessions: Sessions) -> None:
    """A client that drops the cookies is refused, with the fix."""
    with pytest.raises(ConfigurationError, match="give it base_url"):
        bind_device(TestClient(app), sessions)
