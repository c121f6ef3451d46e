"""What fails at the start tells neither a secret nor a password in the variables of this package's frames."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fastapi_session import ConfigurationError, SessionConfig, Sessions
from fastapi_session.stores.redis import RedisStore
from fastapi_session.stores.sql import SqlStore
from tests.web.frames import pieces, report

PASSWORD = "a-password-that-nobody-is-to-read"
SHORT = "a-secret-that-is-too-short"
SECRET = "a-secret-that-is-as-long-as-it-has-to-be-0001"
URLS = [
    f"postgresql+asyncpg://user:{PASSWORD}@host/database?unheard_of=1",
    f"postgresql+psycopg://user:{PASSWORD}@host/database?unheard_of=1",
    f"mysql+asyncmy://user:{PASSWORD}@host/database?unheard_of=1",
    f"mysql+asyncmy://user:{PASSWORD}@host:port/database",
    f"redis://user:{PASSWORD}@host:6379/0?socket_timeout=soon",
    f"valkeys://user:{PASSWORD}@host:port/0",
    f"oracle://user:{PASSWORD}@host/database",
]


def configured(url: str) -> Sessions:
    return Sessions(SessionConfig(store=url, secret=SECRET))


def constructed(url: str) -> object:
    return (RedisStore if url.startswith(("redis", "valkey")) else SqlStore)(url)


@pytest.mark.parametrize("make", [configured, constructed])
@pytest.mark.parametrize("url", URLS)
def test_a_url_that_is_wrong(url: str, make: Callable[[str], object]) -> None:
    """A wrong URL of a store is told without the password in it."""
    with pytest.raises(ConfigurationError) as raised:
        make(url)

    secrets = pieces(PASSWORD, SECRET)
    assert [] == [told.place for told in report(raised.value) if told.tells(secrets)]


def test_a_secret_file_that_is_too_short(tmp_path: Path) -> None:
    """What stands in the file is not told."""
    path = tmp_path / "sessions.db.secret"
    path.write_text(SHORT)
    path.chmod(0o600)
    with pytest.raises(ConfigurationError, match="bytes are too few") as raised:
        Sessions(SessionConfig(store=f"sqlite:///{tmp_path / 'sessions.db'}"))

    assert [] == [told.place for told in report(raised.value) if told.tells(pieces(SHORT))]


def test_secrets_that_are_refused() -> None:
    """Two equal secrets are refused untold."""
    with pytest.raises(ConfigurationError) as raised:
        Sessions(SessionConfig(store="memory:", secret=[SECRET, SECRET]))

    assert [] == [told.place for told in report(raised.value) if told.tells(pieces(SECRET))]
