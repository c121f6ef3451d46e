"""Logins that fastapi-users has written by its own strategies and transports: JWTs, rows of a database, keys of Redis."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
import pytest
from fastapi.testclient import TestClient
from fastapi_users.authentication import (
    AuthenticationBackend,
    BearerTransport,
    CookieTransport,
    JWTStrategy,
    RedisStrategy,
)
from fastapi_users.jwt import generate_jwt
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool
from starlette.requests import HTTPConnection

from fastapi_session import StoreUnavailable
from fastapi_session.model import Json
from fastapi_session.moving import (
    Adopter,
    Adoption,
    FastAPIUsersDatabase,
    FastAPIUsersJWT,
    FastAPIUsersRedis,
    OldCookie,
)
from fastapi_session.testing import HandClock
from tests.browser.setup import Missing
from tests.engines import engine
from tests.moments import HOUR, MINUTE
from tests.pages import ROOT
from tests.recipes.setup import FASTAPI_USERS, fetched
from tests.web.deployment import application
from tests.web.wire import NEW, change
from tests.wire import REFRESH_PATH, SIGN_OUT_PATH

KEY = "the-secret-of-the-strategy-of-fastapi-users, long enough for SHA-512"
COOKIE = OldCookie("fastapiusersauth")
OVER_HTTP = CookieTransport(cookie_secure=False)


@dataclass
class User:
    id: str


ADA = User("d5f7a1de-5c35-4c1a-93bd-b4d9c61a3b56")


async def everybody(adoption: Adoption, _kept: Json) -> Adoption:
    return adoption


@pytest.fixture
def clock() -> HandClock:
    """fastapi-users goes by the machine's clock."""
    return HandClock(int(time.time() * 1000))


Serve = Callable[[Adopter], TestClient]


@pytest.fixture
def serve(clock: HandClock) -> Iterator[Serve]:
    """Serve the application of every endpoint with an adopter, to a browser."""
    with ExitStack() as served:

        def client(adopter: Adopter) -> TestClient:
            app = application(engine(clock), adopters=[adopter])
            return served.enter_context(TestClient(app, raise_server_exceptions=False))

        yield client


async def signed_in(client: TestClient, strategy: Any, user: User = ADA) -> str:
    """Sign *user* in by the backend of fastapi-users, as *client* then has it, and return the token."""
    backend: Any = AuthenticationBackend("cookie", OVER_HTTP, lambda: strategy)
    response = await backend.login(strategy, user)
    name, _, rest = response.headers["set-cookie"].partition("=")
    value: str = rest.partition(";")[0]
    client.cookies.set(name, value, domain="testserver.local", path="/")
    return value


def brings(client: TestClient, token: str) -> int:
    """How the application answers a browser that brings but this token."""
    client.cookies.clear()
    client.cookies.set("fastapiusersauth", token)
    status: int = client.get("/me").status_code
    return status


class TestJWT:
    """JWTs, which nobody keeps."""

    async def test_a_cookie(self, serve: Serve, clock: HandClock) -> None:
        """The user of a JWT is signed in, its cookie is cleared, and after a sign-out it brings nothing."""
        client = serve(FastAPIUsersJWT(KEY, check=everybody, clock=clock))
        token = await signed_in(client, JWTStrategy(KEY, lifetime_seconds=3600))
        adopted = client.get("/me")

        assert {"user_id": ADA.id} == adopted.json()
        assert "fastapiusersauth" not in client.cookies
        assert 200 == client.post(SIGN_OUT_PATH).status_code
        assert 401 == brings(client, token)

    async def test_another_text_of_the_signature(self, serve: Serve, clock: HandClock) -> None:
        """The same JWT with its signature written in another way is the same login."""
        client = serve(FastAPIUsersJWT(KEY, check=everybody, clock=clock))
        token = await signed_in(client, JWTStrategy(KEY, lifetime_seconds=3600))
        client.get("/me")
        client.post(SIGN_OUT_PATH)
        other = token + "="

        assert jwt.decode(other, KEY, ["HS256"], audience="fastapi-users:auth")
        assert 401 == brings(client, other)

    async def test_a_bearer_token(self, serve: Serve, clock: HandClock) -> None:
        """Its tokens travel in headers, by a refresh and by any other request."""
        client = serve(FastAPIUsersJWT(KEY, check=everybody, cookie=None, clock=clock))
        strategy: Any = JWTStrategy(KEY, lifetime_seconds=3600)
        backend: Any = AuthenticationBackend("bearer", BearerTransport("token"), lambda: strategy)
        response = await backend.login(strategy, ADA)
        bearer = {"authorization": f"Bearer {json.loads(response.body)['access_token']}"}

        assert NEW["header"] == change(client.get("/me", headers=bearer))
        assert NEW["header"] == change(client.post(REFRESH_PATH, headers=bearer))

    async def test_its_end(self, serve: Serve, clock: HandClock) -> None:
        """A JWT that has expired is none."""
        client = serve(FastAPIUsersJWT(KEY, check=everybody, clock=clock))
        await signed_in(client, JWTStrategy(KEY, lifetime_seconds=3600))
        clock.advance(HOUR + MINUTE)

        assert 401 == client.get("/me").status_code

    async def test_without_an_end(self, serve: Serve, clock: HandClock, caplog: pytest.LogCaptureFixture) -> None:
        """A JWT without `exp` is the same text on each device of its user: it is not adopted, and one warning says why."""
        client = serve(FastAPIUsersJWT(KEY, check=everybody, clock=clock))
        strategy: Any = JWTStrategy(KEY, lifetime_seconds=None)
        tokens = {await signed_in(client, strategy) for _ in range(2)}
        statuses = [client.get("/me").status_code for _ in range(2)]

        assert 1 == len(tokens)
        assert [401, 401] == statuses
        assert 1 == sum("without exp" in record.getMessage() for record in caplog.records)

    @pytest.mark.parametrize(
        ("key", "audience"),
        [(KEY, "fastapi-users:reset"), (KEY, "fastapi-users:verify"), (KEY + "!", "fastapi-users:auth")],
    )
    async def test_others(self, serve: Serve, clock: HandClock, key: str, audience: str) -> None:
        """JWTs for mails, and those of another key, sign nobody in."""
        client = serve(FastAPIUsersJWT(KEY, check=everybody, clock=clock))
        token = generate_jwt({"sub": ADA.id, "aud": audience}, key, 3600)

        assert 401 == brings(client, token)

    async def test_no_algorithm(self, serve: Serve, clock: HandClock) -> None:
        """The algorithm is the configured one, whatever the JWT says."""
        client = serve(FastAPIUsersJWT(KEY, check=everybody, clock=clock))
        claims = {"sub": ADA.id, "aud": "fastapi-users:auth", "exp": clock() // 1000 + 60}

        assert [401, 401] == [brings(client, jwt.encode(claims, *how)) for how in (("", "none"), (KEY, "HS512"))]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What fastapi-users wrote into a database, and where."""
    file = tmp_path_factory.mktemp("users") / "users.db"
    try:
        path = f"{fetched(FASTAPI_USERS)}{os.pathsep}{ROOT}"
    except Missing as missing:
        pytest.skip(str(missing))
    command = [sys.executable, "-m", "tests.moving.adopters.fastapi_users_rows", str(file)]
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stderr
    return {"file": file, **json.loads(done.stdout)}


@pytest.fixture
def database(rows: dict[str, Any]) -> AsyncEngine:
    return create_async_engine(f"sqlite+aiosqlite:///{rows['file']}", poolclass=NullPool)  # for any event loop


class TestDatabase:
    """Rows of the table `accesstoken`."""

    def test_a_token(self, serve: Serve, clock: HandClock, rows: dict[str, Any], database: AsyncEngine) -> None:
        """The user of a token is signed in; each sign-in is a session, and one that was signed out does not come back."""
        client = serve(FastAPIUsersDatabase(database, check=everybody, lifetime=HOUR, clock=clock))
        first, second = rows["tokens"]

        assert [200, 200] == [brings(client, first), client.post(SIGN_OUT_PATH).status_code]
        assert [401, 200] == [brings(client, first), brings(client, second)]
        assert rows["user_id"] == client.get("/me").json()["user_id"]

    def test_no_token(self, serve: Serve, clock: HandClock, rows: dict[str, Any], database: AsyncEngine) -> None:
        """What is not in the table, or has expired, is none."""
        client = serve(FastAPIUsersDatabase(database, check=everybody, lifetime=HOUR, clock=clock))
        unknown = brings(client, rows["tokens"][0].swapcase())
        clock.advance(HOUR + MINUTE)

        assert [401, 401] == [unknown, brings(client, rows["tokens"][0])]

    async def test_retiring(self, serve: Serve, clock: HandClock, rows: dict[str, Any], database: AsyncEngine) -> None:
        """Its row is deleted if that is asked for, and then the login brings its session as before."""
        adopter = FastAPIUsersDatabase(database, check=everybody, lifetime=HOUR, retires=True, clock=clock)
        client = serve(adopter)
        statuses = [brings(client, rows["tokens"][1]) for _ in range(2)]
        presented = adopter.presented(_connection(rows["tokens"][1]))
        assert presented is not None
        while await adopter.adopt(presented) is not None:  # deleted in the background
            pass

        assert [200, 200] == statuses
        assert 200 == brings(client, rows["tokens"][1])

    async def test_an_error_without_the_token(self, clock: HandClock, tmp_path: Path) -> None:
        """What is raised has no token, nor has any error behind it: SQLAlchemy would tell the parameters."""
        empty = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/empty.db", poolclass=NullPool)
        adopter = FastAPIUsersDatabase(empty, check=everybody, lifetime=None, clock=clock)
        presented = adopter.presented(_connection("the-token"))
        assert presented is not None
        with pytest.raises(StoreUnavailable, match="no such table: accesstoken") as refusal:
            await adopter.adopt(presented)

        assert "the-token" not in "".join(traceback.format_exception(refusal.value))

    def test_a_database_that_is_down(self, serve: Serve, clock: HandClock, tmp_path: Path) -> None:
        """That is a 503."""
        nowhere = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/no/folder/users.db", poolclass=NullPool)
        client = serve(FastAPIUsersDatabase(nowhere, check=everybody, lifetime=None, clock=clock))

        assert 503 == brings(client, "a-token")


class TestRedis:
    """Keys of a Redis."""

    async def test_a_token(self, serve: Serve, clock: HandClock, valkey_store_url: str) -> None:
        """The user of a token is signed in, and the key is deleted if that is asked for; the login brings its session as before."""
        strategy_client, own = (Redis.from_url(valkey_store_url, decode_responses=text) for text in (True, False))
        client = serve(FastAPIUsersRedis(own, check=everybody, retires=True, clock=clock))
        token = await signed_in(client, RedisStrategy(strategy_client, lifetime_seconds=3600))
        statuses = [client.get("/me").status_code, brings(client, token), brings(client, "of-nobody")]
        while await strategy_client.exists(f"fastapi_users_token:{token}"):  # deleted in the background
            pass
        after = brings(client, token)
        signed_out = client.post(SIGN_OUT_PATH).status_code
        again = brings(client, token)
        await strategy_client.aclose()
        assert client.portal is not None
        client.portal.call(own.aclose)

        assert [200, 200, 401] == statuses
        assert [200, 200, 401] == [after, signed_out, again]

    def test_a_redis_that_is_down(self, serve: Serve, clock: HandClock) -> None:
        """That is a 503."""
        client = serve(FastAPIUsersRedis(Redis(port=1), check=everybody, clock=clock))

        assert 503 == brings(client, "a-token")


def _connection(token: str) -> HTTPConnection:
    headers = [(b"cookie", f"fastapiusersauth={token}".encode())]
    return HTTPConnection({"type": "http", "headers": headers})
