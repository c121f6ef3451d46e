"""A URL names its store, and what that store needs is named if it is missing."""

from __future__ import annotations

import sys

import pytest

from fastapi_session.clock import system_clock
from fastapi_session.errors import ConfigurationError
from fastapi_session.stores.by_url import store_by_url
from fastapi_session.stores.sql import SqlStore

URLS = (
    "mariadb+asyncmy://user@host/database",
    "mysql+asyncmy://user@host/database",
    "postgresql+asyncpg://user@host/database",
    "postgresql+psycopg://user@host/database",
)


@pytest.mark.parametrize("url", URLS)
def test_the_url_of_a_database(url: str) -> None:
    """The URL of a database and its driver names a `SqlStore`."""
    assert SqlStore is type(store_by_url(url, clock=system_clock))


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("missing", ["sqlalchemy", "driver"])
def test_a_package_that_is_not_installed(monkeypatch: pytest.MonkeyPatch, url: str, missing: str) -> None:
    """If SQLAlchemy or the driver is missing, the message names the extra that brings it."""
    scheme = url.partition("://")[0]
    for module in [each for each in sys.modules if each.startswith("fastapi_session.stores.sql.")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.delitem(sys.modules, "fastapi_session.stores.sql")
    monkeypatch.setitem(sys.modules, scheme.partition("+")[2] if missing == "driver" else missing, None)
    with pytest.raises(ConfigurationError) as caught:
        store_by_url(url, clock=system_clock)

    extra = "postgres" if scheme.startswith("postgresql") else "mysql"
    assert f"pip install 'fastapi-session-auth[{extra}]'" in str(caught.value)
