"""What is found of signing keys and secrets: the keys are those that a real engine made, some time ago."""

from __future__ import annotations

from datetime import timedelta

import pytest

from fastapi_session import SessionConfig, Sessions
from fastapi_session.core.signing_keys import ROTATING, STATIC
from fastapi_session.stores.base import Store
from fastapi_session.stores.memory import MemoryStore
from fastapi_session.testing import HandClock
from tests.doctor.store.deployments import found, ids, started
from tests.engines import NEW_SECRET, SECRET, WRONG_SECRET, config

WEEK = timedelta(weeks=1)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def store(clock: HandClock) -> Store:
    return MemoryStore(clock=clock)


@pytest.fixture
async def deployment(store: Store, clock: HandClock) -> SessionConfig:
    """One whose application has just started."""
    made = config(store=store)
    await started(made, clock=clock)
    return made


async def kids(store: Store, family: str) -> list[str]:
    return [key.kid for key in await store.signing_keys() if key.family == family]


async def test_keys_of_another_secret(deployment: SessionConfig, store: Store, clock: HandClock) -> None:
    """FS112 names each key that cannot be opened, and which sign is not known then."""
    clock.advance(3 * WEEK)
    seen = await found(config(store=deployment.store, secret=WRONG_SECRET), clock=clock)

    names = [f"key {kid}" for kid in [*await kids(store, ROTATING), *await kids(store, STATIC)]]
    assert [("FS112", name) for name in names] == seen


async def test_replacing_a_secret(deployment: SessionConfig, store: Store, clock: HandClock) -> None:
    """FS113 until the keys are encrypted anew, nothing while a session needs the earlier one, FS114 when none does."""
    ring = config(store=store, secret=[NEW_SECRET, SECRET])
    assert ["FS113"] == ids(await found(ring, clock=clock))

    clock.advance(timedelta(seconds=1))
    await started(ring, clock=clock)  # which encrypts them, and begins a session by the new secret
    assert [] == await found(ring, clock=clock)

    ended = Sessions(ring, clock=clock)
    [older, _] = await ended.of_user("alice")
    await ended.revoke(older.handle)
    await ended.close()
    assert [("FS114", "secret 2 of 2")] == await found(ring, clock=clock)


async def test_a_session_that_has_expired_needs_no_secret(
    deployment: SessionConfig, store: Store, clock: HandClock
) -> None:
    """FS114 also while the session is still there: nothing is lost with its secret."""
    ring = config(store=store, secret=[NEW_SECRET, SECRET])
    await started(ring, clock=clock)
    assert [] == await found(ring, clock=clock)

    clock.advance(timedelta(days=101))
    assert "FS114" in ids(await found(ring, clock=clock))


async def test_a_key_that_nobody_replaces(deployment: SessionConfig, clock: HandClock) -> None:
    """FS116 when the next key is due, and FS115 after another interval; nothing before."""
    clock.advance(WEEK - 15 * MINUTE)
    assert [] == await found(deployment, clock=clock)

    clock.advance(10 * MINUTE)
    assert ["FS116"] == ids(await found(deployment, clock=clock))

    clock.advance(WEEK + 10 * MINUTE)
    assert ["FS115"] == ids(await found(deployment, clock=clock))


async def test_a_key_that_is_pending(deployment: SessionConfig, clock: HandClock) -> None:
    """What has been made in time is found by nobody, though it does not sign yet."""
    clock.advance(WEEK - 5 * MINUTE)
    await started(deployment, clock=clock)

    assert [] == await found(deployment, clock=clock)


async def test_rotating_keys_that_nobody_uses(store: Store, clock: HandClock) -> None:
    """If tokens are signed by the key that stays, the age of the other is nothing."""
    static = config(store=store, use_dynamic_access_token_signing_key=False)
    await started(config(store=store), clock=clock)
    clock.advance(52 * WEEK)

    assert [] == await found(static, clock=clock)


async def test_no_key_that_stays(deployment: SessionConfig, store: Store, clock: HandClock) -> None:
    """FS117 names the keys that are there."""
    [static] = await kids(store, STATIC)
    await store.delete_key(static)

    [rotating] = await kids(store, ROTATING)
    assert [("FS117", f"key {rotating}")] == await found(deployment, clock=clock)


async def test_an_algorithm_that_is_not_in_use(deployment: SessionConfig, store: Store, clock: HandClock) -> None:
    """FS118 if no process has the setting; once one has made a key for it, that one is about to take over."""
    changed = config(store=store, access_token_signing_algorithm="RS256")
    [rotating] = await kids(store, ROTATING)
    assert [("FS118", f"key {rotating} is for ES256, configured is RS256")] == await found(changed, clock=clock)

    await started(changed, clock=clock)
    assert [] == await found(changed, clock=clock)
