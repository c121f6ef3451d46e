"""From a configuration to what the engine works with: its store, its secrets, its policies."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from fastapi_session.clock import system_clock
from fastapi_session.config import SessionConfig
from fastapi_session.core.rotation import RotationPolicy
from fastapi_session.core.signing_keys import KeyPolicy
from fastapi_session.engine.from_config import (
    configured_secrets,
    configured_store,
    key_policy,
    milliseconds,
    rotation_policy,
)
from fastapi_session.errors import ConfigurationError
from fastapi_session.sessions import Sessions
from fastapi_session.stores.base import Store
from fastapi_session.stores.memory import MemoryStore
from fastapi_session.stores.sqlite import SqliteStore
from fastapi_session.testing import HandClock
from tests.engines import NEW_SECRET, SECRET, WRONG_SECRET, created, engine


def test_durations_are_whole_milliseconds() -> None:
    """What is shorter than a millisecond is cut off."""
    assert 1_500 == milliseconds(timedelta(seconds=1.5, microseconds=999))


@pytest.mark.parametrize(
    ("url", "kind"), [("memory:", MemoryStore), ("sqlite:///x.db", SqliteStore), ("sqlite:////tmp/x.db", SqliteStore)]
)
def test_a_url_names_a_store(url: str, kind: type[Store]) -> None:
    """A store may be given by URL; nothing is opened yet."""
    assert kind is type(configured_store(SessionConfig(store=url), clock=system_clock))


def test_a_store_may_be_given_itself() -> None:
    """A store object is used as it is."""
    store = MemoryStore()

    assert store is configured_store(SessionConfig(store=store), clock=system_clock)


@pytest.mark.parametrize("url", ["", "sqlite:///", "sqlite://x.db", "mysql://localhost/x", "memory"])
def test_a_url_that_names_no_store(url: str) -> None:
    """Any other text is a mistake that names the fix."""
    with pytest.raises(ConfigurationError, match="store: give sqlite:///"):
        configured_store(SessionConfig(store=url), clock=system_clock)


def test_the_grace_period_is_the_debounce_too() -> None:
    """What the rotation table works with follows from the settings."""
    config = SessionConfig(
        refresh_token_rotation_grace_period=timedelta(seconds=7),
        lost_response_recovery=False,
        idle_timeout=timedelta(days=1),
    )

    assert RotationPolicy(
        grace=7_000, debounce=7_000, lost_response_recovery=False, idle_timeout=86_400_000
    ) == rotation_policy(config)


def test_the_keys_of_a_deployment() -> None:
    """What the signing keys go by follows from the settings."""
    config = SessionConfig(
        access_token_validity=timedelta(minutes=5),
        access_token_dynamic_signing_key_update_interval=timedelta(hours=2),
        access_token_signing_algorithm="RS256",
        use_dynamic_access_token_signing_key=False,
    )

    assert KeyPolicy(
        algorithm="RS256", rotation_interval=7_200_000, publish_lead=600_000, token_lifetime=300_000, static=True
    ) == key_policy(config)


def test_configured_secrets_keep_their_order(tmp_path: Path) -> None:
    """The first secret makes tokens, and no file is made where one is configured."""
    store = SqliteStore(tmp_path / "x.db")
    old, both = (
        configured_secrets(SessionConfig(secret=secret), store, random=os.urandom)
        for secret in (SECRET, [NEW_SECRET, SECRET])
    )

    assert [both.newest.kid, old.newest.kid] == [secret.kid for secret in both]
    assert [] == [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("secret", "message"),
    [
        ("short", "5 bytes are too few"),
        ("x" * 31, "31 bytes are too few"),
        ([SECRET, "short"], "5 bytes are too few"),
        ([SECRET, SECRET], "equal"),
    ],
)
def test_secrets_that_are_none(secret: Any, message: str) -> None:
    """A secret that is too short, or there twice, is a mistake that names the setting."""
    with pytest.raises(ConfigurationError, match=f"secret: .*{message}"):
        Sessions(SessionConfig(store="memory:", secret=secret))


def test_memory_needs_no_secret() -> None:
    """Sessions in memory end with the process, and so may their secret: each engine makes its own."""
    one, other = (configured_secrets(SessionConfig(), MemoryStore(), random=os.urandom) for _ in range(2))

    assert one.newest.mac != other.newest.mac


async def test_a_file_beside_the_database(tmp_path: Path, clock: HandClock) -> None:
    """Without a secret, SQLite keeps one beside its file, and finds it again after a restart."""
    before, after = (Sessions(SessionConfig(store=f"sqlite:///{tmp_path}/x.db"), clock=clock) for _ in range(2))
    handle, token = await created(before)
    await before.close()

    assert handle == (await after.refresh(token)).access_token.session_handle
    await after.close()
    assert (tmp_path / "x.db.secret").exists()


async def test_another_store_needs_a_secret(clock: HandClock) -> None:
    """A store that machines share cannot have a file beside it: a secret has to be given."""

    class Shared:
        pass

    with pytest.raises(
        ConfigurationError, match=r"secret: this store needs one of your own .*; make one with: python -c"
    ):
        Sessions(SessionConfig(store=Shared()), clock=clock)


async def test_a_wrong_secret_is_found_at_the_start(store: Store, clock: HandClock) -> None:
    """Opening an existing store with another secret fails before the first user is logged out."""
    await engine(clock, store=store).open()
    for secret in (WRONG_SECRET, [NEW_SECRET, WRONG_SECRET]):
        with pytest.raises(ConfigurationError, match="secret: it does not open the signing key"):
            await engine(clock, store=store, secret=secret).open()
    await engine(clock, store=store, secret=[NEW_SECRET, SECRET]).open()
