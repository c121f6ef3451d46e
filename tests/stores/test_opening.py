"""What a store says that cannot be opened, so that somebody sees at once where it was looked for."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError

from fastapi_session.clock import system_clock
from fastapi_session.errors import ConfigurationError, StoreUnavailable
from fastapi_session.stores.by_url import store_by_url
from fastapi_session.stores.sql.dialects import mistake_in_address


@pytest.fixture
def closed() -> Iterator[int]:
    """A port at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("sqlite:///{folder}/missing/sessions.db", "{folder}/missing/sessions.db"),
        ("redis://ada:pass-word@127.0.0.1:{port}/3", "127.0.0.1:{port}"),
        ("postgresql+asyncpg://ada:pass-word@127.0.0.1:{port}/shop", "127.0.0.1:{port}, database shop"),
        ("mysql+asyncmy://ada:pass-word@127.0.0.1:{port}/shop", "127.0.0.1:{port}, database shop"),
    ],
)
async def test_where_it_was_looked_for(url: str, place: str, closed: int, tmp_path: Path) -> None:
    """The path, or host and database, and neither user nor password."""
    store = store_by_url(url.format(port=closed, folder=tmp_path), clock=system_clock)
    with pytest.raises(StoreUnavailable) as failed:
        await store.open()
    await store.close()

    assert str(failed.value).endswith(f", at {place.format(port=closed, folder=tmp_path)}")
    assert "pass-word" not in str(failed.value)


WRONG_USER = "the server refuses its user and password"
WRONG_DATABASE = "the server has no such database"


@pytest.mark.parametrize(
    ("server", "driver", "change", "told"),
    [
        ("postgres_url", "postgresql+asyncpg", {"username": "nobody-known", "password": "pass-word"}, WRONG_USER),
        ("postgres_url", "postgresql+asyncpg", {"database": "nowhere"}, WRONG_DATABASE),
        ("postgres_url", "postgresql+psycopg", {"username": "nobody-known", "password": "pass-word"}, WRONG_USER),
        ("postgres_url", "postgresql+psycopg", {"database": "nowhere"}, WRONG_DATABASE),
        ("mysql_url", "mysql+asyncmy", {"username": "nobody-known", "password": "pass-word"}, WRONG_USER),
        ("mysql_url", "mariadb+asyncmy", {"database": "nowhere"}, WRONG_DATABASE),
        ("valkey_url", "valkey", {"username": "nobody-known", "password": "pass-word"}, WRONG_USER),
        ("valkey_url", "redis", {"database": "5000"}, WRONG_DATABASE),
    ],
)
async def test_a_wrong_address_is_no_outage(
    server: str, driver: str, change: dict[str, Any], told: str, request: pytest.FixtureRequest
) -> None:
    """A server that goes on to refuse is a mistake of the configuration: told with the setting and the fix, without the password."""
    url = make_url(request.getfixturevalue(server)).set(drivername=driver, **change)
    store = store_by_url(url.render_as_string(hide_password=False), clock=system_clock)
    with pytest.raises(ConfigurationError, match=rf"^store: {told}: correct .* \(.*\)$") as refused:
        await store.open()
    await store.close()

    assert "pass-word" not in str(refused.value)


@pytest.mark.parametrize(
    "words", ["FATAL:  password authentication failed for user ada", "fe_sendauth: no password supplied"]
)
def test_what_libpq_says_of_a_password(words: str) -> None:
    """A connection that failed has no code there, only words."""
    assert WRONG_USER in str(mistake_in_address(DBAPIError("SELECT 1", {}, Exception(words))))


def test_what_asyncpg_raises_itself() -> None:
    """SQLAlchemy before 2.1 does not wrap what its driver raises while it connects."""
    refused = import_module("asyncpg").InvalidCatalogNameError("no such database")

    assert WRONG_DATABASE in str(mistake_in_address(refused))
