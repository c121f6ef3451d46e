"""The URL of a Redis or Valkey server names its store, and nothing is loaded before somebody asks for it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from fastapi_session.clock import system_clock
from fastapi_session.stores.by_url import store_by_url
from fastapi_session.stores.redis import RedisStore
from fastapi_session.testing import HandClock

WITHOUT_REDIS = """
import sys
sys.modules["redis"] = None
from fastapi_session.clock import system_clock
from fastapi_session.errors import ConfigurationError
from fastapi_session.stores.by_url import store_by_url
try:
    store_by_url("redis://localhost", clock=system_clock)
except ConfigurationError as error:
    print(error)
"""

LOADED = """
import sys
import fastapi_session
print(sorted({"redis", "sqlalchemy"} & set(sys.modules)))
"""


def printed(program: str) -> str:
    """What a Python of its own prints when it runs *program*."""
    return subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.parametrize(
    "url", ["redis://localhost", "rediss://localhost:6380/1", "valkey://user@localhost/2", "valkeys://localhost"]
)
def test_redis_and_valkey(url: str) -> None:
    """The schemes of Redis and Valkey name one store."""
    assert RedisStore is type(store_by_url(url, clock=system_clock))


def test_a_server_keeps_its_own_time() -> None:
    """The machine's own clock leaves time to the server; one that is driven by hand is asked instead."""
    clock = HandClock()
    stores = [store_by_url("redis://localhost", clock=each) for each in (system_clock, clock)]

    assert [None, clock] == [store._clock for store in stores if isinstance(store, RedisStore)]


def test_a_driver_that_is_missing() -> None:
    """Where redis-py is not installed, the message says what to install."""
    assert "store: redis needs redis, which comes with pip install 'fastapi-session-auth[redis]'" == printed(
        WITHOUT_REDIS
    )


def test_no_driver_is_loaded_unasked() -> None:
    """The package alone imports no driver of a server."""
    assert "[]" == printed(LOADED)
