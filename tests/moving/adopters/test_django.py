"""Logins that the real Django has written: sessions in its database, and in signed cookies."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import django
import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core import signing
from django.core.management import call_command
from django.db import connections
from django.test import Client, override_settings
from fastapi.testclient import TestClient
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from fastapi_session import Sessions
from fastapi_session.model import Json
from fastapi_session.moving import Adopter, Adoption, DjangoSessions, DjangoSignedCookies, DjangoTables
from fastapi_session.moving.adopters.django_signatures import DB_SALT, DjangoSignatures
from fastapi_session.testing import HandClock
from tests.engines import engine
from tests.moments import WEEK
from tests.web.deployment import application
from tests.wire import ACCESS_COOKIE, SIGN_OUT_PATH

SECRET_KEY = "the-secret-key-of-a-django-project"
COOKIES = "django.contrib.sessions.backends.signed_cookies"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database of a Django project with the user "ada"."""
    file = tmp_path_factory.mktemp("django") / "project.db"
    if not settings.configured:
        settings.configure(
            SECRET_KEY=SECRET_KEY,
            DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(file)}},
            INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"],
            DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
            PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        )
        django.setup()
    call_command("migrate", verbosity=0)
    return file


@pytest.fixture
def ada(file: Path) -> Iterator[Any]:
    """A user of that project."""
    user = get_user_model().objects.create_user(f"ada-{time.monotonic_ns()}", password="lovelace")
    yield user
    connections.close_all()


@pytest.fixture
def clock() -> HandClock:
    """Django goes by the machine's clock."""
    return HandClock(int(time.time() * 1000))


@pytest.fixture
def database(file: Path) -> AsyncEngine:
    return create_async_engine(f"sqlite+aiosqlite:///{file}", poolclass=NullPool)  # for any event loop


@pytest.fixture
def sessions(clock: HandClock) -> Sessions:
    return engine(clock)


Serve = Callable[[Adopter], TestClient]


@pytest.fixture
def serve(sessions: Sessions) -> Iterator[Serve]:
    """Serve the application of every endpoint with an adopter, to a browser."""
    with ExitStack() as served:

        def client(adopter: Adopter) -> TestClient:
            app = application(sessions, adopters=[adopter])
            return served.enter_context(TestClient(app, raise_server_exceptions=False))

        yield client


def signed_in(client: TestClient, user: Any, **session: Any) -> str:
    """Sign *user* in by Django, as *client* then has it, and return the cookie. More may be put into the *session*."""
    browser = Client()
    browser.force_login(user)
    if session:
        kept = browser.session
        kept.update(session)
        kept.save()
        browser.cookies[settings.SESSION_COOKIE_NAME] = kept.session_key
    value: str = browser.cookies[settings.SESSION_COOKIE_NAME].value
    client.cookies.set(settings.SESSION_COOKIE_NAME, value, domain="testserver.local", path="/")
    return value


def brings(client: TestClient, value: str) -> int:
    """How the application answers a browser that brings but this cookie."""
    client.cookies.clear()
    client.cookies.set("sessionid", value)
    status: int = client.get("/me").status_code
    return status


@pytest.mark.parametrize("backend", ["db", "cached_db", "signed_cookies"])
def test_a_login(serve: Serve, clock: HandClock, database: AsyncEngine, ada: Any, backend: str) -> None:
    """A login of Django moves, and after a sign-out its cookie brings nothing."""
    adopter = DjangoSignedCookies if backend == "signed_cookies" else DjangoSessions
    client = serve(adopter(database, [SECRET_KEY], clock=clock))
    with override_settings(SESSION_ENGINE=f"django.contrib.sessions.backends.{backend}"):
        cookie = signed_in(client, ada)
    adopted = client.get("/me")
    moved = {ACCESS_COOKIE} <= {*client.cookies} and "sessionid" not in client.cookies
    client.post(SIGN_OUT_PATH)

    assert {"user_id": str(ada.pk)} == adopted.json()
    assert moved
    assert 401 == brings(client, cookie)


@pytest.mark.parametrize("backend", ["db", "signed_cookies"])
class TestWhatDjangoEnded:
    """What Django would not accept any more is not adopted."""

    @pytest.fixture
    def client(self, serve: Serve, clock: HandClock, database: AsyncEngine, backend: str) -> Iterator[TestClient]:
        adopter = DjangoSignedCookies if backend == "signed_cookies" else DjangoSessions
        with override_settings(SESSION_ENGINE=f"django.contrib.sessions.backends.{backend}"):
            yield serve(adopter(database, [SECRET_KEY], clock=clock))

    def test_a_change_of_the_password(self, client: TestClient, ada: Any) -> None:
        """It ends the sessions of before."""
        signed_in(client, ada)
        ada.set_password("byron")
        ada.save()

        assert 401 == client.get("/me").status_code

    def test_a_user_who_is_not_active(self, client: TestClient, ada: Any) -> None:
        """Who was deactivated is not let in."""
        signed_in(client, ada)
        ada.is_active = False
        ada.save()

        assert 401 == client.get("/me").status_code

    def test_a_user_who_is_gone(self, client: TestClient, ada: Any) -> None:
        """Neither is who was deleted."""
        signed_in(client, ada)
        ada.delete()

        assert 401 == client.get("/me").status_code

    def test_another_backend_of_authentication(self, client: TestClient, ada: Any) -> None:
        """A login by what is configured no more is over."""
        signed_in(client, ada, _auth_user_backend="project.Gone")

        assert 401 == client.get("/me").status_code

    def test_its_end(self, client: TestClient, ada: Any, clock: HandClock) -> None:
        """A session counts for two weeks."""
        cookie = signed_in(client, ada)
        clock.advance(2 * WEEK + timedelta(seconds=2))

        assert 401 == brings(client, cookie)

    def test_a_visitor(self, client: TestClient, ada: Any) -> None:
        """A session without a user is no login, and its cookie is left alone."""
        store = import_module(settings.SESSION_ENGINE).SessionStore()
        store["cart"] = 7
        store.save()

        assert 401 == brings(client, store.session_key)
        assert store.session_key == client.cookies["sessionid"]

    def test_a_secret_key_that_was_replaced(
        self, serve: Serve, clock: HandClock, database: AsyncEngine, ada: Any, backend: str, client: TestClient
    ) -> None:
        """A session of an earlier key counts if that is among the fallbacks, as it does for Django."""
        cookie = signed_in(client, ada)
        adopter = DjangoSignedCookies if backend == "signed_cookies" else DjangoSessions
        keys = (["the-key-that-followed"], ["the-key-that-followed", SECRET_KEY])

        assert [401, 200] == [brings(serve(adopter(database, key, clock=clock)), cookie) for key in keys]


def test_two_browsers(serve: Serve, clock: HandClock, database: AsyncEngine, ada: Any, sessions: Sessions) -> None:
    """Two browsers of a user are two sessions."""
    client = serve(DjangoSessions(database, [SECRET_KEY], clock=clock))
    statuses = [brings(client, signed_in(client, ada)) for _ in range(2)]
    assert client.portal is not None

    assert [200, 200] == statuses
    assert 2 == len(client.portal.call(sessions.of_user, str(ada.pk)))


def test_what_is_taken_over(
    serve: Serve, clock: HandClock, database: AsyncEngine, ada: Any, sessions: Sessions
) -> None:
    """The application takes over what it wants of the session; one that ends with the browser does so here too."""

    async def with_cart(adoption: Adoption, session: Json) -> Adoption:
        return Adoption(
            adoption.user_id, adoption.deadline, session_data={"cart": session["cart"]}, lifetime=adoption.lifetime
        )

    client = serve(DjangoSessions(database, [SECRET_KEY], check=with_cart, clock=clock))
    signed_in(client, ada, cart=7, _session_expiry=0)
    client.get("/me")
    assert client.portal is not None
    [session] = client.portal.call(sessions.of_user, str(ada.pk))

    assert ({"cart": 7}, False) == (session.session_data, session.remembered)


def test_retiring(serve: Serve, clock: HandClock, database: AsyncEngine, ada: Any, sessions: Sessions) -> None:
    """Nothing is written in Django's tables, unless that is asked for: then the session's row is deleted."""
    kept = {}
    for retires in (False, True):
        client = serve(DjangoSessions(database, [SECRET_KEY], retires=retires, name=f"django {retires}", clock=clock))
        cookie = signed_in(client, ada)
        client.get("/me")
        assert client.portal is not None
        client.portal.call(sessions._parts.background.finish)
        kept[retires] = apps.get_model("sessions", "Session").objects.filter(session_key=cookie).exists()

    assert {False: True, True: False} == kept


@pytest.mark.parametrize(
    "tables",
    [DjangoTables(is_active=None), DjangoTables(read_user_id=lambda text: int(text) + 1)],
    ids=["plain", "other"],
)
def test_tables_of_ones_own(
    serve: Serve, clock: HandClock, database: AsyncEngine, ada: Any, tables: DjangoTables
) -> None:
    """Users may have other columns, and ids of another kind."""
    client = serve(DjangoSessions(database, [SECRET_KEY], tables=tables, clock=clock))
    signed_in(client, ada)

    assert (200 if tables.is_active is None else 401) == client.get("/me").status_code


def test_a_database_that_is_down(serve: Serve, clock: HandClock, tmp_path: Path) -> None:
    """That is a 503."""
    nowhere = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/no/folder/project.db", poolclass=NullPool)

    assert 503 == brings(serve(DjangoSessions(nowhere, [SECRET_KEY], clock=clock)), "some-session-key")


@pytest.mark.parametrize("text", ["", ":", "::", "a:b:c", ".eJw:1:x", "\x00", "ü:1:x"])
def test_garbage(text: str) -> None:
    """What Django did not sign is nothing."""
    assert DjangoSignatures([SECRET_KEY], salt=DB_SALT).read(text) is None


def test_a_long_session(file: Path) -> None:
    """A session that Django has compressed is read; one that grows beyond all bounds is nothing."""
    signatures = DjangoSignatures([SECRET_KEY], salt=DB_SALT)
    texts = [signing.dumps({"a": "a" * length}, salt=DB_SALT, compress=True) for length in (10_000, 2_000_000)]
    read = [signatures.read(text) for text in texts]

    assert [True, False] == [each is not None for each in read]
