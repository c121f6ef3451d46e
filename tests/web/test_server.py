"""Sessions over a real server and a real client: bytes on a socket, cookies in a jar that obeys their attributes."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
import uvicorn

from fastapi_session.core import access_token_size
from fastapi_session.testing import HandClock
from tests.engines import engine
from tests.moments import HOUR, PAST_GRACE
from tests.web.deployment import application
from tests.web.wire import CLEARED, EXPOSED, KEPT, NEW, THEFT, TRY_REFRESH_TOKEN, UNAUTHORISED, change, exposed
from tests.wire import (
    ACCESS_COOKIE,
    ACCESS_HEADER,
    AUTH_MODE,
    FRONT_TOKEN,
    REFRESH_COOKIE,
    REFRESH_HEADER,
    REFRESH_PATH,
    SIGN_OUT_PATH,
)

COOKIE = {AUTH_MODE: "cookie"}
HEADER = {AUTH_MODE: "header"}


@pytest.fixture
def base_url(clock: HandClock, tmp_path: Path) -> Iterator[str]:
    """A server on a port of its own, with its sessions in a file."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        sessions = engine(clock, store=f"sqlite:///{tmp_path / 'sessions.db'}", api_domain=url)
        server = uvicorn.Server(uvicorn.Config(application(sessions), log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield url
        server.should_exit = True
        thread.join()


@pytest.fixture
def client(base_url: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=base_url, trust_env=False) as client:
        yield client


def test_a_life_in_cookies(client: httpx2.Client, clock: HandClock) -> None:
    """Sign in, call, expire, refresh, call, sign out: the jar alone carries the session, and is empty in the end."""
    created = client.post("/login?user_id=ada", headers=COOKIE)
    called = client.get("/me")
    clock.advance(HOUR)
    expired = client.get("/me")
    refreshed = client.post(REFRESH_PATH)
    again = client.get("/me")
    ended = client.post(SIGN_OUT_PATH)
    after = client.get("/me")

    assert [200, 200, 401, 200, 200, 200, 401] == [
        response.status_code for response in (created, called, expired, refreshed, again, ended, after)
    ]
    assert [NEW["cookie"], KEPT, KEPT, NEW["cookie"], KEPT, CLEARED, KEPT] == [
        change(response) for response in (created, called, expired, refreshed, again, ended, after)
    ]
    assert (TRY_REFRESH_TOKEN, UNAUTHORISED) == (expired.json(), after.json())
    assert 0 == len(client.cookies)


def test_the_refresh_cookie_stays_at_home(client: httpx2.Client) -> None:
    """An ordinary request carries the access token alone, a refresh both."""
    client.post("/login?user_id=ada", headers=COOKIE)
    ordinary = client.get("/me").request.headers["cookie"]
    refresh = client.post(REFRESH_PATH).request.headers["cookie"]

    assert (True, False) == (ACCESS_COOKIE in ordinary, REFRESH_COOKIE in ordinary)
    assert (True, True) == (ACCESS_COOKIE in refresh, REFRESH_COOKIE in refresh)


def test_a_life_in_headers(client: httpx2.Client, clock: HandClock) -> None:
    """The same life without a cookie."""
    created = client.post("/login?user_id=ada", headers=HEADER)
    clock.advance(PAST_GRACE)
    refreshed = client.post(REFRESH_PATH, headers={"authorization": f"Bearer {created.headers[REFRESH_HEADER]}"})
    bearer = {"authorization": f"Bearer {refreshed.headers[ACCESS_HEADER]}"}
    ended = client.post(SIGN_OUT_PATH, headers=bearer)

    assert [NEW["header"], NEW["header"], CLEARED] == [change(response) for response in (created, refreshed, ended)]
    assert created.headers[REFRESH_HEADER] != refreshed.headers[REFRESH_HEADER]
    assert [ACCESS_HEADER, REFRESH_HEADER, FRONT_TOKEN] == exposed(refreshed)
    assert 1 == len(refreshed.headers.get_list(EXPOSED))
    assert 401 == client.get("/checked", headers=bearer).status_code


def test_a_copied_jar(client: httpx2.Client, base_url: str, clock: HandClock) -> None:
    """A thief who copied the jar and comes late ends the session, and is told so; the owner is out as well."""
    client.post("/login?user_id=ada", headers=COOKIE)
    with httpx2.Client(base_url=base_url, cookies=client.cookies, trust_env=False) as thief:
        for _ in range(2):
            clock.advance(PAST_GRACE)
            assert NEW["cookie"] == change(client.post(REFRESH_PATH))
        stolen = thief.post(REFRESH_PATH)
        owner = client.post(REFRESH_PATH)

        assert (401, THEFT, CLEARED) == (stolen.status_code, stolen.json(), change(stolen))
        assert (401, UNAUTHORISED, CLEARED) == (owner.status_code, owner.json(), change(owner))
        assert (0, 0) == (len(thief.cookies), len(client.cookies))


def test_the_largest_token(client: httpx2.Client, base_url: str) -> None:
    """A cookie with the largest access token there is passes the server and the jar."""
    client.post("/login?user_id=" + "u" * 255, headers=COOKIE)
    held = client.cookies[ACCESS_COOKIE]

    assert len(held) <= access_token_size.MAX_LENGTH
    assert 200 == client.get("/me").status_code


def test_bytes_that_are_no_text(base_url: str) -> None:
    """A server is sent what no client library sends, and refuses it as it refuses anybody."""
    host, port = base_url.removeprefix("http://").split(":")
    for line in (
        b"Cookie: sAccessToken=\xff\xfe; \xa0sAccessToken=x",
        b"Authorization: Bearer \x80\xff",
        b"rid: \xe2\x82",
    ):
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(b"GET /me HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + line + b"\r\n\r\n")
            answer = b"".join(iter(lambda: connection.recv(65536), b""))

        assert answer.startswith(b"HTTP/1.1 401 ")
        assert answer.endswith(b'{"message":"unauthorised"}')
