"""What stands in the URL of a database means what it says, or is refused at once with what would be right."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import make_url

from fastapi_session.errors import ConfigurationError
from fastapi_session.stores.sql import SqlStore
from fastapi_session.stores.sql.engines import new_engine

ASYNCPG = "postgresql+asyncpg://user@host/database"
PSYCOPG = "postgresql+psycopg://user@host/database"
ASYNCMY = "mysql+asyncmy://user@host/database"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (
            f"{ASYNCPG}?statement_cache=0",
            "asyncpg knows no option 'statement_cache' in a URL, but .*statement_cache_size",
        ),
        (f"{ASYNCPG}?prepare_threshold=0", "asyncpg knows no option 'prepare_threshold'"),
        (f"{PSYCOPG}?statement_cache_size=0", "psycopg knows no option 'statement_cache_size' .*prepare_threshold"),
        (f"{ASYNCMY}?sslmode=require", "asyncmy knows no option 'sslmode' .*ssl_ca"),
        (
            f"{ASYNCPG}?statement_cache_size=many",
            "'statement_cache_size' of asyncpg cannot be 'many': give a whole number",
        ),
        (f"{PSYCOPG}?prepare_threshold=-1", "'prepare_threshold' of psycopg cannot be '-1'"),
        (f"{ASYNCPG}?sslmode=on", "'sslmode' of asyncpg cannot be 'on': give disable, .*verify-full"),
        (f"{PSYCOPG}?sslmode=on", "'sslmode' of psycopg cannot be 'on'"),
        (f"{ASYNCPG}?timeout=soon", "'timeout' of asyncpg cannot be 'soon'"),
        (f"{ASYNCPG}?timeout=-1", "'timeout' of asyncpg cannot be '-1': give a number of seconds"),
        (f"{ASYNCPG}?direct_tls=1", "'direct_tls' of asyncpg cannot be '1': give true or false"),
        (f"{ASYNCMY}?connect_timeout=2&connect_timeout=3", "'connect_timeout' is in the URL more than once"),
        ("postgresql+asyncpg://user:p@ss@host/database", "an @ in the user or the password of a URL is written %40"),
    ],
)
def test_a_url_that_is_wrong(url: str, message: str) -> None:
    """An option that the driver does not know or cannot read, and an @ in a password, are found before anything connects."""
    with pytest.raises(ConfigurationError, match=message):
        SqlStore(url)


@pytest.mark.parametrize(
    ("url", "arguments"),
    [
        (ASYNCPG, {"statement_cache_size": 0}),
        (f"{ASYNCPG}?statement_cache_size=7", {"statement_cache_size": 7}),
        (f"{ASYNCPG}?timeout=2.5&direct_tls=false", {"timeout": 2.5, "direct_tls": False}),
        (
            f"{ASYNCPG}?sslmode=verify-full&sslrootcert=/a%20b.pem",
            {"dsn": {"sslmode": "verify-full", "sslrootcert": "/a b.pem"}},
        ),
        (f"{PSYCOPG}?application_name=app", {"prepare_threshold": None, "application_name": "app"}),
        (f"{PSYCOPG}?prepare_threshold=0", {"prepare_threshold": 0}),
        (f"{PSYCOPG}?prepare_threshold=none", {"prepare_threshold": None}),
        (f"{PSYCOPG}?sslmode=require&connect_timeout=3", {"sslmode": "require", "connect_timeout": "3"}),
        (f"{ASYNCMY}?connect_timeout=3&max_allowed_packet=9", {"connect_timeout": 3, "max_allowed_packet": 9}),
        (f"{ASYNCMY}?ssl_ca=/ca.pem&ssl_check_hostname=false", {"ssl": {"ca": "/ca.pem", "check_hostname": False}}),
    ],
)
def test_what_the_driver_is_told(url: str, arguments: dict[str, Any]) -> None:
    """Each option comes to its driver as the driver reads it."""
    assert arguments == {name: value for name, value in told(url).items() if name in arguments}


def told(url: str) -> dict[str, Any]:
    """Return with what the driver is called for *url*; a DSN as its options."""
    seen: dict[str, Any] = {}
    engine = new_engine(url).sync_engine
    dialect: Any = engine.dialect
    dialect.connect = lambda *_, **given: seen.update(given)
    pool: Any = engine.pool
    pool._creator(None)  # what a pool calls for a new connection
    return {**seen, "dsn": dict(make_url(seen["dsn"]).query)} if "dsn" in seen else seen


@pytest.mark.parametrize("driver", ["postgresql+asyncpg", "postgresql+psycopg"])
@pytest.mark.parametrize("option", ["application_name=sessions", "sslmode=disable", "options=-c%20work_mem%3D65kB"])
async def test_options_that_a_server_takes(driver: str, option: str, postgres_url: str) -> None:
    """A connection is made as the option says."""
    url = make_url(postgres_url).set(drivername=driver).render_as_string(hide_password=False)
    store = SqlStore(f"{url}&{option}")
    shown = await store._pooled.run(
        lambda connection: [
            connection.exec_driver_sql(f"SHOW {name}").scalar() for name in ("application_name", "work_mem")
        ]
    )
    await store.close()

    assert ("application_name" in option) == (shown[0] == "sessions")
    assert ("work_mem" in option) == (shown[1] == "65kB")
