"""What a store says that cannot be opened, so that somebody sees at once where it was looked for."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastapi_session.clock import system_clock
from fastapi_session.errors import StoreUnavailable
from fastapi_session.stores.by_url import store_by_url


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
